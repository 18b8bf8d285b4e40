import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from ...config import Settings

SESSION, FORM, ARRIVAL, FORM_ERROR, ATTEMPT, DEVICE = "session", "form", "arrived", "mistake", "attempt", "device"
PASSKEY_OFFER = "passkey"
WORK = "work"
LANGUAGE = "language"
# What is in all of them: base64url, padded or not, with dots between.
WRITTEN = re.compile(r"[A-Za-z0-9_.=-]+")


def read(settings: Settings, headers: Mapping[str, str], kind: str) -> str:
    """The value of one of our cookies, "" without it; other cookies for this host are ignored.

    Two values count as none: another host of our domain can set the second one, and nothing says which is ours. So does one
    that we cannot have written, for some are sent back.
    """
    cookie = cookie_name(settings, kind)
    pairs = [pair.strip().partition("=") for pair in headers.get("cookie", "").split(";")]
    values = {value for name, _, value in pairs if name == cookie}
    value = values.pop() if len(values) == 1 else ""
    return value if WRITTEN.fullmatch(value) else ""


def write(settings: Settings, kind: str, value: str, *, seconds: int) -> str:
    """A Set-Cookie header for the browser's own pages here: out of reach of scripts, other sites' forms and plain http."""
    issuer = urlsplit(settings.issuer)
    secure = "; Secure" if issuer.scheme == "https" else ""
    return (
        f"{cookie_name(settings, kind)}={value}; Path={issuer.path or '/'}; Max-Age={seconds}; "
        f"HttpOnly; SameSite=Lax{secure}"
    )


def cookie_name(settings: Settings, kind: str) -> str:
    """`__Host-` where the issuer has no path, as its Path has to be /; `__Secure-` under a stage; plain on a laptop."""
    issuer = urlsplit(settings.issuer)
    if issuer.scheme != "https":
        return f"latchkey-{kind}"
    return f"__Secure-latchkey-{kind}" if issuer.path else f"__Host-latchkey-{kind}"
