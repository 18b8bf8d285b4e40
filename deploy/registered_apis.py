"""The register of other APIs that the guard protects, and what each of their routes needs."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chalicelib.config import load
from chalicelib.domain.guard import problems, routes
from chalicelib.domain.oauth import scopes as scopes_domain
from deploy import openapi_scopes
from deploy.deployed import UNKNOWN_ISSUER
from deploy.stages import GUARDS, PROJECT, Stage

REVOCATION = ("stateless", "bounded", "strict")
ANSWERS = ("policy", "simple")
TYPS = ("at+jwt", "JWT")
API_ID = re.compile(r"[A-Za-z0-9_-]+")
NAME = re.compile(r"[A-Za-z0-9._~-]+")  # in the address of its metadata

Registry = dict[str, dict[str, Any]]
OFFERED_SCOPES, OFFERED_RESOURCES = "LATCHKEY_SELF_REGISTERED_SCOPES", "LATCHKEY_SELF_REGISTERED_RESOURCES"
UNSET = load({"LATCHKEY_ISSUER": UNKNOWN_ISSUER})  # which issuer does not matter here
# What the lists of the settings have where a stage does not name them.
DEFAULTS = {
    "LATCHKEY_SCOPES": UNSET.scopes,
    OFFERED_SCOPES: UNSET.self_registered_scopes,
    OFFERED_RESOURCES: UNSET.self_registered_resources,
}


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
        registry: Registry = json.loads(self.file.read_text())
        return registry

    def write(self, registry: Registry) -> None:
        """Replace the list, and give the guards the rights that it asks for: sessions, or logs alone."""
        self.file.write_text(json.dumps(registry, indent=2, sort_keys=True) + "\n")
        sessions = any(api["revocation"] != "stateless" for api in registry.values())
        self._choose_policies(sessions=sessions)

    def offer(self, stage: str, words: Iterable[str], *, variable: str = "LATCHKEY_SCOPES") -> list[str]:
        """Let a list of a stage's settings, what logins may ask for, have more; return what it did not have until now."""
        return self._change(
            stage, variable, lambda offered: [*offered, *(word for word in words if word not in offered)]
        )

    def withhold(self, stage: str, words: Iterable[str], *, variable: str = "LATCHKEY_SCOPES") -> list[str]:
        """Take words out of a list of a stage's settings; return those that it had until now."""
        return self._change(stage, variable, lambda offered: [word for word in offered if word not in words])

    def _change(self, stage: str, variable: str, change: Callable[[list[str]], list[str]]) -> list[str]:
        path = self.project / ".chalice" / "config.json"
        config = json.loads(path.read_text())
        whole = config["stages"][stage]
        own = whole["lambda_functions"]["api_handler"].setdefault("environment_variables", {})
        shared = whole.get("environment_variables", {})
        variables = shared if variable in shared and variable not in own else own
        offered = variables[variable].split() if variable in variables else list(DEFAULTS[variable])
        changed = change(offered)
        variables[variable] = " ".join(changed)
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
    lines = {line: _line(needs) for line, needs in document.items() if isinstance(line, str)}
    if len(lines) < len(document) or None in lines.values():
        raise CannotRegisterError(
            f'{file} must be like {{"GET /notes": "notes:read", "POST /pay": {{"scope": "pay", "acr": "aal2"}}}}.'
        )
    read = {line: needs for line, needs in lines.items() if needs}
    return openapi_scopes.Reading(
        scopes={line: scopes for line, (scopes, _) in read.items()},
        acr={line: acr for line, (_, acr) in read.items() if acr},
    )


def _line(needs: object) -> tuple[str, str] | None:
    """The scopes and the level of one line of a scope map's file; None for what is neither."""
    match needs:
        case str(scopes):
            return scopes, ""
        case {"scope": str(scopes), "acr": str(acr), **more} if not more:
            return scopes, acr
    return None


def entry(
    *,
    name: str,
    scopes: Mapping[str, str],
    revocation: str,
    answer: str,
    audience: str | None,
    dpop: bool = False,
    typ: str = TYPS[0],
    access_token_claims: Iterable[str] = (),
    step_up_scopes: Iterable[str] = (),
    mcp: bool = False,
    acr: Mapping[str, str] | None = None,
    scope_descriptions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return an API's entry in the register; raise CannotRegisterError unless the guard can keep its promise.

    `step_up_scopes` are those that no route needs and that its handlers ask for by themselves, `acr` the levels that some
    routes need, `scope_descriptions` what people read of its scopes where the texts of the pages have nothing of them.
    """
    if problems := _problems(scopes, acr or {}, answer):
        raise CannotRegisterError("\n".join(problems))
    if typ != TYPS[0] and audience is None:
        raise CannotRegisterError(
            f"--typ {typ} needs an --audience of the API's own: tokens for Latchkey itself are always {TYPS[0]}."
        )
    options = {
        "audience": audience,
        "dpop": dpop,
        "typ": typ if typ != TYPS[0] else "",
        "access_token_claims": sorted(set(access_token_claims)),
        "step_up_scopes": list(step_up_scopes),
        "mcp": mcp,
        "acr": dict(acr or {}),
        "scope_descriptions": dict(scope_descriptions or {}),
    }
    required = {"name": name, "revocation": revocation, "answer": answer, "scopes": dict(scopes)}
    return {**required, **{option: value for option, value in options.items() if value}}


def check_same_tokens(registry: Registry, api_id: str, api: Mapping[str, Any]) -> None:
    """Raise CannotRegisterError where another API has the same audience, and so the same tokens, but wants other ones."""
    for other_id, other in registry.items() if "audience" in api else ():
        if other_id == api_id or other.get("audience") != api.get("audience"):
            continue
        for option in ("typ", "access_token_claims"):
            if other.get(option) != api.get(option):
                raise CannotRegisterError(
                    f"{other['name']} ({other_id}) has the same audience, so the same tokens, with another {option}: "
                    "give both the same, or this one an --audience of its own."
                )


def _problems(scopes: Mapping[str, str], acr: Mapping[str, str], answer: str) -> list[str]:
    if not scopes:
        return ["No route needs a scope: there is nothing to guard."]
    if strange := [each for each in scopes_domain.needed(scopes) if not re.fullmatch(scopes_domain.TOKEN, each)]:
        return [f"{each!r} is no scope that a token could have." for each in strange]
    if answer == "policy":
        return problems.problems(scopes, acr)
    # A simple answer is for one route, so it need not be told in one policy for all of them.
    try:
        routes.routes(scopes, acr)
    except ValueError as error:
        return [f"{error}."]
    return []


def scopes(api: Mapping[str, Any]) -> list[str]:
    """All scopes that a token for an API can be good for: those that routes need, and those that its handlers ask for."""
    return list(dict.fromkeys((*scopes_domain.needed(api.get("scopes", {})), *api.get("step_up_scopes", ()))))


def needed(api: Mapping[str, Any]) -> set[str]:
    """All scopes that some route of an API needs."""
    return set(scopes_domain.needed(api.get("scopes", {})))


def warnings(api: Mapping[str, Any], stage: Stage) -> list[str]:
    """What would keep every token of a login away from this API in one stage, a line each."""
    # There are no settings without an issuer; which one does not matter here.
    offered = load({"LATCHKEY_ISSUER": UNKNOWN_ISSUER, **stage.environment()}).scopes
    lines = []
    if missing := sorted(needed(api).difference(offered)) if not api.get("mcp") else []:
        lines.append(
            f"No login can ask for {', '.join(missing)} in the stage {stage.name}: put what is missing into "
            "LATCHKEY_SCOPES of its api_handler in .chalice/config.json."
        )
    if api.get("typ"):
        lines.append(
            "Its tokens have the `typ` JWT, as id tokens have: the API cannot tell them apart by it. Let it check that "
            "`aud` is its own and that `client_id` and `scope` are there, as the guard does."
        )
    if (audience := api.get("audience")) and not api.get("mcp"):
        lines.append(
            f"Only tokens whose `aud` is {audience} are let in; those of the JSON login carry LATCHKEY_AUDIENCE, "
            "which is the issuer unless it is set."
        )
    return lines
