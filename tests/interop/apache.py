"""Apache with mod_auth_openidc in front of an application, on loopback, and how tests are skipped where there is none."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

BINARY = Path("/usr/sbin/apache2")
MODULES = Path("/usr/lib/apache2/modules")
STARTED = "resuming normal operations"
SECONDS = 30
# In Debian's order: of two modules that could answer, the one that was loaded first does.
LOADED = ("auth_openidc", "authn_core", "authz_core", "authz_user", "mpm_event", "proxy", "proxy_http", "ssl")
CONFIGURATION = """
{modules}
ServerName localhost
Listen 127.0.0.1:{port} https
DefaultRuntimeDir {root}
PidFile {root}/apache.pid
ErrorLog /dev/stderr
User nobody
Group nogroup
StartServers 1
ThreadsPerChild 8
MaxRequestWorkers 8
SSLEngine on
SSLCertificateFile {chain}
ProxyPass / http://127.0.0.1:{behind}/
{site}
"""


def needed() -> None:
    """Skips a module of tests where there is no Apache; in CI they run, and fail."""
    there = BINARY.exists() and (MODULES / "mod_auth_openidc.so").exists()
    if not there and os.environ.get("CI") != "true":
        why = "Apache or mod_auth_openidc is missing: `make debian` installs them on Debian"
        pytest.skip(why, allow_module_level=True)


@contextmanager
def serving(root: Path, *, port: int, chain: Path, site: str) -> Iterator[None]:
    """Serves a site over TLS, by its own lines of configuration, for the length of a `with` block."""
    with _application() as behind:
        modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
        configuration = root / "apache.conf"
        configuration.write_text(
            CONFIGURATION.format(modules=modules, port=port, root=root, chain=chain, behind=behind, site=site)
        )
        command: list[str | Path] = [BINARY, "-d", root, "-f", configuration, "-DFOREGROUND"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            log = _until_started(process)
            reader = threading.Thread(target=log.extend, args=(process.stderr,))
            reader.start()
            try:
                yield
            finally:
                process.terminate()
                reader.join()
                print(*log)  # noqa: T201 - pytest shows it with a test that fails


def _until_started(process: subprocess.Popen[str]) -> list[str]:
    log: list[str] = []
    patience = threading.Timer(SECONDS, process.kill)
    patience.start()
    assert process.stderr
    for line in process.stderr:
        log.append(line)
        if STARTED in line:
            break
    patience.cancel()
    assert STARTED in log[-1], log
    return log


class _Application(BaseHTTPRequestHandler):
    """What stands behind Apache: its pages show the headers that they were asked for with."""

    def do_GET(self) -> None:
        body = str(self.headers).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _application() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Application)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
