import json
from dataclasses import replace

from ...domain.accounts.model import Session
from ...domain.authentication.model import Authenticated
from ...domain.crypto import handles
from ...domain.oauth.authorization_request import AuthorizationRequest
from ...domain.oauth.client import Client
from ...services import Services
from ..platform import keys, subjects
from ..sessions import begin, lifetimes, session_handles


def issue(
    svc: Services,
    client: Client,
    login: Authenticated,
    request: AuthorizationRequest,
    *,
    browser: Session | None = None,
) -> str:
    """An authorization code: the handle of a waiting session, stored with all that its redemption must match.

    `browser` is the browser's session that it is given in, if it is given in one. Raises what `begin.create` raises.
    """
    drafted = begin.draft(svc, login, client, scope=request.scope, device=client.label)
    session = replace(
        drafted,
        session_id=subjects.new_session_id(svc, browser.session_id) if browser else drafted.session_id,
        generation=0,
        expires_at=svc.now() + lifetimes.code_seconds(svc, client),
        redirect_uri=request.redirect_uri,
        challenge=request.challenge,
        nonce=request.nonce,
        resource=request.resource,
        jkt=request.dpop_jkt,
        claims=json.dumps(request.claims) if request.claims else "",
        browser=browser.session_id if browser else "",
    )
    code = session_handles.encode_handle(svc, keys.current(svc), session, handles.CODE)
    begin.create(svc, session, login=login)
    return code
