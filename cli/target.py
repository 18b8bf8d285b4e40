"""Where a command works: in a stage's own account, or in the local run of this checkout.

`python -m cli.target` prints the local run's variables as `export` lines, for whatever else has to find it.
"""

import argparse
import os
import shlex

from chalicelib import config, services
from chalicelib.services import Services
from deploy import stages
from deploy.access import session
from deploy.deployed import UNKNOWN_ISSUER, issuer_of
from deploy.errors import CannotDeployError, in_one_line
from deploy.local_state import of_local_run


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a command the choice of its place: --stage, or --local."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--stage", default="dev", help="a stage of .chalice/config.json (default: dev)")
    where.add_argument("--local", action="store_true", help="the local run: what `make serve` has started")


def environment(asked: argparse.Namespace) -> dict[str, str]:
    """Return the LATCHKEY_* variables of the place that was chosen, and send boto3 there."""
    if asked.local:
        found = of_local_run()
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update({name: value for name, value in found.items() if name.startswith("AWS_")})
        return found
    stage = stages.read(asked.stage)
    session()
    # There are no settings without an issuer, and a stage has none before its first deployment.
    return {"LATCHKEY_ISSUER": issuer_of(stage) or UNKNOWN_ISSUER, **stage.environment()}


def services_of(asked: argparse.Namespace) -> Services:
    """Services on the tables and keys of the place that was chosen."""
    return services.build(config.load(environment(asked)))


def issuer(asked: argparse.Namespace) -> str:
    """Return the issuer of the place that was chosen, for which no credentials are needed."""
    found = of_local_run()["LATCHKEY_ISSUER"] if asked.local else issuer_of(stages.read(asked.stage))
    if found is None:
        raise CannotDeployError(f"The stage {asked.stage} has no issuer yet: deploy it, or set LATCHKEY_ISSUER.")
    return found


def main() -> None:
    """Print the local run's variables."""
    in_one_line(lambda: print("\n".join(f"export {n}={shlex.quote(v)}" for n, v in of_local_run().items())))


if __name__ == "__main__":
    main()
