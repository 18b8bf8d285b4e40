"""One app behind its gateway, in a process of its own that `serve` replaces whenever a file is edited.

`python -m local.worker <name> <fd>,<fd>` serves Latchkey on the listening sockets that it inherits as file descriptors.
With a Chalice app's folder, or an HTTP server's URL and the routes of it that need no token, it serves that
behind the guard.
"""

import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalice.app import Chalice

from chalicelib.config import RESOURCE_METADATA, read_json
from chalicelib.domain.oauth.scopes import needed
from deploy.gateway_responses import OWN_SCOPES
from local import exit_with_parent
from local.api_kinds import HttpApi, Kind, RestApi
from local.gateway import Gateway
from local.integrations import CannotIntegrateError, Function, Upstream
from local.server import Server
from local.workers import KIND, SHELL

log = logging.getLogger(__name__)


def latchkey() -> Gateway:
    """Return Latchkey itself, behind its own guard, with what delivers its messages."""
    from app import app
    from local.latchkey_gateway import LatchkeyGateway

    issuer = os.environ["LATCHKEY_ISSUER"]
    return LatchkeyGateway(app, issuer=issuer, kind=RestApi(issuer + RESOURCE_METADATA, scopes=OWN_SCOPES))


def guarded(name: str, target: str, *public: str) -> Gateway:
    """Return another API, with Latchkey's guard wherever it names an authorizer that is not its own."""
    from chalicelib.guard.functions import guard_request

    scopes = read_json(os.environ["LATCHKEY_APIS_FILE"])[name]["scopes"]
    authorizers = {}
    app: Chalice
    if "://" in target:
        app = Upstream(name, target, guarded=scopes, public=public)
    else:
        app = Function(Path(target), shell=json.loads(os.environ[SHELL]))
        authorizers = app.own_authorizers
    entries = {f"{method} {path}": entry for path, methods in app.routes.items() for method, entry in methods.items()}
    for line in sorted(scopes.keys() - {line for line, entry in entries.items() if entry.authorizer}):
        if line in entries:
            log.warning("%s is in the scope map and has no authorizer in app.py: it is open to everybody", line)
    declared = {entry.authorizer.name for entry in entries.values() if entry.authorizer}
    return Gateway(
        app,
        api_id=name,
        authorizers={**dict.fromkeys(declared, guard_request), **authorizers},
        kind=_kind(name, scopes),
    )


def _kind(name: str, scopes: Mapping[str, str]) -> Kind:
    if os.environ.get(KIND) == "http":
        return HttpApi()
    metadata = f"{os.environ['LATCHKEY_ISSUER']}{RESOURCE_METADATA}/{name}"
    return RestApi(metadata, scopes=needed(scopes), remaps=True)


def main(name: str, descriptors: str, *what: str) -> None:
    """Serve until told to stop."""
    exit_with_parent.watch()
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {name}: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("botocore").setLevel(logging.WARNING)  # it tells at length where it found the test credentials
    try:
        gateway = guarded(name, *what) if what else latchkey()
    except CannotIntegrateError as error:
        sys.exit(f"{name}: {error}.")
    first, *beside = (Server(gateway, socket.socket(fileno=int(descriptor))) for descriptor in descriptors.split(","))
    for server in beside:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(_signal: int, _frame: Any) -> None:
        # `shutdown` waits for the loop that this handler interrupts.
        threading.Thread(target=first.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    first.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
