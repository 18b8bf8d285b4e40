"""The JSON API's login: the password, and one proof more where the account has more factors."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...domain import errors
from ...flows.authentication import api_login
from ...services import Services
from ..http.routing import Api, Caller
from ..http.tokens import LoginTokens, login_tokens_of
from .bodies import Body, Device, DeviceToken, Email, FactorAnswer, Password, Scope, Token

api = Api(__name__)

FactorName = Annotated[str, Meta(min_length=1, max_length=50, description="One of `factors`.")]
PASSKEY = "passkey"
STEP_ERRORS = (errors.LoginExpired, errors.EnrolmentRequired)
PROOF_ERRORS = (
    errors.InvalidCredentials,
    errors.MfaRequired,
    errors.EnrolmentRequired,
    errors.TooManyRequests,
    errors.AccountDisabled,
)


class LogIn(Body, frozen=True):
    """E-mail address and password."""

    email: Email
    password: Password
    scope: Scope | None = None
    device: Device = ""
    device_token: DeviceToken = ""


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


class Challenge(msgspec.Struct, frozen=True):
    """What to show to the user, by the factor; empty where nothing is needed."""

    challenge: dict[str, Any]


class BeginPasskey(Body, frozen=True):
    """A login that begins with a passkey."""

    scope: Scope | None = None
    device: Device = ""


class PasskeyChallenge(msgspec.Struct, frozen=True):
    """What a browser or an app asks the user's passkeys with: the member `publicKey` of `challenge`."""

    mfa_token: str
    challenge: dict[str, Any]


@api.route("POST /login", body=LogIn, answer=LoginTokens, errors=(*PROOF_ERRORS, errors.InvalidScope))
def log_in(svc: Services, caller: Caller, body: LogIn) -> LoginTokens:
    """Begins a session, or answers 401 `mfa_required` where the account has more factors than the password."""
    token_set = api_login.with_password(
        svc,
        address=body.email,
        password=body.password,
        scope=body.scope,
        device=body.device,
        agent=caller.user_agent(body.device_token),
    )
    return login_tokens_of(token_set)


@api.route(
    "POST /login/passkey", body=BeginPasskey, body_optional=True, answer=PasskeyChallenge, errors=(errors.InvalidScope,)
)
def begin_passkey(svc: Services, caller: Caller, body: BeginPasskey) -> PasskeyChallenge:
    """Begins a login without a user name, which goes on at /login/proof with the factor `passkey`; stores nothing."""
    token, challenge = api_login.begin_with(
        svc, factor=PASSKEY, scope=body.scope, device=body.device, agent=caller.user_agent()
    )
    return PasskeyChallenge(token, dict(challenge))


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
    agent = caller.user_agent(body.device_token)
    return login_tokens_of(api_login.prove(svc, body.mfa_token, factor=body.factor, answer=body.answer, agent=agent))
