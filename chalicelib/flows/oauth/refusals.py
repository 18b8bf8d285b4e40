"""What a hook of the operator's own refuses, in OAuth's words."""

import re

from ...domain.errors import AccessDenied, Refused

NOT_IN_A_DESCRIPTION = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")  # RFC 6749 section 5.2


def access_denied(refused: Refused) -> AccessDenied:
    """The refusal with the operator's text, where the protocol has a place for all of its characters."""
    spelt = not NOT_IN_A_DESCRIPTION.search(refused.description)
    return AccessDenied(refused.description if spelt else Refused.default, reason=refused.reason, uid=refused.uid)
