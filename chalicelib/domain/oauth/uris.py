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


def normalise(uri: str) -> str:
    """The one spelling of all URIs that are equivalent to this one (sections 6.2.2, 6.2.3); any other name as it is, and so
    is what is longer than any URI of ours."""
    match = PARTS.fullmatch(uri) if len(uri) <= LONGEST else None
    if not match:
        return uri
    scheme, user, host, port, path, rest = (part or "" for part in match.groups())
    scheme, host = scheme.lower(), _decoded(_decoded(host).lower())
    at = f"{_decoded(user)}@" if user else ""
    colon = f":{port}" if port and port != DEFAULT_PORTS.get(scheme) else ""
    return f"{scheme}://{at}{host}{colon}{_without_dots(_decoded(path or '/'))}{_decoded(rest)}"


def registered_spelling(uri: str, registered: Iterable[str]) -> str:
    """The registered URI that is equivalent to this one; this one as it is, if there is none."""
    registered = tuple(registered)
    if uri in registered:
        return uri
    normalised = normalise(uri)
    return next((each for each in registered if normalise(each) == normalised), uri)


def _decoded(text: str) -> str:
    return ENCODED.sub(_one_decoded, text)


def _one_decoded(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if UNRESERVED.fullmatch(character) else match[0].upper()


def _without_dots(path: str) -> str:
    """Section 5.2.4."""
    output: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            output = output[:-1]
        elif segment != ".":
            output.append(segment)
    if path.endswith(("/.", "/..")):
        output.append("")
    return "/" + "/".join(output)
