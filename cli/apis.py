"""`python -m cli.apis`: which other APIs the guard protects, and what each of their routes needs."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalicelib.config import WrongSetting
from deploy import attaching, openapi_scopes, stages
from deploy.deployed import deployed_api, issuer_of
from deploy.registered_apis import (
    ANSWERS,
    API_ID,
    NAME,
    REVOCATION,
    CannotRegisterError,
    Register,
    entry,
    needed,
    scope_map,
    warnings,
)


def add(register: Register, asked: argparse.Namespace) -> None:
    """Register an API, or register it anew, and print how it attaches the guard."""
    if not API_ID.fullmatch(asked.id):
        raise CannotRegisterError(f"{asked.id!r} is not the id of an API.")
    if not NAME.fullmatch(asked.name):
        raise CannotRegisterError(f"{asked.name!r} cannot be its name, which is in a URL: letters, digits, and . _ ~ -")
    stage = stages.read(asked.stage or "dev", project=register.project)
    reading = scope_map(asked.file)
    api = entry(
        name=asked.name,
        scopes=reading.scopes,
        revocation=asked.revocation,
        answer=asked.answer,
        audience=asked.audience,
        dpop=asked.dpop,
    )
    _refuse_our_own(register, asked.id)
    registry = register.read()
    before = registry.get(asked.id, {})
    api["login_scopes"] = dict(before.get("login_scopes", {}))
    if not asked.keep_scopes:
        api["login_scopes"][stage.name] = _open(register, api, before, stage.name)
    register.write({**registry, asked.id: api})
    stage = stages.read(stage.name, project=register.project)
    for line in reading.public:
        print(f"Not guarded, as it asks for no token: {line}")
    for line in warnings(api, stage):
        print(line)
    print(attaching.instructions(asked.id, api, stage=stage.name, project=register.project))
    print(f"\n{attaching.challenge(asked.id, api['name'], issuer_of(stage) or '<issuer>')}")
    print("The guard knows of it from the next `make deploy` on.")


def _refuse_our_own(register: Register, api_id: str) -> None:
    """A map for Latchkey's own API would take the place of the one that it is made with."""
    for name in stages.names(project=register.project):
        ours = deployed_api(stages.read(name, project=register.project), project=register.project)
        if ours is not None and ours["rest_api_id"] == api_id:
            raise CannotRegisterError(f"{api_id} is Latchkey's own API in the stage {name}: it has its guard already.")


def _open(register: Register, api: Mapping[str, Any], before: Mapping[str, Any], stage: str) -> list[str]:
    """Let logins of a stage ask for what an API newly needs; return what was opened for it, now or before."""
    earlier = before.get("login_scopes", {})
    # What the API needed when it was last added for this stage is as the operator left it.
    new = needed(api) - (needed(before) if stage in earlier else set())
    opened = register.offer(stage, sorted(new))
    if opened:
        print(
            f"From now on every login of the stage {stage} may ask for {', '.join(opened)}: they are in LATCHKEY_SCOPES."
        )
    return sorted({*earlier.get(stage, []), *opened})


def remove(register: Register, asked: argparse.Namespace) -> None:
    """Take an API off the register."""
    registry = register.read()
    gone = registry.pop(asked.id, None)
    if gone is None:
        raise CannotRegisterError(f"No API {asked.id!r} is registered.")
    # The register is for all stages and does not know which of them the API was attached to.
    named = [asked.stage] if asked.stage else stages.names(project=register.project)
    told = [attaching.revocation(asked.id, stages.read(name, project=register.project)) for name in named]
    register.write(registry)
    others = {scope for api in registry.values() for scope in needed(api)}
    for name, opened in gone.get("login_scopes", {}).items():
        closed = [scope for scope in opened if scope not in others]
        if name in stages.names(project=register.project) and register.withhold(name, closed):
            print(f"No login of the stage {name} may ask for {', '.join(closed)} any more: `add` had opened them.")
    print("The guard forgets it with the next `make deploy`; take its permission away as well, where it has one:")
    print("\n".join(told))


def list_all(register: Register, _: argparse.Namespace) -> None:
    """Print what is registered."""
    for api_id, api in register.read().items():
        print(f"{api_id}  {api['name']}  {api['revocation']}  {api['answer']}  {len(api['scopes'])} routes")


def command_line() -> argparse.ArgumentParser:
    """Return the parser: add, list, remove."""
    parser = argparse.ArgumentParser(prog="python -m cli.apis", description=__doc__)
    whose = "whose guard the instructions name (default: dev to add, every one to remove)"
    parser.add_argument("--stage", help=whose)
    commands = parser.add_subparsers(required=True)
    adding = commands.add_parser("add", help="register an API, or change what is registered of it")
    adding.set_defaults(run=add)
    adding.add_argument("--id", required=True, help="its id in API Gateway")
    adding.add_argument("--name", required=True, help="what to call it here")
    adding.add_argument("--file", required=True, type=Path, help="a scope map, or OpenAPI as JSON or YAML")
    adding.add_argument("--revocation", choices=REVOCATION, required=True, help="how late an ended session bites")
    adding.add_argument("--answer", choices=ANSWERS, default="policy", help="simple: HTTP APIs, payload 2.0")
    adding.add_argument("--audience", help="the `aud` that its tokens must have (default: LATCHKEY_AUDIENCE)")
    adding.add_argument(
        "--keep-scopes",
        action="store_true",
        help="leave LATCHKEY_SCOPES as it is: for scopes that not every user may have",
    )
    adding.add_argument("--dpop", action="store_true", help="take tokens bound to a key (RFC 9449) with a proof of it")
    commands.add_parser("list", help="show what is registered").set_defaults(run=list_all)
    removing = commands.add_parser("remove", help="take an API off the register")
    removing.set_defaults(run=remove)
    removing.add_argument("--id", required=True)
    for command in (adding, removing):  # where the other commands take it
        command.add_argument("--stage", default=argparse.SUPPRESS, help=whose)
    return parser


def main(arguments: list[str] | None = None, *, register: Register | None = None) -> None:
    """Read the command line and do it."""
    asked = command_line().parse_args(arguments)
    try:
        asked.run(register or Register(), asked)
    except (CannotRegisterError, openapi_scopes.CannotExpressError, stages.NoSuchStageError, WrongSetting) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
