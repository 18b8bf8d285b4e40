"""What a deployment brings of its own in files: its hooks, and the claims that it puts into tokens."""

import re
from collections.abc import Mapping
from typing import Any

from . import attributes, values
from .apis import PACKAGE, read_json
from .values import WrongSetting

HOOKS_FILE, CLAIMS_FILE = "hooks.py", "claims.json"
TOKENS = ("access_token", "id_token")
MAX_BYTES, MAX_DEPTH = 1024, 4
PLACE = re.compile(r"\{([a-z][a-z0-9_.]*)\}")
OF_PROFILE = (
    *("given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website"),
    *("gender", "birthdate", "zoneinfo", "locale"),
)
# What stands for something of the user, the client or the token; attributes are beside these.
PLACES = ("sub", "name", "email", "email_verified", *OF_PROFILE, "roles", "client_id", "client_name", "scope")

Template = Mapping[str, Any]


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings of what a deployment brings of its own."""
    folder = environ.get("LATCHKEY_CUSTOM_FOLDER") or f"{PACKAGE}/custom"
    return {
        "hooks_file": f"{folder}/{HOOKS_FILE}",
        "hook_seconds": values.number(environ, "LATCHKEY_HOOK_MILLISECONDS", 2000, lowest=100, highest=3000) / 1000,
        "slow_hook_refuses": values.one_of(environ, "LATCHKEY_SLOW_HOOK", "refuse", "allow") == "refuse",
        "claims": claims(f"{folder}/{CLAIMS_FILE}", attributes.read(environ)),
    }


def claims(file: str, declared: attributes.Definitions) -> Mapping[str, Mapping[str, Template]]:
    """The templates of claims: by client, "" for all of them, then by the kind of token; raises WrongSetting."""
    try:
        content: Any = read_json(file)
    except ValueError as error:
        raise WrongSetting(f"{file} is no JSON: {error}") from None
    if content == {}:
        return {}
    if not isinstance(content, dict) or not isinstance(of_clients := content.pop("clients", {}), dict):
        raise WrongSetting(f'{file} must be an object with "access_token", "id_token" and "clients"')
    places = {*PLACES, *(f"attributes.{name}" for name in declared)}
    templates = {"": _templates(file, content, places)}
    for client_id, own in of_clients.items():
        templates[client_id] = _templates(file, own, places)
        for token in TOKENS:
            templates[client_id][token] = {**templates[""][token], **templates[client_id][token]}
    for each in templates.values():
        _check_sizes(file, each)
    return templates


def _templates(file: str, content: Any, places: set[str]) -> dict[str, Template]:
    if not isinstance(content, dict) or not all(isinstance(each, dict) for each in content.values()):
        raise WrongSetting(f"{file} has something that is no object of claims")
    if unknown := sorted(content.keys() - set(TOKENS)):
        raise WrongSetting(f"{file} has {unknown[0]!r}: there are {' and '.join(TOKENS)}, and clients")
    for template in content.values():
        for name, value in template.items():
            if name in attributes.RESERVED:
                raise WrongSetting(f"{file} cannot have {name!r}: that is a claim of its own")
            _check_value(file, name, value, places, depth=1)
    return {token: content.get(token, {}) for token in TOKENS}


def _check_value(file: str, name: str, value: Any, places: set[str], *, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise WrongSetting(f"{file} has {name!r} deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if unknown := sorted(set(PLACE.findall(value)) - places):
            known = ", ".join(sorted(places))
            raise WrongSetting(f"{file} has {{{unknown[0]}}} in {name!r}, which stands for nothing; there are {known}")
        if re.search(r"[{}]", PLACE.sub("", value)):
            raise WrongSetting(f"{file} has a brace in {name!r} that is not around the name of anything")
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            _check_value(file, name, each, places, depth=depth + 1)


def _check_sizes(file: str, templates: Mapping[str, Template]) -> None:
    import json  # which no cold start needs where there is no such file

    for token, template in templates.items():
        size = len(PLACE.sub("", json.dumps(template, separators=(",", ":"))))
        if size > MAX_BYTES:
            raise WrongSetting(f"{file} would take {size} bytes of an {token}, {MAX_BYTES} at most")
