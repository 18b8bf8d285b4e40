"""Codes that one writes down, each good once, for who has lost every other factor. They stand in for one, and need none."""

from ....domain.accounts.model import EnrolledFactor, User
from ....domain.authentication import typed_codes
from ....domain.authentication.attempt import Attempt
from ....domain.authentication.model import Proof
from ....domain.errors import InvalidCredentials
from ....domain.versioned import Record
from ....services import Services
from ...platform import audit
from ...platform.ids import new_id
from .factor import Factor, encode

NAME = "recovery_code"
AMR = ("otp",)  # RFC 8176 has no other word for a code that is good once
MOST = 10


class RecoveryCodesRecord(Record, frozen=True):
    """All that is kept of them is their digests, beside this."""


def new_codes(svc: Services, user: User) -> tuple[EnrolledFactor, list[str]]:
    """Ten new codes of an account, and what is kept of them; they are shown once, for nobody can read them again."""
    codes = [typed_codes.new_recovery_code() for _ in range(MOST)]
    digests = frozenset(typed_codes.recovery_code_digest(code, uid=user.uid) for code in codes)
    factor = EnrolledFactor(
        uid=user.uid,
        kind=NAME,
        id=new_id(),
        name="",
        created_at=svc.now(),
        record=encode(RecoveryCodesRecord()),
        codes=digests,
    )
    return factor, codes


def codes_left(factor: EnrolledFactor) -> int | None:
    """How many codes of a factor have not been used; None for one of another kind."""
    return len(factor.codes) if factor.kind == NAME else None


def _verify(svc: Services, _: Attempt, user: User, answer: str) -> Proof:
    digest = typed_codes.recovery_code_digest(answer, uid=user.uid)
    for enrolled in svc.factors.of_user(user, NAME):
        if digest in enrolled.codes and svc.factors.use_code(enrolled, digest, now=svc.now()):
            audit.record(svc, user.uid, audit.event(svc, "recovery_code_used", factor=NAME))
            return Proof(NAME, AMR, svc.now())
    raise InvalidCredentials(reason="wrong or used recovery code", uid=user.uid)


FACTOR = Factor(name=NAME, amr=AMR, verify=_verify, raises_level=False, stands_in=True)
