"""How strong a login was: the level (`acr`) that follows from what was proved (`amr`)."""

from collections.abc import Iterable
from enum import Enum

# Weakest first: a single factor, two of different kinds (NIST SP 800-63B), and a proof that resists phishing (OpenID
# Connect Extended Authentication Profile ACR Values 1.0).
AAL1, AAL2, PHR = LEVELS = ("aal1", "aal2", "phr")
SEVERAL = "mfa"  # RFC 8176: proofs of several kinds
# The code or link of a mail to the account's address, by which a login began. RFC 8176 has no name of its own for it, and
# tokens call it `otp`; here it is kept apart from the codes of a device.
EMAIL = "email"


class Kind(Enum):
    """What a factor is to its user."""

    KNOWLEDGE = "something that one knows"
    POSSESSION = "something that one has"
    INHERENCE = "something that one is"


# RFC 8176 section 2; what is not here (`user`, `geo`, `wia`…) is no factor.
KINDS = {
    **dict.fromkeys(("pwd", "pin", "kba"), Kind.KNOWLEDGE),
    # Of the password's kind: who reads the mail can have a new password, so the two together prove no more than one.
    EMAIL: Kind.KNOWLEDGE,
    **dict.fromkeys(("otp", "sms", "tel", "pop", "hwk", "swk", "sc"), Kind.POSSESSION),
    **dict.fromkeys(("fpt", "face", "iris", "retina", "vbm"), Kind.INHERENCE),
}
# Keys that sign what they see for one site alone. Such a key by itself, which may be anybody's who has it, is one factor.
RESISTS_PHISHING = frozenset({"hwk", "swk"})


def acr_of(amr: Iterable[str]) -> str:
    """The level of what was proved, "" where nothing was."""
    methods = set(amr)
    if SEVERAL in methods or _several_kinds(methods):
        return PHR if methods & RESISTS_PHISHING else AAL2
    return AAL1 if methods else ""


def united(*amrs: Iterable[str]) -> tuple[str, ...]:
    """The methods of several proofs, each once, with `mfa` where they are of different kinds."""
    methods = tuple(dict.fromkeys(method for amr in amrs for method in amr if method != SEVERAL))
    several = _several_kinds(methods) or any(SEVERAL in amr for amr in amrs)
    return (*methods, SEVERAL) if several else methods


def for_tokens(amr: Iterable[str]) -> list[str]:
    """The methods as tokens name them, each once."""
    return list(dict.fromkeys("otp" if method == EMAIL else method for method in amr))


def rank(acr: str) -> int:
    """The place of a level among all, 0 for none: a higher one includes those below it."""
    return LEVELS.index(acr) + 1 if acr in LEVELS else 0


def reaches(amr: Iterable[str], acr_values: Iterable[str]) -> bool:
    """Whether what was proved is of one of these levels, or of a higher one; of one that is not known it never is."""
    level = rank(acr_of(amr))
    return any(0 < rank(acr) <= level for acr in acr_values)


def _several_kinds(methods: Iterable[str]) -> bool:
    return len({KINDS[method] for method in methods if method in KINDS}) > 1
