"""The APIs that a client may have tokens for (RFC 8707), by its present registration."""

from ...domain.accounts.model import Session
from ...domain.authentication import policy
from ...domain.errors import InvalidTarget
from ...domain.oauth import client_rights, scopes, self_registered, uris
from ...domain.oauth.client import Client
from ...services import Services


def requested_resource(svc: Services, client: Client, resource: str) -> str:
    """The API that a request names (RFC 8707 section 2), "" for our own; raises InvalidTarget for none of the client's."""
    own = svc.settings.audience
    registered = uris.registered_spelling(resource or own, (own, *client.resources))
    if registered == own:
        return ""
    if registered not in client.resources:
        raise InvalidTarget(client_rights.NO_RESOURCE)
    return registered


def with_scopes_of(svc: Services, client: Client, resource: str) -> Client:
    """A client as it may ask for an API's scopes: one that nobody vouches for gets none that the API's map does not know."""
    known = svc.settings.scopes_of(resource)
    return client if known is None else self_registered.narrow_to_api(client, known)


def may_have_tokens_for(svc: Services, client: Client, resource: str) -> bool:
    """Whether an API, our own under either of its names, is one of a client's by its present registration."""
    own = svc.settings.audience
    return client_rights.may_have_tokens_for(client, resource or own, own_audience=own)


def scopes_in_force(svc: Services, client: Client, session: Session) -> tuple[str, ...]:
    """What of a session's scopes its tokens may have by now: what the client may, and what its login is strong enough for."""
    allowed = scopes.common(session.scope, client.scopes)
    return policy.granted_at(allowed, amr=session.amr, aal2_scopes=svc.settings.aal2_scopes)


def still_granted(svc: Services, client: Client, session: Session) -> bool:
    """Whether a client may still have what a session was granted: its API, and at least one of its scopes."""
    scope = scopes_in_force(svc, client, session)
    return may_have_tokens_for(svc, client, session.resource) and bool(scope or not session.scope)


def same_api(svc: Services, one: str, other: str) -> bool:
    """Whether two names are of the same API: our own has a name beside "", and may be asked for and stored under either."""
    own = svc.settings.audience
    return uris.normalise(one or own) == uris.normalise(other or own)
