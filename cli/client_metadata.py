"""Metadata of clients as an operator types it: each value as the kind of thing that its name stands for."""

import difflib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from chalicelib.domain.oauth.claims import OPENID_SCOPES
from chalicelib.domain.oauth.client import CHOICES, KEPT_HERE, MAX_SECONDS, RULES, Client
from chalicelib.services import Services
from cli.errors import CannotRunError

URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#]+")
USUAL = asdict(Client(client_id=""))
# What is made and kept here nobody types.
NAMES = sorted(USUAL.keys() - set(KEPT_HERE))
MAX_CHARACTERS = 60


def metadata(pairs: Iterable[str]) -> dict[str, Any]:
    """Metadata as it was typed, `name=value` each; raises CannotRunError."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, value = _piece(*pair.partition("="))
        if name in values:
            raise CannotRunError(f"{name} is given twice: once, with spaces between the parts of a list.")
        values[name] = value
    return values


def _piece(name: str, equals: str, text: str) -> tuple[str, Any]:
    if name not in NAMES:
        raise CannotRunError(
            f"{name!r} is no metadata of a client{did_you_mean(name, NAMES)} Give name=value, of {', '.join(NAMES)}."
        )
    if not equals:
        raise CannotRunError(f"{name} has no value: give name=value.")
    check_letters(text, what=name)
    usual = USUAL[name]
    if isinstance(usual, bool):
        return name, _switch(name, text)
    if isinstance(usual, int):
        return name, _seconds(name, text)
    if isinstance(usual, dict):
        return name, _json(name, text)
    parts = tuple(text.split()) if isinstance(usual, tuple) else (text,)
    for each in parts:
        if each != usual:
            _one_of(each, CHOICES.get(name, (each,)), what=f"{name}={each}")
        if re.search(",[a-z]+://", each):
            raise CannotRunError(f"{_abbreviated(name, each)}: between the parts of a list are spaces, not commas.")
    return name, parts if isinstance(usual, tuple) else text


def check_scopes(svc: Services, named: Mapping[str, Any], *, earlier: Iterable[str] = ()) -> None:
    """Raises CannotRunError for a scope that no login can ask for and no API needs: it is most likely misspelt."""
    known = {*OPENID_SCOPES, *svc.settings.known_scopes, *earlier}
    for scope in named.get("scopes", ()):
        if scope not in known:
            raise CannotRunError(
                f"scopes={scope}: nothing here knows it{did_you_mean(scope, known)} "
                f"There are {', '.join(sorted(known))}; --new-scopes takes others."
            )


def check_resources(svc: Services, named: Mapping[str, Any]) -> None:
    """Raises CannotRunError for what no request can name: it is no URI (RFC 8707), nor what an API here is called."""
    for each in named.get("resources", ()):
        if not URI.fullmatch(each) and each not in svc.settings.audiences:
            raise CannotRunError(f"resources={each}: it is a URI without a fragment, like https://api.example.")


def check_letters(text: str, *, what: str) -> None:
    """Raises CannotRunError for what a shell passed on and no text is: bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CannotRunError(f"{what} is not in UTF-8: {text!a}.") from None


def _switch(name: str, text: str) -> bool:
    if text not in ("yes", "no"):
        raise CannotRunError(f"{_abbreviated(name, text)}: it is yes or no.")
    return text == "yes"


def _seconds(name: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) > MAX_SECONDS[name]:
        raise CannotRunError(
            f"{_abbreviated(name, text)}: it is seconds, a whole number up to {MAX_SECONDS[name]}; 0 is the server's own."
        )
    return int(text)


def _json(name: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise CannotRunError(f"{_abbreviated(name, text)}: it is JSON, {RULES[name].text}.")
    return value


def _one_of(value: str, choices: Collection[str], *, what: str) -> None:
    """Raises CannotRunError for a value that is none of the choices, with the one that was probably meant."""
    if value not in choices:
        raise CannotRunError(
            f"{what}: there is no such{did_you_mean(value, choices)} There are {', '.join(sorted(choices))}."
        )


def did_you_mean(value: str, choices: Collection[str]) -> str:
    """What ends the sentence about a value that is none of the choices: a question, where one of them is like it."""
    inside = [each for each in choices if len(value) > 3 and value in each]
    near = inside or difflib.get_close_matches(value, choices, n=1)
    return f"; did you mean {near[0]}?" if near else "."


def _abbreviated(name: str, text: str) -> str:
    return f"{name}={text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + '…'}"
