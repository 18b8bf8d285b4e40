"""The JSON API's login: the password, and one proof more where the account has more factors."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...domain import errors
from ...domain.authentication.attempt import Attempt
from ...flows.authentication import api_login
from ...flows.authentication.factors import passkey
from ...services import Services
from ..http.routing import Api, Caller
from ..http.tokens import LoginTokens, login_tokens_of
from .bodies import (
    Body,
    Challenge,
    Device,
    DeviceToken,
    Email,
    FactorAnswer,
    FactorName,
    Password,
    ProofOfWork,
    Scope,
    Token,
)

api = Api(__name__)

STEP_ERRORS = (errors.LoginExpired, errors.EnrolmentRequired)
PROOF_ERRORS = (
    errors.InvalidCredentials,
    errors.MfaRequired,
    errors.EnrolmentRequired,
    errors.TooManyRequests,
    errors.AccountDisabled,
    errors.Refused,
)


class LogIn(Body, frozen=True):
    """E-mail address and password."""

    email: Email
    password: Password
    scope: Scope | None = None
    device: Device = ""
    device_token: DeviceToken = ""
    proof_of_work: ProofOfWork = ""


class RequestLoginMail(Body, frozen=True):
    """The address of the account."""

    email: Email
    scope: Scope | None = None
    device: Device = ""


class LoginMailRequested(msgspec.Struct, frozen=True):
    """A mail is on its way, if there is such an account; `login_token` completes the login with what is in it."""

    login_token: str
    expires_in: Annotated[int, Meta(description="For how many seconds it is good.")] = Attempt.seconds


class LogInByMail(Body, frozen=True):
    """What the request for the mail was answered with, and one of the two that the mail has."""

    login_token: Token
    device_token: DeviceToken = ""
    code: Annotated[str, Meta(max_length=100, description="The code, with whatever was pasted around it.")] = ""
    token: Annotated[str, Meta(max_length=8192, description="The token in the address of the link.")] = ""


class BeginProof(Body, frozen=True):
    """A login that needs one more proof, and the factor to prove."""

    mfa_token: Token
    factor: FactorName


class Prove(Body, frozen=True):
    """A login that needs one more proof, and the answer for a factor."""

    mfa_token: Token
    factor: FactorName
    answer: FactorAnswer
    device_token: DeviceToken = ""
    remember_device: Annotated[
        bool, Meta(description="Not to ask for further factors on this device again, for some days.")
    ] = False


class BeginPasskey(Body, frozen=True):
    """A login that begins with a passkey."""

    scope: Scope | None = None
    device: Device = ""


class PasskeyChallenge(msgspec.Struct, frozen=True):
    """What a browser or an app asks the user's passkeys with: the member `publicKey` of `challenge`."""

    mfa_token: str
    challenge: dict[str, Any]


@api.route(
    "POST /login",
    body=LogIn,
    answer=LoginTokens,
    errors=(*PROOF_ERRORS, errors.ProofOfWorkRequired, errors.InvalidScope),
)
def log_in(svc: Services, caller: Caller, body: LogIn) -> LoginTokens:
    """Begins a session, or answers 401 `mfa_required` where the account has more factors than the password."""
    token_set = api_login.with_password(
        svc,
        address=body.email,
        password=body.password,
        scope=body.scope,
        device=body.device,
        agent=caller.user_agent(body.device_token, proof_of_work=body.proof_of_work),
    )
    return login_tokens_of(token_set)


@api.route(
    "POST /login/passkey", body=BeginPasskey, body_optional=True, answer=PasskeyChallenge, errors=(errors.InvalidScope,)
)
def begin_passkey(svc: Services, caller: Caller, body: BeginPasskey) -> PasskeyChallenge:
    """Begins a login without a user name, which goes on at /login/proof with the factor `passkey`; stores nothing."""
    token, challenge = api_login.begin_with(
        svc, factor=passkey.NAME, scope=body.scope, device=body.device, agent=caller.user_agent()
    )
    return PasskeyChallenge(token, dict(challenge))


@api.route(
    "POST /login/code",
    status=202,
    body=RequestLoginMail,
    answer=LoginMailRequested,
    errors=(errors.NotFound, errors.TooManyRequests, errors.InvalidScope),
)
def request_login_mail(svc: Services, caller: Caller, body: RequestLoginMail) -> LoginMailRequested:
    """Mails a code and a link to log in by. Says the same whether there is such an account or not."""
    login_token = api_login.request_mail(
        svc,
        address=body.email,
        scope=body.scope,
        device=body.device,
        agent=caller.user_agent(),
    )
    return LoginMailRequested(login_token)


@api.route(
    "POST /login/code/confirm",
    body=LogInByMail,
    answer=LoginTokens,
    errors=(
        *STEP_ERRORS,
        errors.NotFound,
        errors.Refused,
        errors.InvalidCredentials,
        errors.MfaRequired,
        errors.TooManyRequests,
        errors.InvalidScope,
    ),
)
def log_in_by_mail(svc: Services, caller: Caller, body: LogInByMail) -> LoginTokens:
    """Begins a session by the code or the link that was mailed, once, or answers `mfa_required` as `/login` does."""
    token_set = api_login.with_mail(
        svc, body.login_token, code=body.code, token=body.token, agent=caller.user_agent(body.device_token)
    )
    return login_tokens_of(token_set)


@api.route("POST /login/challenge", body=BeginProof, answer=Challenge, errors=(*STEP_ERRORS, errors.TooManyRequests))
def begin_proof(svc: Services, caller: Caller, body: BeginProof) -> Challenge:
    """What the user has to be shown to prove one of `factors`."""
    return Challenge(dict(api_login.challenge(svc, body.mfa_token, factor=body.factor, agent=caller.user_agent())))


@api.route(
    "POST /login/proof",
    body=Prove,
    answer=LoginTokens,
    errors=(*STEP_ERRORS, *PROOF_ERRORS, errors.UnknownPasskey, errors.InvalidScope),
)
def prove(svc: Services, caller: Caller, body: Prove) -> LoginTokens:
    """Goes on with a login that answered `mfa_required`: begins its session, or answers so again."""
    agent = caller.user_agent(body.device_token, remember=body.remember_device)
    return login_tokens_of(api_login.prove(svc, body.mfa_token, factor=body.factor, answer=body.answer, agent=agent))
