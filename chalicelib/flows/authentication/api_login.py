"""The JSON API's login: tokens for the right password, or for what was mailed, or, where the account has more factors, for
one proof more."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ...domain.authentication.attempt import Attempt
from ...domain.authentication.user_agent import UserAgent
from ...domain.errors import EnrolmentRequired, InvalidRequest, MfaRequired
from ...domain.oauth import scopes
from ...services import Services
from ..clients import own
from ..platform import keys
from ..sessions import begin, issue
from ..sessions.issue import TokenSet
from . import attempts, login, login_enrolment, mailed_login
from .enrolment import PendingEnrolment
from .login import Incomplete, Progress

FLOW = "json"


def with_password(
    svc: Services, *, address: str, password: str, agent: UserAgent, scope: str | None = None, device: str = ""
) -> TokenSet:
    """A new session for the right password; raises MfaRequired where that is not enough.

    Who names no scope gets those that the login is strong enough for.
    """
    attempt = begin_attempt(svc, scope=scope, device=device)
    return _answer(svc, attempt, login.with_password(svc, attempt, address=address, password=password, agent=agent))


def request_mail(svc: Services, *, address: str, agent: UserAgent, scope: str | None = None, device: str = "") -> str:
    """Has a code and a link mailed, and gives what they are brought back with; raises as `mailed_login.request` does."""
    attempt = begin_attempt(svc, scope=scope, device=device)
    return attempts.seal(svc, mailed_login.request(svc, attempt, address=address, agent=agent))


def with_mail(svc: Services, login_token: str, *, code: str, token: str, agent: UserAgent) -> TokenSet:
    """A new session for the code that was mailed, or for the link's token; raises MfaRequired where that is not enough."""
    if bool(code) == bool(token):
        raise InvalidRequest("Send `code`, or the link's `token`.")
    attempt = _attempt(svc, login_token)
    if token:
        return _answer(svc, attempt, mailed_login.with_link(svc, attempt, token, agent=agent))
    return _answer(svc, attempt, mailed_login.with_code(svc, attempt, code, agent=agent))


def begin_attempt(svc: Services, *, scope: str | None, device: str) -> Attempt:
    """A login for these scopes, in which nothing is proved yet; raises InvalidScope."""
    client = own.json_api(svc)
    granted = scopes.narrow(scope, allowed=client.scopes)
    request = {"scope": " ".join(granted), "device": device}
    return attempts.begin(svc, FLOW, client, scope=granted if scope is not None else (), request=request)


def begin_with(
    svc: Services, *, factor: str, agent: UserAgent, scope: str | None = None, device: str = ""
) -> tuple[str, Mapping[str, Any]]:
    """The `mfa_token` of a login that begins with a factor whose answer says whose it is, and what to show for it."""
    attempt = begin_attempt(svc, scope=scope, device=device)
    return attempts.seal(svc, attempt), login.challenge(svc, attempt, factor=factor, agent=agent)


def challenge(svc: Services, mfa_token: str, *, factor: str, agent: UserAgent) -> Mapping[str, Any]:
    """What the user has to be shown to prove a factor; raises LoginExpired, InvalidRequest."""
    return login.challenge(svc, _attempt(svc, mfa_token), factor=factor, agent=agent)


def prove(svc: Services, mfa_token: str, *, factor: str, answer: str, agent: UserAgent) -> TokenSet:
    """A new session for the answer that was missing; raises MfaRequired where another one is, or as `login.prove` does."""
    attempt = _attempt(svc, mfa_token)
    return _answer(svc, attempt, login.prove(svc, attempt, factor=factor, answer=answer, agent=agent))


def begin_enrolment(svc: Services, mfa_token: str, *, kind: str, agent: UserAgent) -> PendingEnrolment:
    """What is shown to add the factor that a login needs; raises LoginExpired, InvalidRequest."""
    return login_enrolment.begin(svc, _attempt(svc, mfa_token), kind=kind, agent=agent)


def finish_enrolment(
    svc: Services, mfa_token: str, token: str, *, answer: str, name: str, agent: UserAgent
) -> TokenSet:
    """A new session for the factor that was missing, which the account has from then on."""
    attempt = _attempt(svc, mfa_token)
    return _answer(svc, attempt, login_enrolment.finish(svc, attempt, token, answer=answer, name=name, agent=agent))


def refusal(svc: Services, progress: Incomplete) -> MfaRequired | EnrolmentRequired:
    """What an app is told of a login that is not complete, with the text that brings it back."""
    mfa_token, uid = attempts.seal(svc, progress.attempt), progress.attempt.uid
    if progress.factors:
        return MfaRequired(mfa_token=mfa_token, factors=progress.factors, uid=uid)
    return EnrolmentRequired(mfa_token=mfa_token, kinds=progress.kinds, uid=uid)


def _attempt(svc: Services, mfa_token: str) -> Attempt:
    return attempts.unseal(svc, mfa_token, flow=FLOW, client=own.json_api(svc))


def _answer(svc: Services, attempt: Attempt, progress: Progress) -> TokenSet:
    if isinstance(progress, Incomplete):
        raise refusal(svc, progress)
    client = own.json_api(svc)
    scope = scopes.narrow(attempt.request["scope"], allowed=client.scopes)
    session = begin.draft(svc, progress, client, scope=scope, device=attempt.request["device"])
    token_set = issue.issue(svc, keys.current(svc), progress.user, session, client)
    begin.create(svc, session, login=progress)
    device_token = begin.device_token(svc, progress)
    return msgspec.structs.replace(token_set, device_token=device_token, deletion_withdrawn=progress.withdraws_deletion)
