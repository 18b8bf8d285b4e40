from collections.abc import Mapping
from dataclasses import replace

from ....domain.accounts.events import SERVER
from ....domain.accounts.model import Session, in_force
from ....domain.crypto import handles
from ....domain.errors import InvalidGrant, InvalidRequest, InvalidTarget
from ....domain.oauth import pkce
from ....domain.oauth.client import CODE, Client
from ....services import Services
from ...authentication import policy
from ...sessions import ending, issue, lifetimes, resources, session_handles
from ...sessions.issue import TokenSet
from .. import dpop
from ..token_request import TokenRequest

GRANT_TYPE = CODE
UNKNOWN_CODE = "The code is unknown, or was issued to another client, redirect URI, verifier or key."
PARAMETERS = frozenset({"code", "redirect_uri", "code_verifier", "resource"})


def redeem(svc: Services, client: Client, request: TokenRequest) -> TokenSet:
    """RFC 6749 section 4.1.3 with RFC 7636: only the code's own client with its own verifier spends it, and once."""
    params, proof = request.params, request.proof
    if "code" not in params:
        raise InvalidRequest("`code` is missing.")
    try:
        keyset, handle = session_handles.decode_handle(svc, params["code"], handles.CODE)
    except InvalidGrant as error:
        raise InvalidGrant(UNKNOWN_CODE, reason=error.reason) from None
    user, session = svc.sessions.with_user(handle.uid, handle.session_id)
    misuse = _misuse(session, client, params, proof.jkt) if session else "unknown code"
    if session is None or misuse:
        raise InvalidGrant(UNKNOWN_CODE, reason=misuse)
    dpop.spend_proof(svc, proof)
    if not session.waiting:
        raise _end_replayed_session(svc, session)
    user_and_session = in_force(user, session, svc.now())
    if user_and_session is None:
        raise InvalidGrant("The code has expired.", reason="code expired", uid=session.uid)
    user, session = user_and_session
    _check_granted(svc, client, session)
    if not resources.same_api(svc, params.get("resource", session.resource), session.resource):
        raise InvalidTarget("`resource` is another than the code was issued for.")
    # RFC 9449 section 5: a confidential client's refresh tokens need no key.
    refresh_jkt = proof.jkt if client.public else ""
    started_session = replace(session, generation=1, jkt=refresh_jkt)
    token_set = issue.issue(svc, keyset, user, started_session, client, nonce=session.nonce, jkt=proof.jkt)
    if client.backchannel_logout_uri and session.browser:
        svc.sessions.add_logout_participant(session, by_session=client.told_of_sessions)
    life = lifetimes.idle_seconds(svc, client) if token_set.refresh_token else token_set.expires_in
    if not svc.sessions.redeem_code(
        session, jkt=refresh_jkt, now=svc.now(), expires_at=min(svc.now() + life, session.ends_at)
    ):
        raise _end_replayed_session(svc, session)
    return token_set


def _check_granted(svc: Services, client: Client, session: Session) -> None:
    if not policy.reaches_demand(svc, client, session.amr):
        raise InvalidGrant("The code's login is too weak by now.", reason="login too weak", uid=session.uid)
    if not resources.still_granted(svc, client, session):
        raise InvalidGrant(
            "The client may not have what the code was for any more.", reason="taken from its client", uid=session.uid
        )


def _misuse(session: Session, client: Client, params: Mapping[str, str], jkt: str) -> str:
    """Why a client may not redeem a code, for the log; "" if it may."""
    demands = {
        "code of another client": client.owns(session),
        "code for another redirect URI": session.redirect_uri == params.get("redirect_uri", session.redirect_uri),
        "code without its verifier": _proves_challenge(session, client, params),
        "code of another key": not session.waiting or session.jkt in ("", jkt),
    }
    return next((reason for reason, is_met in demands.items() if not is_met), "")


def _proves_challenge(session: Session, client: Client, params: Mapping[str, str]) -> bool:
    if session.challenge:
        return pkce.verify_code_verifier(params.get("code_verifier", ""), session.challenge)
    # RFC 9700 section 4.8.2: who sends a verifier sent a challenge, which somebody has taken out of the request.
    return "code_verifier" not in params and not client.public


def _end_replayed_session(svc: Services, session: Session) -> InvalidGrant:
    """RFC 6749 section 4.1.2: a code that is used twice, with its verifier, may be stolen, so its session ends."""
    ending.end(svc, session.uid, session.session_id, why="code replayed", by=SERVER)
    return InvalidGrant("The code has been used.", reason="code replayed: session ended", uid=session.uid)
