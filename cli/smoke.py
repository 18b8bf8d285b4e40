"""`./latchkey smoke`: is a deployment there, is it ours, does it refuse who has no token?"""

import click

from cli.target import Target, with_target
from deploy.errors import CannotDeployError


@click.command("smoke")
@with_target
def command(target: Target) -> None:
    """Ask a deployment a few questions: is it there, is it ours, does it refuse who has no token?"""
    from deploy import associations, smoke

    issuer = target.issuer()
    if problems := smoke.failures(issuer):
        raise CannotDeployError("\n".join([f"{issuer} does not answer as it should:", *problems]))
    print(f"{issuer} answers as it should.")
    associations.report({**target.settings(), "LATCHKEY_ISSUER": issuer})
