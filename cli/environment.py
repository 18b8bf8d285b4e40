"""`./latchkey environment`: how a program that is not ours finds the local run."""

import shlex

import click

from deploy.local_state import of_local_run


@click.command("environment")
def command() -> None:
    """Print the variables of the local run, a line each for a shell to read.

    eval "$(./latchkey environment)"
    """
    print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in of_local_run().items()))
