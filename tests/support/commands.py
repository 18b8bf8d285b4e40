"""`./latchkey` in this process, on what a test has made."""

from pathlib import Path

from chalicelib.services import Services
from cli.main import latchkey
from deploy.registered_apis import Register


def run(*arguments: str, on: Services | Register | Path | None = None) -> None:
    """Run a command to its end; raises SystemExit where it is refused."""
    try:
        latchkey.main(list(arguments), prog_name="./latchkey", obj=on)
    except SystemExit as ended:
        if ended.code:
            raise
