from collections.abc import Mapping
from urllib.parse import urlsplit

from ...config import Settings

SESSION, FORM, ARRIVED, MISTAKE = "session", "form", "arrived", "mistake"


def read(settings: Settings, headers: Mapping[str, str], kind: str) -> str:
    """The value of one of our cookies, "" without it; whatever else a browser brings for this host is stepped over.

    Two values are as good as none: a neighbour of our domain can set the second one, and nothing says which is ours.
    """
    wanted = name_of(settings, kind)
    pairs = [pair.strip().partition("=") for pair in headers.get("cookie", "").split(";")]
    found = {value for name, _, value in pairs if name == wanted}
    return found.pop() if len(found) == 1 else ""


def write(settings: Settings, kind: str, value: str, *, seconds: int) -> str:
    """A Set-Cookie header for the browser's own pages here: out of reach of scripts, other sites' forms and plain http."""
    issuer = urlsplit(settings.issuer)
    secure = "; Secure" if issuer.scheme == "https" else ""
    return (
        f"{name_of(settings, kind)}={value}; Path={issuer.path or '/'}; Max-Age={seconds}; "
        f"HttpOnly; SameSite=Lax{secure}"
    )


def name_of(settings: Settings, kind: str) -> str:
    """`__Host-` where the issuer has no path, as its Path has to be /; `__Secure-` under a stage; plain on a laptop."""
    issuer = urlsplit(settings.issuer)
    if issuer.scheme != "https":
        return f"latchkey-{kind}"
    return f"__Secure-latchkey-{kind}" if issuer.path else f"__Host-latchkey-{kind}"
