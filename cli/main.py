"""`./latchkey`: a list of commands, each a module of this room that is imported when it is named."""

from importlib import import_module
from typing import Any

import click

from cli.errors import in_one_line

# A command is a line here, and a file in which it is called `command`.
COMMANDS = {
    "apis": "cli.apis",
    "clients": "cli.clients",
    "deploy": "cli.deploy",
    "destroy": "cli.destroy",
    "doctor": "cli.doctor",
    "environment": "cli.environment",
    "keys": "cli.keys",
    "outbox": "cli.outbox",
    "package": "cli.package",
    "release": "cli.release",
    "smoke": "cli.smoke",
    "texts": "cli.texts",
    "users": "cli.users",
}


class Commands(click.Group):
    """Finds its commands in COMMANDS, and ends every one of them in one line where it cannot be done."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the base class's
        """Return the commands' names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the base class's
        """Return a command by its name, or None."""
        module = COMMANDS.get(cmd_name)
        command: click.Command | None = import_module(module).command if module else None
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        with in_one_line():
            return super().invoke(ctx)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def latchkey() -> None:
    """What an operator of Latchkey does: to a stage's account, or to the local run."""
