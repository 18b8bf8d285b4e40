"""The JSON API's further factors of an account: listed, added, named, removed."""

from typing import Annotated

from msgspec import Meta, Struct

from ...domain import errors
from ...domain.accounts.model import EnrolledFactor
from ...flows.authentication import enrolment, policy
from ...flows.authentication.factors import recovery_code
from ...services import Services
from ..http.routing import Api, Caller
from .bodies import Body, FactorAnswer, Token
from .caller import GUARDED, current
from .enrolment_bodies import Begin, EnrolmentChallenge, NewName

api = Api(__name__)

FRESH = (*GUARDED, errors.LoginRequired)


class Rename(Body, frozen=True):
    """What the owner of a factor calls it."""

    name: NewName


class Confirm(Body, frozen=True):
    """The answer for what was shown, and what the factor is to be called."""

    token: Token
    answer: FactorAnswer
    name: NewName = ""


class RecoveryCodes(Struct, frozen=True):
    """Codes to be written down, each good once."""

    codes: list[str]


class Factor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One further factor of the account; times are seconds since 1970."""

    id: str
    kind: Annotated[str, Meta(description="The name of the factor in `factors` of a login.")]
    name: str
    created_at: int
    last_used_at: Annotated[int, Meta(description="Left out if it was never used.")] = 0
    codes_left: Annotated[int, Meta(description="Of recovery codes: how many have not been used.")] | None = None


class Factors(Struct, frozen=True):
    """All further factors of the account, the oldest first, and the kinds that can be added."""

    factors: list[Factor]
    kinds: tuple[str, ...]


@api.route("GET /me/factors", answer=Factors, errors=GUARDED)
def list_factors(svc: Services, caller: Caller) -> Factors:
    """The further factors of the caller's account."""
    user, _ = current(svc, caller)
    return Factors([_factor(each) for each in enrolment.list_factors(svc, user)], policy.possible_kinds(svc))


@api.route("POST /me/factors", body=Begin, answer=EnrolmentChallenge, errors=(*FRESH, errors.TooManyFactors))
def add_factor(svc: Services, caller: Caller, body: Begin) -> EnrolmentChallenge:
    """Begins to add a factor: gives what to show. Needs a login not older than five minutes, with all factors there are."""
    user, session = current(svc, caller)
    enrolment.check_fresh(svc, user, session, auth_time=caller.auth_time)
    pending = enrolment.begin(svc, user, caller.user_agent(), kind=body.kind, holder=session.session_id)
    return EnrolmentChallenge(pending.token, dict(pending.challenge))


@api.route(
    "POST /me/factors/confirm",
    status=201,
    body=Confirm,
    answer=Factor,
    errors=(
        *FRESH,
        errors.LoginExpired,
        errors.InvalidCredentials,
        errors.TooManyFactors,
        errors.TooManyRequests,
    ),
)
def confirm_factor(svc: Services, caller: Caller, body: Confirm) -> Factor:
    """Adds the factor by the answer for what was shown, in the session that began it, which has proved it by that."""
    user, session = current(svc, caller)
    enrolment.check_level(svc, user, session)
    factor, _ = enrolment.finish(
        svc,
        user,
        body.token,
        answer=body.answer,
        name=body.name,
        holder=session.session_id,
        session=session,
        agent=caller.user_agent(),
    )
    return _factor(factor)


@api.route("POST /me/factors/recovery-codes", status=201, answer=RecoveryCodes, errors=(*FRESH, errors.TooManyRequests))
def replace_recovery_codes(svc: Services, caller: Caller) -> RecoveryCodes:
    """Ten new recovery codes, shown this once; those from before are good no more. Needs a fresh login, as to add a factor."""
    user, session = current(svc, caller)
    codes = enrolment.replace_recovery_codes(svc, user, session, auth_time=caller.auth_time, language=caller.language)
    return RecoveryCodes(codes)


@api.route("PATCH /me/factors/{factor_id}", status=204, body=Rename, errors=(*GUARDED, errors.NotFound))
def rename_factor(svc: Services, caller: Caller, body: Rename, factor_id: str) -> None:
    """Gives a factor another name."""
    user, _ = current(svc, caller)
    enrolment.rename(svc, user, factor_id, body.name)


@api.route(
    "DELETE /me/factors/{factor_id}",
    status=204,
    errors=(*FRESH, errors.NotFound, errors.LastFactor, errors.TooManyRequests),
)
def remove_factor(svc: Services, caller: Caller, factor_id: str) -> None:
    """Removes a factor. Needs a login not older than five minutes, with all factors that the account has."""
    user, session = current(svc, caller)
    enrolment.remove(svc, user, session, factor_id, auth_time=caller.auth_time, language=caller.language)


def _factor(factor: EnrolledFactor) -> Factor:
    return Factor(
        id=factor.id,
        kind=factor.kind,
        name=factor.name,
        created_at=factor.created_at,
        last_used_at=factor.last_used_at,
        codes_left=recovery_code.codes_left(factor),
    )
