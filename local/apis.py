"""`python -m local.apis`: which other APIs the guard protects, and what each of their routes needs."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chalicelib.config import WrongSetting, load
from chalicelib.domain.guard import policy
from chalicelib.domain.oauth import scopes as scopes_domain
from local import attaching, openapi_scopes, stages
from local.deploy import UNKNOWN_ISSUER, deployed_api, issuer_of
from local.stages import GUARDS, PROJECT, Stage

REVOCATION = ("stateless", "bounded", "strict")
ANSWERS = ("policy", "simple")
API_ID = re.compile(r"[A-Za-z0-9_-]+")
NAME = re.compile(r"[A-Za-z0-9._~-]+")  # in the address of its metadata

Registry = dict[str, dict[str, Any]]


class CannotRegisterError(Exception):
    """The API cannot be guarded as asked; each line of the message is one reason."""


@dataclass(frozen=True)
class Register:
    """The project's list of other APIs; it ships inside the package, so a change counts from the next deployment."""

    project: Path = PROJECT

    @property
    def file(self) -> Path:
        """Where the guard looks for it."""
        return self.project / "chalicelib" / "apis.json"

    def read(self) -> Registry:
        """Return all registered APIs by their id."""
        if not self.file.exists():
            return {}
        found: Registry = json.loads(self.file.read_text())
        return found

    def write(self, registry: Registry) -> None:
        """Replace the list, and give the guards the rights that it asks for: sessions, or logs alone."""
        self.file.write_text(json.dumps(registry, indent=2, sort_keys=True) + "\n")
        asked = any(api["revocation"] != "stateless" for api in registry.values())
        self._choose_policies(sessions=asked)

    def offer(self, stage: str, scopes: Iterable[str]) -> list[str]:
        """Let logins of a stage ask for scopes; return those that they could not ask for until now."""
        return self._change(stage, lambda offered: [*offered, *(scope for scope in scopes if scope not in offered)])

    def withhold(self, stage: str, scopes: Iterable[str]) -> list[str]:
        """Let logins of a stage ask for scopes no more; return those that they could ask for until now."""
        return self._change(stage, lambda offered: [scope for scope in offered if scope not in scopes])

    def _change(self, stage: str, change: Callable[[list[str]], list[str]]) -> list[str]:
        path = self.project / ".chalice" / "config.json"
        config = json.loads(path.read_text())
        whole = config["stages"][stage]
        own = whole["lambda_functions"]["api_handler"].setdefault("environment_variables", {})
        shared = whole.get("environment_variables", {})
        variables = shared if "LATCHKEY_SCOPES" in shared and "LATCHKEY_SCOPES" not in own else own
        offered = variables.get("LATCHKEY_SCOPES", "account").split()
        changed = change(offered)
        variables["LATCHKEY_SCOPES"] = " ".join(changed)
        if changed != offered:
            path.write_text(json.dumps(config, indent=2) + "\n")
        return sorted(set(offered) ^ set(changed))

    def _choose_policies(self, *, sessions: bool) -> None:
        path = self.project / ".chalice" / "config.json"
        config = json.loads(path.read_text())
        for stage, part in config["stages"].items():
            for guard in GUARDS:
                kind = f"{guard}-sessions" if sessions else guard
                part["lambda_functions"][guard]["iam_policy_file"] = f"policy-{kind}-{stage}.json"
        path.write_text(json.dumps(config, indent=2) + "\n")


def scope_map(file: Path) -> openapi_scopes.Reading:
    """Read a scope map, or the scopes in an OpenAPI document, from JSON or YAML."""
    try:
        document = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CannotRegisterError(f"{file} cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise CannotRegisterError(f"{file} is neither a scope map nor an OpenAPI document.")
    if openapi_scopes.is_openapi(document):
        return openapi_scopes.read(document)
    if not all(isinstance(part, str) for entry in document.items() for part in entry):
        raise CannotRegisterError(f'{file} must be like {{"GET /notes": "notes:read"}}.')
    return openapi_scopes.Reading(scopes=document, public=())


def entry(
    *, name: str, scopes: Mapping[str, str], revocation: str, answer: str, audience: str | None, dpop: bool = False
) -> dict[str, Any]:
    """Return an API's entry in the register; raise CannotRegisterError unless the guard can keep its promise."""
    found = _problems(scopes, answer)
    if found:
        raise CannotRegisterError("\n".join(found))
    named: dict[str, Any] = {} if audience is None else {"audience": audience}
    proofs = {"dpop": True} if dpop else {}
    return {"name": name, "revocation": revocation, "answer": answer, "scopes": dict(scopes), **named, **proofs}


def _problems(scopes: Mapping[str, str], answer: str) -> list[str]:
    if not scopes:
        return ["No route needs a scope: there is nothing to guard."]
    if strange := [each for each in scopes_domain.needed(scopes) if not scopes_domain.TOKEN.fullmatch(each)]:
        return [f"{each!r} is no scope that a token could have." for each in strange]
    if answer == "policy":
        return policy.problems(scopes)
    # A simple answer is for one route, so it need not be told in one policy for all of them.
    try:
        policy.routes(scopes)
    except ValueError as error:
        return [f"{error}."]
    return []


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


def needed(api: Mapping[str, Any]) -> set[str]:
    """All scopes that some route of an API needs."""
    return set(scopes_domain.needed(api.get("scopes", {})))


def warnings(api: Mapping[str, Any], stage: Stage) -> list[str]:
    """What would keep every token of a login away from this API in one stage, a line each."""
    # There are no settings without an issuer; which one does not matter here.
    offered = load({"LATCHKEY_ISSUER": UNKNOWN_ISSUER, **stage.environment()}).scopes
    found = []
    if missing := sorted(needed(api).difference(offered)):
        found.append(
            f"No login can ask for {', '.join(missing)} in the stage {stage.name}: put what is missing into "
            "LATCHKEY_SCOPES of its api_handler in .chalice/config.json."
        )
    if audience := api.get("audience"):
        found.append(
            f"Only tokens whose `aud` is {audience} are let in; those of the JSON login carry LATCHKEY_AUDIENCE, "
            "which is the issuer unless it is set."
        )
    return found


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
    parser = argparse.ArgumentParser(prog="python -m local.apis", description=__doc__)
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
