"""An API's scope map from its OpenAPI document: what `security` asks of each operation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.guard import routes
from chalicelib.domain.oauth import scopes as scopes_domain

METHODS = {name: name.upper() for name in ("get", "put", "post", "delete", "options", "head", "patch", "trace")}
METHODS["x-amazon-apigateway-any-method"] = routes.ANY
# What an operation says of the level that a token needs besides: OpenAPI itself has no word for it.
ACR = "x-acr"
MAX_DESCRIPTION = 200  # characters: it is one of up to fifty lines of a page
# Names that are not operations but may stand beside them in a path item.
BESIDE = ("parameters", "summary", "description", "servers")


class CannotExpressError(Exception):
    """The document asks for something that no single list of scopes says; the message names the operation."""


@dataclass(frozen=True)
class Reading:
    """The scope map, the operations that ask for no token and so are not in it, and the levels that some of it need.

    `descriptions` are what people read of the scopes on the consent page, as far as the document has something of them.
    """

    scopes: dict[str, str]
    public: tuple[str, ...] = ()
    acr: dict[str, str] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)


def is_openapi(document: Mapping[str, Any]) -> bool:
    """Tell an OpenAPI (or Swagger) document from a plain scope map."""
    return "openapi" in document or "swagger" in document


def read(document: Mapping[str, Any]) -> Reading:
    """Return what each operation needs; raise CannotExpressError for what a scope map cannot hold."""
    scopes: dict[str, str] = {}
    acr: dict[str, str] = {}
    public: list[str] = []
    default = document.get("security", [])
    for line, operation in _operations(document):
        needed = _needed(line, operation.get("security", default))
        if needed:
            scopes[line] = needed
        else:
            public.append(line)
        if level := operation.get(ACR, ""):
            if not needed or not isinstance(level, str):
                raise CannotExpressError(f"{line}: `{ACR}` is one level of an operation that names a scope.")
            acr[line] = level
    needed_scopes = scopes_domain.needed(scopes)
    described = {name: text for name, text in _descriptions(document) if name in needed_scopes}
    return Reading(scopes=scopes, public=tuple(public), acr=acr, descriptions=described)


def _descriptions(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the security schemes of OAuth say of their scopes; the first line of it, for that is all a list has room for."""
    schemes = document.get("components", {}).get("securitySchemes", document.get("securityDefinitions", {}))
    for scheme in schemes.values():
        for flow in (*scheme.get("flows", {}).values(), scheme):  # Swagger has them beside the flow's name
            for name, text in (flow.get("scopes") or {}).items() if isinstance(flow, Mapping) else ():
                if line := str(text or "").strip().partition("\n")[0].strip()[:MAX_DESCRIPTION]:
                    yield name, line


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            if method in METHODS:
                yield f"{METHODS[method]} {path}", operation
            elif method not in BESIDE and method != "x-amazon-apigateway-cors":
                raise CannotExpressError(f"{path}: {method!r} is not a method; write each operation out.")


def _needed(line: str, security: list[Mapping[str, list[str]]]) -> str:
    """All schemes of one requirement are needed together, and so are all of their scopes."""
    if not security:
        return ""
    if len(security) > 1:
        raise CannotExpressError(f"{line}: alternatives in `security` cannot be guarded; leave one requirement.")
    (requirement,) = security
    scopes = dict.fromkeys(scope for scopes_of_scheme in requirement.values() for scope in scopes_of_scheme)
    if not scopes:
        raise CannotExpressError(f"{line}: `security` names no scope; name one, or make it [] for a public route.")
    return " ".join(scopes)
