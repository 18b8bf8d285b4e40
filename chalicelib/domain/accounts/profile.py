"""What an account says of its user."""

import re
from collections.abc import Mapping
from typing import NamedTuple

MAX_NAME = 200
# No control characters (Unicode's Cc) and no other line's end; for Python and for JSON Schema alike.
ONE_LINE = r"^(?![\s\S]*[\u0000-\u001f\u007f-\u009f\u2028\u2029])"
# Python's `$` is before a last line break as well.
_WHOLE = r"^(?!.*\n)"
URL = _WHOLE + r"(https?://[\x21-\x7e]+)?$"  # what products make a link of: no other scheme
DATE = _WHOLE + r"([0-9]{4}(-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?)?$"  # ISO 8601, or the year alone
ZONE = _WHOLE + r"([A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*)?$"  # of the IANA's database
LANGUAGE = _WHOLE + r"([A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*)?$"  # RFC 5646, which some write with `_`


class Syntax(NamedTuple):
    """What a claim may be: at most this long, of this pattern; "" is none."""

    description: str
    max_length: int = MAX_NAME
    pattern: str = ONE_LINE


# The standard claims of the scope `profile` (OpenID Connect Core 5.1) that a person says of themselves, beside the name.
# Here a claim is a line: route, store, userinfo, id_tokens and metadata follow.
CLAIMS: Mapping[str, Syntax] = {
    "given_name": Syntax("Given names."),
    "family_name": Syntax("Family names."),
    "middle_name": Syntax("Middle names."),
    "nickname": Syntax("What friends call the user."),
    "preferred_username": Syntax("What the user wants to be called at products. Others may be called the same."),
    "profile": Syntax("The URL of a page about the user, http or https.", 2000, URL),
    "picture": Syntax("The URL of a picture of the user, http or https.", 2000, URL),
    "website": Syntax("The URL of the user's website, http or https.", 2000, URL),
    "gender": Syntax("The user's gender.", 100),
    "birthdate": Syntax("YYYY-MM-DD, 0000-MM-DD without the year, or YYYY.", 10, DATE),
    "zoneinfo": Syntax("A time zone, as Europe/Paris.", 100, ZONE),
    "locale": Syntax("A language, as en-GB.", 35, LANGUAGE),
}


def is_valid(member: str, text: str) -> bool:
    """Whether `name` or a claim may be this text; "" is none."""
    if member == "name":
        return is_name(text)
    claim = CLAIMS[member]
    return len(text) <= claim.max_length and re.search(claim.pattern, text) is not None


def is_name(text: str) -> bool:
    """Whether a user may be called so: on one line, and not endlessly."""
    return len(text) <= MAX_NAME and re.search(ONE_LINE, text) is not None
