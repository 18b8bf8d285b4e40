"""What is the matter with a client: its last refusals, what holds for it, and what of it can't work."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chalicelib.domain.oauth.client import Client
    from chalicelib.services import Services

COSTS = {
    "require_pkce": "who steals a code on its way can have it redeemed in a session of the thief's own",
    "require_nonce": "with neither challenge nor nonce, nothing binds a code to who asked for it",
}
PROFILE = (
    "security_profile=fapi2: it pushes its requests, authenticates by private_key_jwt to the issuer as the one `aud`, "
    "sends DPoP proofs, and signs by PS256, ES256 or EdDSA; its refresh tokens stay the same."
)
DEMANDS = {
    "must_push": "It has to push its authorization requests (RFC 9126).",
    "must_bind": "It has to send DPoP proofs (RFC 9449).",
    "require_signed_request_object": "It has to sign its authorization requests (RFC 9101).",
}


def of_document(svc: "Services", client_id: str) -> "Client | None":
    """Give the client that a document describes, fetched if need be; raises CannotRunError for what is wrong with it."""
    from chalicelib.flows.clients import documents
    from chalicelib.flows.platform import limits
    from cli.errors import CannotRunError

    client = documents.find(svc, client_id, network=limits.OPERATORS)
    why = "" if client else documents.why_not(svc, client_id)
    if why:
        raise CannotRunError(f"The document at {client_id} is no good here: {why}")
    return client


def diagnose(svc: "Services", client: "Client", *, product: str | None = None) -> dict[str, Any]:
    """Give all that is known of what goes wrong with a client, as JSON has it; times are UTC."""
    return {
        "client_id": client.client_id,
        "client_name": client.client_name,
        "refusals": list(_refusals(svc, client)),
        "holds": list(_holds(client)),
        "warnings": [*warnings(svc, client), *(_differences(client, product) if product else ())],
    }


def text(diagnosis: dict[str, Any]) -> str:
    """Give a diagnosis as a terminal shows it."""
    refusals = [
        f"{each['at']}  {each['reason']}{_about(each['setting'])}\n  {each['words']}\n  {each['way_out']}"
        for each in diagnosis["refusals"]
    ]
    parts = {
        "Refused in the last day (UTC, the latest of each kind):": refusals or ["No refusal is known."],
        "What holds:": diagnosis["holds"] or ["Nothing beyond the usual."],
        "Warnings:": diagnosis["warnings"] or ["Nothing is wrong with its settings."],
    }
    return "\n\n".join("\n".join([heading, *lines]) for heading, lines in parts.items())


def _about(setting: str) -> str:
    return f" ({setting})" if setting else ""


def _refusals(svc: "Services", client: "Client") -> Iterator[dict[str, str]]:
    from chalicelib.domain.oauth.causes import CAUSES
    from chalicelib.flows.clients import refusals

    for reason, at in refusals.of_client(svc, client).items():
        moment = datetime.fromtimestamp(at, UTC)
        yield {"reason": reason, "at": f"{moment:%Y-%m-%d %H:%M:%S}", **CAUSES[reason]._asdict()}


def _holds(client: "Client") -> Iterator[str]:
    if client.fapi:
        yield PROFILE
    else:
        yield from (demand for name, demand in DEMANDS.items() if getattr(client, name))
    yield from (f"{name}=no: {COSTS[name]}." for name in client.waivers)


def _differences(client: "Client", product: str) -> Iterator[str]:
    from cli import client_metadata, recipes

    recipe = recipes.read(product)
    for name, value in client_metadata.metadata(
        f"{name}={value}" for name, value in recipe.client.items() if "<url>" not in value
    ).items():
        has = getattr(client, name)
        if not set(value) <= set(has) if isinstance(value, tuple) else value != has:
            yield f"{recipe.title} needs {name}={recipe.client[name]}."


def warnings(svc: "Services", client: "Client") -> list[str]:
    """Give what keeps a client from what it is registered for, each with the way out."""
    return [*_refused_by_now(svc, client), *(problem for problem, is_one in _problems(svc, client).items() if is_one)]


def _refused_by_now(svc: "Services", client: "Client") -> Iterator[str]:
    """What would be refused if it were registered today, which no earlier release looked at."""
    from chalicelib.domain.errors import LatchkeyError
    from chalicelib.flows.clients import manage

    try:
        manage.check(svc, client)
    except LatchkeyError as refusal:
        yield f"It would be refused today: {refusal.description}"


def _problems(svc: "Services", client: "Client") -> dict[str, bool]:
    from chalicelib.domain.oauth.claims import OPENID_SCOPES, of_scopes
    from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, CODE, REFRESH
    from chalicelib.domain.oauth.scopes import OFFLINE_ACCESS

    change, scopes = f"./latchkey clients change {client.client_id}", set(client.scopes)
    unknown = scopes - set(OPENID_SCOPES) - svc.settings.known_scopes
    shut = [name for name in client.id_token_claims if name not in of_scopes(client.scopes)]
    return {
        f"It has no scopes, so it gets no token: {change} scopes=openid": not scopes,
        f'Nothing gives it a first refresh token: {change} "grant_types={CODE} {REFRESH}"': (
            client.grant_types == (REFRESH,)
        ),
        "It has no scope of its own for client_credentials: those of users are left out there.": (
            CLIENT_CREDENTIALS in client.grant_types and bool(scopes) and scopes <= set(OPENID_SCOPES)
        ),
        f"It gets no refresh token for `openid` without the scope offline_access: {change} scopes=…": (
            REFRESH in client.grant_types
            and "openid" in scopes
            and OFFLINE_ACCESS not in scopes
            and not client.first_party
        ),
        f"No API here knows the scopes {' '.join(sorted(unknown))}.": bool(unknown),
        f"No scope of its own opens the id_token_claims {' '.join(shut)}.": bool(shut),
        f"It has no secret: ./latchkey clients rotate-secret {client.client_id}": (
            client.token_endpoint_auth_method.startswith("client_secret") and not client.secrets
        ),
        "backchannel_logout_session_required is of no use without backchannel_logout_uri.": (
            client.backchannel_logout_session_required and not client.backchannel_logout_uri
        ),
    }
