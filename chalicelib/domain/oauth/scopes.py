import re
from collections.abc import Mapping

from ..errors import InvalidScope

# RFC 6749 appendix A.4, less what would be awkward in a log or a policy. Compiled where it is used: the guard needs neither.
TOKEN = r"[A-Za-z0-9!#%&'()*+,\-./:;<=>?@\[\]^_`{|}~]{1,128}"
LIST = r"[\x20\x21\x23-\x5b\x5d-\x7e]*"  # of any names that the RFC knows
MAX_SCOPES = 50
OFFLINE_ACCESS = "offline_access"  # OpenID Connect Core 11


def parse(text: str) -> tuple[str, ...]:
    """The scopes of a space-separated list (RFC 6749 section 3.3), each once, in order; raises InvalidScope."""
    scopes = tuple(dict.fromkeys(text.split(" "))) if text else ()
    if len(scopes) > MAX_SCOPES or not all(re.fullmatch(TOKEN, scope) for scope in scopes):
        raise InvalidScope("`scope` must be a list of scope names with single spaces between them.")
    return scopes


def narrow(requested: str | None, *, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The requested scopes, or all that are allowed where none are asked for; raises InvalidScope for any other."""
    if requested is None:
        return allowed
    scopes = parse(requested)
    if not scopes or not set(scopes) <= set(allowed):
        raise InvalidScope(f"`scope` has what was not granted, or is none of the client's: {_excess(scopes, allowed)}.")
    return scopes


def _excess(scopes: tuple[str, ...], allowed: tuple[str, ...]) -> str:
    return " ".join([scope for scope in scopes if scope not in allowed][:5]) or "nothing else is left"


def narrow_leniently(requested: str | None, *, allowed: tuple[str, ...], default: tuple[str, ...]) -> tuple[str, ...]:
    """As `narrow`, but passing over what is not allowed as long as something is left (OpenID Connect Core 3.1.2.1).

    Where none are asked for it is the `default`, which has to have one.
    """
    if requested is None:
        if not default:
            raise InvalidScope("`scope` is missing, and the client is registered for none.")
        return default
    permitted = frozenset(allowed)
    scopes = tuple(scope for scope in dict.fromkeys(requested.split(" ")) if scope in permitted)
    if not re.fullmatch(LIST, requested) or not scopes:
        raise InvalidScope()
    return scopes


def without_unknown(requested: str, *, known: frozenset[str]) -> str:
    """A list without the names that nothing here knows; raises InvalidScope if no other is left."""
    names = requested.split(" ")
    left = " ".join(name for name in names if name in known or not name)  # what is no list stays none
    if not re.fullmatch(LIST, requested) or not left:
        raise InvalidScope()
    return left


def needed(scope_map: Mapping[str, str]) -> tuple[str, ...]:
    """All scopes that some route of a scope map needs, each once."""
    return tuple(dict.fromkeys(" ".join(scope_map.values()).split()))


def common(these: tuple[str, ...], those: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes that both have, in the order of the first."""
    return tuple(scope for scope in these if scope in those)
