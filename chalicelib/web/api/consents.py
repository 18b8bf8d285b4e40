"""The JSON API's consents: the applications that its user has allowed, listed and taken back."""

import msgspec

from ...domain import errors
from ...flows.accounts import apps
from ...services import Services
from ..http.routing import Api, Caller
from .caller import GUARDED, current

api = Api(__name__)


class Consent(msgspec.Struct, frozen=True):
    """An application and what it may do, at whichever API; times are seconds since 1970, 0 where not known."""

    id: str
    client_id: str
    client_name: str
    scope: str
    agreed_at: int
    last_used_at: int


class Consents(msgspec.Struct, frozen=True):
    """All of a user, the latest first."""

    consents: list[Consent]


@api.route("GET /me/consents", answer=Consents, errors=GUARDED)
def list_consents(svc: Services, caller: Caller) -> Consents:
    """The applications that the caller has allowed to use the account, and what each may do."""
    user, _ = current(svc, caller)
    return Consents(
        [
            Consent(
                id=each.id,
                client_id=each.client_id,
                client_name=each.name,
                scope=" ".join(each.scopes),
                agreed_at=each.agreed_at,
                last_used_at=each.last_used_at,
            )
            for each in apps.list_apps(svc, user)
        ]
    )


@api.route("DELETE /me/consents/{consent_id}", status=204, errors=(*GUARDED, errors.NotFound))
def revoke_consent(svc: Services, caller: Caller, consent_id: str) -> None:
    """Takes back what one application may do, and ends its sessions. It has to ask again."""
    user, _ = current(svc, caller)
    apps.revoke_by_id(svc, user, consent_id, network=caller.network)
