import json
from dataclasses import replace

from ...domain.accounts.model import Session, Spent, User
from ...domain.crypto import handles
from ...domain.oauth.authorization_request import AuthorizationRequest
from ...domain.oauth.client import Client
from ...services import Services
from ..platform import keys
from ..sessions import begin, session_handles


def issue(
    svc: Services,
    client: Client,
    user: User,
    request: AuthorizationRequest,
    *,
    amr: tuple[str, ...],
    browser: Session | None = None,
    spent: Spent | None = None,
) -> str:
    """An authorization code: the handle of a waiting session, stored with all that its redemption must match.

    `browser` is the browser's session that it is given in; without one the login is of now. `spent` and what it raises are
    those of `begin.create`.
    """
    session = replace(
        begin.draft(svc, user, client, scope=request.scope, device=client.label, amr=amr),
        generation=0,
        expires_at=svc.now() + svc.settings.code_seconds,
        redirect_uri=request.redirect_uri,
        challenge=request.challenge,
        nonce=request.nonce,
        resource=request.resource,
        jkt=request.dpop_jkt,
        claims=json.dumps(request.claims) if request.claims else "",
    )
    if browser:
        session = replace(session, auth_time=browser.auth_time, browser=browser.session_id)
    code = session_handles.encode_handle(svc, keys.current(svc), session, handles.CODE)
    begin.create(svc, session, spent=spent)
    return code
