"""Where a command works: in a stage's own account, or in the local run of this checkout."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from deploy import stages
from deploy.deployed import UNKNOWN_ISSUER, issuer_of
from deploy.errors import CannotDeployError
from deploy.local_state import of_local_run

if TYPE_CHECKING:
    from chalicelib.services import Services


@dataclass(frozen=True)
class Target:
    """A stage, or else the local run."""

    stage: str = "dev"
    local: bool = False

    def environment(self) -> dict[str, str]:
        """Return its LATCHKEY_* variables, and send boto3 there."""
        from deploy.access import session

        if self.local:
            variables = of_local_run()
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                del os.environ[name]
            os.environ.update({name: value for name, value in variables.items() if name.startswith("AWS_")})
            return variables
        stage = stages.read(self.stage)
        session()
        # There are no settings without an issuer, and a stage has none before its first deployment.
        return {"LATCHKEY_ISSUER": issuer_of(stage) or UNKNOWN_ISSUER, **stage.environment()}

    def settings(self) -> dict[str, str]:
        """Return the LATCHKEY_* variables of its routes, for which no credentials are needed."""
        return of_local_run() if self.local else stages.read(self.stage).environment("api_handler")

    def services(self) -> "Services":
        """Services on its tables and keys."""
        from chalicelib import config, services
        from chalicelib.store.aws.client import PATIENT

        return services.build(config.load(self.environment()), seconds=PATIENT)

    def issuer(self) -> str:
        """Return its issuer, for which no credentials are needed."""
        issuer = of_local_run()["LATCHKEY_ISSUER"] if self.local else issuer_of(stages.read(self.stage))
        if issuer is None:
            raise CannotDeployError(f"The stage {self.stage} has no issuer yet: deploy it, or set LATCHKEY_ISSUER.")
        return issuer


def with_target(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command --stage and --local, and what they name as its first argument."""

    @click.option("--stage", metavar="STAGE", help="A stage of .chalice/config.json (default: dev).")
    @click.option("--local", is_flag=True, help="The local run: what `make serve` has started.")
    @wraps(function)
    def command(*, stage: str | None, local: bool, **options: Any) -> None:
        if stage and local:
            raise click.UsageError("--stage and --local name two places: give one of them.")
        function(Target(stage or "dev", local), **options)

    return command


def with_services(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command --stage and --local, and Services on what they name as its first argument."""

    @with_target
    @wraps(function)
    def command(target: Target, **options: Any) -> None:
        from chalicelib.flows.platform import log
        from chalicelib.services import Services

        # Who calls a command from a program may bring Services of their own.
        with log.on_stderr():
            function(click.get_current_context().find_object(Services) or target.services(), **options)

    return command
