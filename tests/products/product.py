"""A product as its tests have it: its recipe, filled in for a client of its own, and its programs."""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from chalicelib.config import registered_apis
from chalicelib.domain.oauth.client import Client
from chalicelib.flows.clients import manage
from cli import client_metadata
from cli.recipes import Recipe
from deploy.registered_apis import entry
from tests.interop.person import Person
from tests.interop.served import Served
from tests.support.commands import run

USUAL_API = {"revocation": "stateless", "answer": "policy"}
SECONDS = 180  # until a program serves; a JVM on a busy machine needs half a minute


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder: tests of two products may run at once."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Connection:
    """A client, and the product's settings for it by the names of their files."""

    client_id: str
    client_secret: str
    redirect_uri: str
    settings: Mapping[str, str]

    def write(self, folder: Path) -> None:
        """Writes the settings as files."""
        for name, text in self.settings.items():
            (folder / name).write_text(text + "\n")


@dataclass(frozen=True)
class Product:
    """One product, its folder for what is downloaded and built, and the Latchkey that it is connected to."""

    recipe: Recipe
    served: Served
    folder: Path

    def connect(self, url: str = "", **typed: str) -> Connection:
        """Makes the client as `clients create --for` does, with the product at a URL."""
        pairs = self.recipe.metadata([f"{name}={value}" for name, value in typed.items()], url=url)
        metadata = client_metadata.metadata(pairs)
        client, secret = manage.create(self.served.svc, Client(client_id="", **metadata))
        filled = self.recipe.for_client(self.served.issuer, client, secret)
        return Connection(client.client_id, secret, next(iter(client.redirect_uris), ""), filled.files)

    def person(self, *, verified: bool = True, **profile: str) -> Person:
        """A new user at a new browser, who says this of themselves."""
        person, svc = self.served.person(), self.served.svc
        if verified:
            run("users", "verify-email", person.email, on=svc)
        if profile:
            uid = svc.users.find(person.email)
            assert uid
            svc.users.change_profile(uid, profile, now=svc.now())
        return person

    def python(self, requirements: Path, *, interpreter: str = sys.executable) -> Path:
        """The Python of an environment with these requirements, which products with the same ones share."""
        pinned = requirements.read_text()
        environment = self.folder.parent / f"python-{hashlib.sha256(pinned.encode()).hexdigest()[:12]}"
        python, made = environment / "bin" / "python", environment / "made"
        with _alone(environment):
            if not made.exists():
                uv = [sys.executable, "-m", "uv", "--quiet"]
                _install([*uv, "venv", "--clear", "--python", interpreter, str(environment)])
                _install([*uv, "pip", "install", "--python", str(python), "--requirement", str(requirements)])
                made.touch()
        return python

    def node_modules(self, project: Path) -> Path:
        """The packages of a Node project, installed when its lock file is new; the project is copied beside them."""
        made = self.folder / "node_modules" / ".made"
        lock = (project / "package-lock.json").read_text()
        for file in project.iterdir():
            if file.is_file():
                shutil.copy(file, self.folder)
        if not made.exists() or made.read_text() != lock:
            install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            _install(install, cwd=self.folder)
            made.write_text(lock)
        return self.folder

    def go(self, module: str, version: str, *, package: str = "") -> Path:
        """A Go program, built when its version is new: that of a module, or of a package in it."""
        program = self.folder / f"{self.recipe.name}-{version}"
        if not program.exists():
            # As a dependency of another module, since `go install` refuses modules that replace others.
            (self.folder / "go.mod").write_text("module products\n")
            require = ["go", "mod", "edit", f"-require={module}@{version}"]
            subprocess.run(require, cwd=self.folder, check=True)
            self._build_go(module + package, program)
        return program

    def go_project(self, project: Path) -> Path:
        """The program of a Go project, its go.mod and main.go, built as far as something in it is new."""
        for name in ("go.mod", "main.go"):
            shutil.copy(project / name, self.folder)
        return self._build_go(".", self.folder / self.recipe.name)

    def _build_go(self, package: str, program: Path) -> Path:
        build = ["go", "build", "-mod=mod", "-o", str(program), package]
        subprocess.run(build, cwd=self.folder, env={**os.environ, "CGO_ENABLED": "0"}, check=True)
        return program

    def maven(self, project: Path, version: str, sources: Mapping[str, str] | None = None) -> Path:
        """The program of a Maven project, `target/site.jar`, built when a file of it is new.

        @version@ in its pom.xml is that of the product; `sources` are more of its files by their paths.
        """
        own = [path for path in (project / "pom.xml", *project.glob("src/**/*")) if path.is_file()]
        files = {str(path.relative_to(project)): path.read_text() for path in own} | dict(sources or {})
        files["pom.xml"] = files["pom.xml"].replace("@version@", version)
        made = self.folder / "made.json"
        if not made.exists() or json.loads(made.read_text()) != files:
            shutil.rmtree(self.folder / "src", ignore_errors=True)
            for name, text in files.items():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / name).write_text(text)
            package = ["mvn", "-q", "-B", "clean", "package"]
            subprocess.run(package, cwd=self.folder, check=True)
            made.write_text(json.dumps(files))
        return self.folder / "target" / "site.jar"

    def register(self, apis: Mapping[str, Mapping[str, Any]]) -> None:
        """Has the server know these APIs, by their names and what is said of them beside the usual."""
        registry = {name: entry(**{"name": name, **USUAL_API, **api}) for name, api in apis.items()}
        Path(self.served.svc.settings.apis_file).write_text(json.dumps(registry))
        registered_apis.cache_clear()

    def conversation(self, command: Sequence[str | Path], person: Person) -> dict[str, str]:
        """What a program came to, by what: it sends its user to a page, and is told where the browser was sent then."""
        with subprocess.Popen(list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            patience = threading.Timer(SECONDS, process.kill)
            patience.start()
            assert process.stdin
            assert process.stdout
            lines = []
            for line in process.stdout:
                if line.startswith("visit "):
                    print(person.visit(line.split()[1])["url"], file=process.stdin, flush=True)
                else:
                    lines.append(line.rstrip())
            patience.cancel()
        assert process.returncode == 0, lines
        return {what: outcome for what, _, outcome in (line.partition(": ") for line in lines)}

    @contextmanager
    def running(
        self,
        command: Sequence[str | Path],
        *,
        ready: str = "",
        log_text: str = "",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Iterator[Path]:
        """Runs a program for the length of a `with` block, from when a URL answers or its log has a text; gives the log."""
        log = self.folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd or self.folder,
                start_new_session=True,
            )
        try:
            _wait(process, log, ready, log_text)
            yield log
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            print(log.read_text(errors="replace")[-20_000:])  # noqa: T201 - pytest shows it with a test that fails


def _install(command: Sequence[str], *, cwd: Path | None = None) -> None:
    """Runs an installation; where it cannot be done, offline perhaps, the product's tests are skipped, but not in CI."""
    if subprocess.run(command, cwd=cwd, check=False).returncode:
        assert os.environ.get("CI") != "true", command
        pytest.skip(f"it could not be installed: {' '.join(command)}")


def _wait(process: subprocess.Popen[bytes], log: Path, ready: str, log_text: str) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text(errors="replace")[-5000:]
        if log_text in log.read_text(errors="replace") and _answers(ready):
            return
        time.sleep(0.1)
    pytest.fail(f"it does not serve: {log.read_text(errors='replace')[-5000:]}")


def _answers(url: str) -> bool:
    try:
        return not url or bool(requests.get(url, allow_redirects=False, timeout=10).headers)
    except (requests.ConnectionError, requests.Timeout):
        return False
