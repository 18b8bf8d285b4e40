"""One app behind its gateway, in a process of its own that `serve` replaces whenever a file is edited.

`python -m local.worker <name> <fd>` serves on the listening socket that it inherits as the file descriptor.
"""

import logging
import os
import runpy
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from chalicelib.config import RESOURCE_METADATA
from local import leash
from local.gateway import Gateway
from local.server import Server

ROOT = Path(__file__).parents[1]
NOTES = ROOT / "examples" / "notes" / "app.py"


def latchkey() -> Gateway:
    """Return Latchkey itself, behind its own guard."""
    from app import app

    metadata = os.environ["LATCHKEY_ISSUER"] + RESOURCE_METADATA
    return Gateway(app, origins=os.environ.get("LATCHKEY_ORIGINS", ""), metadata=metadata)


def notes() -> Gateway:
    """Return the notes example, an API of its own with another API's guard in front."""
    from chalicelib.web.guard import guard

    example = runpy.run_path(str(NOTES), run_name="notes")
    metadata = f"{os.environ['LATCHKEY_ISSUER']}{RESOURCE_METADATA}/notes"
    return Gateway(example["app"], api_id="notes", authorizers={"latchkey": guard}, metadata=metadata)


APPS = {"latchkey": latchkey, "notes": notes}


def main(name: str, descriptor: str) -> None:
    """Serve until told to stop."""
    leash.hold()
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {name}: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("botocore").setLevel(logging.WARNING)  # it tells at length where it found the test credentials
    server = Server(APPS[name](), socket.socket(fileno=int(descriptor)))

    def stop(_signal: int, _frame: Any) -> None:
        # `shutdown` waits for the loop that this handler interrupts.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
