"""The APIs that the local run serves behind the guard: the notes example, and one of the developer's own."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy import openapi_scopes, registered_apis

EXAMPLE = Path(__file__).parents[1] / "examples" / "notes"


class CannotServe(Exception):
    """Something stands in the way; the message says what, in one line."""


@dataclass(frozen=True)
class Api:
    """An API: its name, the folder of its Chalice app or the URL of its server, and what its routes need."""

    name: str
    target: str
    scopes: dict[str, str]
    public: tuple[str, ...] = ()
    acr: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path | None:
        """The app's folder, if it is one."""
        return None if "://" in self.target else Path(self.target)


def notes() -> Api:
    """Return the example."""
    reading = registered_apis.scope_map(EXAMPLE / "scopes.json")
    return Api("notes", str(EXAMPLE), reading.scopes, acr=reading.acr)


def of_the_developer(*, app: Path | None, upstream: str | None, scopes: Path | None, name: str | None) -> Api | None:
    """Return the developer's own API, if one was asked for; raise CannotServe where it makes no sense."""
    if app is None and upstream is None:
        if scopes is not None:
            raise CannotServe(
                "SCOPES= is a scope map, of which API? name its folder with APP=, or its URL with UPSTREAM="
            )
        return None
    if app is not None and upstream is not None:
        raise CannotServe("APP= and UPSTREAM= are two APIs, and there is room for one")
    target = _url(upstream) if app is None else str(folder_of(app))
    called = name or ("upstream" if app is None else app.resolve().name)
    if not registered_apis.API_ID.fullmatch(called) or called in {"latchkey", "notes", "mcp"}:
        raise CannotServe(f"the API cannot be called {called!r} here: choose a name with NAME=")
    reading = read(scopes, app)
    return Api(called, target, reading.scopes, reading.public, reading.acr)


def _url(upstream: str | None) -> str:
    place = urlsplit(upstream or "")
    if place.scheme not in {"http", "https"} or not place.hostname or place.query or place.fragment:
        raise CannotServe(f"UPSTREAM={upstream} is not the URL of a server, like http://127.0.0.1:3000")
    return place.geturl()


def folder_of(app: Path) -> Path:
    """Return the folder of a Chalice app, in full; raise CannotServe where it is none."""
    if not (app / "app.py").is_file():
        raise CannotServe(f"APP={app} is not the folder of a Chalice app: it has no app.py")
    return app.resolve()


def read(scopes: Path | None, app: Path | None) -> openapi_scopes.Reading:
    """Read the scope map: by a path from the app's folder, where it is scopes.json unless told otherwise, or from here."""
    file = scopes or Path("scopes.json")
    if scopes is None and app is None:
        raise CannotServe("SCOPES= is missing: a file that says which route needs which scope")
    if app is not None and (scopes is None or (app / scopes).exists()):
        file = app / file
    try:
        reading = registered_apis.scope_map(file)
        _entry("own", reading.scopes, reading.acr)
    except (registered_apis.CannotRegisterError, openapi_scopes.CannotExpressError) as error:
        raise CannotServe(re.sub(r"\s+", " ", str(error)).rstrip(".")) from None
    return reading


def registry(served: Iterable[Api]) -> dict[str, Any]:
    """Return what a deployment would ship as its register of other APIs."""
    return {api.name: _entry(api.name, api.scopes, api.acr) for api in served}


def _entry(name: str, scopes: dict[str, str], acr: dict[str, str]) -> dict[str, Any]:
    return registered_apis.entry(
        name=name, scopes=scopes, acr=acr, revocation="stateless", answer="policy", audience=None
    )


def register(environment: dict[str, str], registry: dict[str, Any]) -> None:
    """Writes the register of APIs to where the server looks for it, and has their scopes among the server's own."""
    needed = [scope for api in registry.values() for scope in registered_apis.scopes(api)]
    environment["LATCHKEY_SCOPES"] = " ".join(
        dict.fromkeys([*environment.get("LATCHKEY_SCOPES", "account").split(), *needed])
    )
    Path(environment["LATCHKEY_APIS_FILE"]).write_text(json.dumps(registry, indent=2))
