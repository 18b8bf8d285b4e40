"""The JSON API's further factors of an account: listed, named, removed."""

from typing import Annotated

from msgspec import Meta, Struct

from ...domain import errors
from ...domain.accounts.model import EnrolledFactor
from ...domain.accounts.profile import ONE_LINE
from ...flows.authentication import enrolment
from ...services import Services
from ..http.routing import Api, Caller
from .bodies import Body
from .caller import GUARDED, current

api = Api(__name__)

FactorName = Annotated[str, Meta(max_length=100, pattern=ONE_LINE, description="What its owner calls it.")]


class Rename(Body, frozen=True):
    """What the owner of a factor calls it."""

    name: FactorName


class Factor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One further factor of the account; times are seconds since 1970."""

    id: str
    kind: Annotated[str, Meta(description="The name of the factor in `factors` of a login.")]
    name: str
    created_at: int
    last_used_at: Annotated[int, Meta(description="Left out if it was never used.")] = 0
    codes_left: Annotated[int, Meta(description="Of recovery codes: how many have not been used.")] | None = None


class Factors(Struct, frozen=True):
    """All further factors of the account, the oldest first."""

    factors: list[Factor]


@api.route("GET /me/factors", answer=Factors, errors=GUARDED)
def list_factors(svc: Services, caller: Caller) -> Factors:
    """The further factors of the caller's account."""
    user, _ = current(svc, caller)
    return Factors([_factor(each) for each in enrolment.list_factors(svc, user)])


@api.route("PATCH /me/factors/{factor_id}", status=204, body=Rename, errors=(*GUARDED, errors.NotFound))
def rename_factor(svc: Services, caller: Caller, body: Rename, factor_id: str) -> None:
    """Gives a factor another name."""
    user, _ = current(svc, caller)
    enrolment.rename(svc, user, factor_id, body.name)


@api.route(
    "DELETE /me/factors/{factor_id}",
    status=204,
    errors=(*GUARDED, errors.NotFound, errors.LoginRequired, errors.LastFactor),
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
        codes_left=len(factor.codes) if factor.kind == enrolment.RECOVERY_CODES else None,
    )
