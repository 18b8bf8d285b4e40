"""The authorization challenge endpoint (draft-ietf-oauth-first-party-apps): first-party apps ask for the password."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...domain.authentication.attempt import Attempt
from ...domain.authentication.user_agent import UserAgent
from ...domain.errors import (
    EnrolmentRequired,
    InsufficientAuthorization,
    InvalidCredentials,
    InvalidRequest,
    InvalidSession,
    LatchkeyError,
    LoginExpired,
    RedirectToWeb,
    Refused,
    UnauthorizedClient,
    WrongAnswer,
)
from ...domain.oauth import authorization_request as oauth
from ...domain.oauth import parameters
from ...domain.oauth.authorization_request import AuthorizationRequest
from ...domain.oauth.client import CODE, Client
from ...services import Services
from ..authentication import attempts, login, mailed_login, policy
from ..authentication.login import Incomplete, Progress
from ..platform import subjects
from ..sessions import begin
from . import codes
from .refusals import access_denied

FLOW = "app"
BEGINNINGS = ("password", mailed_login.PROOF)  # what a login begins with, where a mail can begin one
REQUEST_PARAMETERS = frozenset(
    {
        "response_type",
        "scope",
        "code_challenge",
        "code_challenge_method",
        "nonce",
        "acr_values",
        "claims",
        "resource",
        "dpop_jkt",
    }
)
PARAMETERS = REQUEST_PARAMETERS | {
    "email",
    "password",
    "auth_session",
    "factor",
    "answer",
    "device_token",
    "remember_device",
    "proof_of_work",
}


class FirstPartyCode(NamedTuple):
    """An authorization code, what the device has from now on, and whether the account was to be erased before."""

    code: str
    device_token: str
    deletion_withdrawn: bool


def challenge(
    svc: Services, client: Client, params: Mapping[str, str], *, jkt: str, agent: UserAgent
) -> FirstPartyCode:
    """A code for a login that is complete, and what the app is told with it.

    Raises InsufficientAuthorization with what the app has to come back with.
    `jkt` is the thumbprint of the DPoP proof's key, "" without one; the code is bound to it.
    """
    if not client.first_party or CODE not in client.grant_types:
        raise UnauthorizedClient(
            "This endpoint is for first-party apps: an operator sets `first_party`; `grant_types` has authorization_code.",
            reason="not first-party",
        )
    if client.must_push:
        raise InvalidRequest(
            "This client has to push its requests (RFC 9126), which cannot be done here.", reason="not pushed"
        )
    if client.require_signed_request_object:
        raise InvalidRequest(
            "This client has to sign its requests (RFC 9101), which cannot be done here.", reason="not signed"
        )
    try:
        attempt, request = _attempt(svc, client, params, jkt)
        progress = _proceed(svc, attempt, params, agent)
        _check_subject(svc, client, request, attempt, progress)
        if isinstance(progress, Incomplete) and not progress.factors:
            raise EnrolmentRequired(uid=progress.attempt.uid)
        if isinstance(progress, Incomplete):
            raise _insufficient(svc, progress.attempt, None, progress.factors)
        code = codes.issue(svc, client, progress, request)
        return FirstPartyCode(code, begin.device_token(svc, progress), progress.withdraws_deletion)
    except LoginExpired as error:
        raise InvalidSession(reason=error.reason, uid=error.uid) from None
    except Refused as error:
        raise access_denied(error) from None
    except EnrolmentRequired as error:
        raise RedirectToWeb(reason=error.code, uid=error.uid) from None


def _attempt(
    svc: Services, client: Client, params: Mapping[str, str], jkt: str
) -> tuple[Attempt, AuthorizationRequest]:
    """The login with its request, and the key that it is bound to; neither may change after the first call."""
    new_params = {name: value for name, value in _registered(svc, client, params).items() if name in REQUEST_PARAMETERS}
    requested_jkt = new_params.pop("dpop_jkt", jkt)
    if jkt and requested_jkt != jkt:
        raise InvalidRequest("`dpop_jkt` is not the key of the DPoP proof.")
    if "auth_session" not in params:
        request = _check_request(client, {**new_params, "dpop_jkt": requested_jkt})
        attempt = attempts.begin(
            svc,
            FLOW,
            client,
            bound_to=requested_jkt,
            acr_values=request.acr_values,
            acr_essential=request.acr_essential,
            scope=request.scope,
            request=new_params,
        )
        return attempt, request
    attempt = attempts.unseal(svc, params["auth_session"], flow=FLOW, client=client, bound_to=("", jkt))
    stored_params = _registered(svc, client, attempt.request)
    if any(stored_params.get(name) != value for name, value in new_params.items()):
        raise InvalidSession("`auth_session` belongs to another request.")
    attempt = attempt.bound(attempt.bound_to or requested_jkt)
    return attempt, _check_request(client, {**stored_params, "dpop_jkt": attempt.bound_to})


def _registered(svc: Services, client: Client, params: Mapping[str, str]) -> dict[str, str]:
    return dict(parameters.with_registered_resource(params, client, own=svc.settings.audience))


def _proceed(svc: Services, attempt: Attempt, params: Mapping[str, str], agent: UserAgent) -> Progress:
    try:
        if params.get("factor") == mailed_login.PROOF and not attempt.uid:
            return _by_mail(svc, attempt, params, agent)
        if "factor" in params:
            return _prove(svc, attempt, params, agent)
        if not params.get("email") or not params.get("password"):
            raise _insufficient(svc, attempt, factors=BEGINNINGS if svc.settings.mailed_login else ())
        email, password = params["email"], params["password"]
        return login.with_password(svc, attempt, address=email, password=password, agent=agent)
    except WrongAnswer as error:
        raise _insufficient(svc, attempt, error, error.factors) from None
    except InvalidCredentials as error:
        raise _insufficient(svc, attempt, error) from None


def _by_mail(svc: Services, attempt: Attempt, params: Mapping[str, str], agent: UserAgent) -> Progress:
    """The login by a mail: first what asks for it, and then what was in it."""
    if not svc.settings.mailed_login:
        raise InvalidRequest("`factor`: nobody logs in by mail here.")
    if "answer" in params:
        return mailed_login.with_answer(svc, attempt, params["answer"], agent=agent)
    attempt = mailed_login.request(svc, attempt, address=params.get("email", ""), agent=agent)
    raise _answer_needed(svc, attempt, mailed_login.PROOF, {})


def _prove(svc: Services, attempt: Attempt, params: Mapping[str, str], agent: UserAgent) -> Progress:
    factor = params["factor"]
    if "answer" in params:
        return login.prove(svc, attempt, factor=factor, answer=params["answer"], agent=agent)
    show = login.challenge(svc, attempt, factor=factor, agent=agent)
    raise _answer_needed(svc, attempt, factor, show)


def _answer_needed(svc: Services, attempt: Attempt, factor: str, show: Mapping[str, str]) -> InsufficientAuthorization:
    return InsufficientAuthorization(
        "Come back with the user's `answer`.",
        auth_session=attempts.seal(svc, attempt),
        factors=(factor,),
        challenge=show,
        uid=attempt.uid,
    )


def _check_subject(
    svc: Services, client: Client, request: AuthorizationRequest, before: Attempt, progress: Progress
) -> None:
    uid = progress.attempt.uid if isinstance(progress, Incomplete) else progress.user.uid
    if request.subject not in ("", subjects.subject_for(svc, client, uid)):
        auth_session = attempts.seal(svc, before)
        raise InsufficientAuthorization("The app asks for another user.", uid=uid, auth_session=auth_session)


def _insufficient(
    svc: Services, attempt: Attempt, error: LatchkeyError | None = None, factors: tuple[str, ...] = ()
) -> InsufficientAuthorization:
    description = error.description if error else "One more proof is needed." if attempt.uid else None
    return InsufficientAuthorization(
        description,
        auth_session=attempts.seal(svc, attempt),
        factors=factors,
        reason=error.reason if error else "",
        uid=error.uid if error else attempt.uid,
    )


def _check_request(client: Client, request_params: Mapping[str, str]) -> AuthorizationRequest:
    fields: dict[str, Any] = {}
    for check in oauth.FIRST_PARTY_CHECKS:
        fields |= check(request_params, client)
    request = AuthorizationRequest(**fields, nonce=request_params.get("nonce", ""))
    oauth.check_level(request, policy.supported_levels())
    return request
