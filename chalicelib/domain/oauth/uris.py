"""When two URIs are the same (RFC 3986 section 6)."""

import re
from collections.abc import Iterable

PARTS = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://(?:([^/?#]*)@)?(\[[^\]/?#]*\]|[^:/?#]*)(?::([0-9]*))?(/[^?#]*)?([?#].*)?", re.DOTALL
)
ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
LONGEST = 2000  # characters; to find what a longer one is equivalent to would cost more the longer it is
DEFAULT_PORTS = {"https": "443", "http": "80"}


def normal(uri: str) -> str:
    """The one spelling of all URIs that are equivalent to this one (sections 6.2.2, 6.2.3); any other name as it is, and so
    is what is longer than any URI of ours."""
    found = PARTS.fullmatch(uri) if len(uri) <= LONGEST else None
    if not found:
        return uri
    scheme, user, host, port, path, rest = (part or "" for part in found.groups())
    scheme, host = scheme.lower(), _decoded(_decoded(host).lower())
    at = f"{_decoded(user)}@" if user else ""
    colon = f":{port}" if port and port != DEFAULT_PORTS.get(scheme) else ""
    return f"{scheme}://{at}{host}{colon}{_without_dots(_decoded(path or '/'))}{_decoded(rest)}"


def spelled(uri: str, known: Iterable[str]) -> str:
    """A URI as those that are known spell it; as it is, if it is none of them."""
    known = tuple(known)
    if uri in known:
        return uri
    asked = normal(uri)
    return next((each for each in known if normal(each) == asked), uri)


def _decoded(text: str) -> str:
    return ENCODED.sub(_one_decoded, text)


def _one_decoded(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if UNRESERVED.fullmatch(character) else found[0].upper()


def _without_dots(path: str) -> str:
    """Section 5.2.4."""
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if path.endswith(("/.", "/..")):
        kept.append("")
    return "/" + "/".join(kept)
