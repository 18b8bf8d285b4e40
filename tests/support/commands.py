"""`./latchkey` in this process, on what a test has made."""

import json
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


def remember_guard(project: Path, *, region: str = "eu-central-1") -> None:
    """Have a checkout know the guard for other APIs of each stage, as after a deployment: nobody asks AWS for it."""
    folder = project / ".chalice" / "deployed"
    folder.mkdir(exist_ok=True)
    for stage in ("dev", "prod"):
        arn = f"arn:aws:lambda:{region}:123456789012:function:latchkey-{stage}-guard_request"
        memory = {"resources": [{"name": "guard_request", "resource_type": "lambda_function", "lambda_arn": arn}]}
        (folder / f"{stage}.json").write_text(json.dumps(memory))
