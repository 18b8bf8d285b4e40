"""Codes of an app (RFC 6238), each good in one login."""

import secrets
from base64 import b32decode
from collections.abc import Mapping

from ....domain.accounts.model import EnrolledFactor, User
from ....domain.authentication import totp, typed_codes
from ....domain.authentication.attempt import Attempt
from ....domain.authentication.model import Proof
from ....domain.authentication.user_agent import UserAgent
from ....domain.errors import InvalidCredentials
from ....domain.versioned import Record
from ....services import Services
from ...platform import sealing
from ...platform.ids import new_id
from .factor import Enrolment, Factor, decode, encode

NAME = "totp"
AMR = ("otp",)
PURPOSE = b"latchkey totp secret\x00"


class TotpRecord(Record, frozen=True, kw_only=True):
    """The secret of an app for codes, sealed for its account."""

    sealed_secret: str


def _begin(svc: Services, user: User, _: UserAgent) -> tuple[dict[str, str], dict[str, str]]:
    secret = secrets.token_bytes(totp.SECRET_BYTES)
    # With the id from here on it is one factor however often it is confirmed: two would take one code twice.
    state = {"secret": totp.text(secret), "id": new_id()}
    return state, _show(svc, user, state)


def _show(svc: Services, user: User, state: Mapping[str, str]) -> dict[str, str]:
    secret = b32decode(state["secret"])
    uri = totp.uri(secret, issuer=svc.settings.brand.name, account=user.email or user.name or user.uid)
    return {"secret": state["secret"], "uri": uri, "qr_svg": _qr_svg(uri)}


def _qr_svg(uri: str) -> str:
    import segno  # 6 ms, for the few requests that add a factor

    # The quiet zone of four modules is in the picture, for what is around it may be dark; it has no size, so that all of it
    # is there in whatever it is shown.
    picture = segno.make(uri, error="m", micro=False)
    svg: str = picture.svg_inline(border=4, light="#fff", dark="#000", omitsize=True)
    return svg


def _finish(svc: Services, user: User, state: Mapping[str, str], answer: str) -> tuple[EnrolledFactor, Proof]:
    secret = b32decode(state["secret"])
    step = totp.matching_step(secret, typed_codes.digits(answer), now=svc.now(), after=0)
    if step is None:
        raise InvalidCredentials("This code is wrong or too old.", reason="wrong totp", uid=user.uid)
    sealed = sealing.seal_for_good(svc, {"secret": state["secret"]}, purpose=_purpose(user))
    record = encode(TotpRecord(sealed_secret=sealed))
    # The code that confirms it is used up by that.
    factor = EnrolledFactor(
        uid=user.uid, kind=NAME, id=state["id"], name="", created_at=svc.now(), record=record, counter=step
    )
    return factor, Proof(NAME, AMR, svc.now())


def _verify(svc: Services, _: Attempt, user: User, answer: str) -> Proof:
    digits = typed_codes.digits(answer)
    for enrolled in svc.factors.of_user(user, NAME):
        sealed = decode(enrolled, TotpRecord).sealed_secret
        secret = b32decode(sealing.unseal_for_good(svc, sealed, purpose=_purpose(user))["secret"])
        step = totp.matching_step(secret, digits, now=svc.now(), after=enrolled.counter)
        if step is not None and svc.factors.use(enrolled, counter=step, now=svc.now()):
            return Proof(NAME, AMR, svc.now())
    raise InvalidCredentials(reason="wrong or used totp", uid=user.uid)


def _purpose(user: User) -> bytes:
    # Of one account: a secret that was copied into another one's item is none there.
    return PURPOSE + user.uid.encode()


FACTOR = Factor(
    name=NAME, amr=AMR, verify=_verify, enrolment=Enrolment(_begin, _finish, most=3, show=_show), is_number=True
)
