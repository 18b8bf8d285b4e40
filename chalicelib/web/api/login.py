"""The JSON API's login: the password, and one proof more where the account has more factors."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ...domain import errors
from ...flows.authentication import api_login
from ...services import Services
from ..http.routing import Api, Caller
from ..http.tokens import Tokens, tokens_of
from .bodies import Body, Device, Email, Password, Scope, Token

api = Api(__name__)

FactorName = Annotated[str, Meta(min_length=1, max_length=50, description="One of `factors`.")]
FactorAnswer = Annotated[str, Meta(min_length=1, max_length=4096, description="A code, or what the factor asks for.")]
STEP_ERRORS = (errors.LoginExpired,)
PROOF_ERRORS = (errors.InvalidCredentials, errors.MfaRequired, errors.TooManyRequests, errors.AccountDisabled)


class LogIn(Body, frozen=True):
    """E-mail address and password."""

    email: Email
    password: Password
    scope: Scope | None = None
    device: Device = ""


class BeginProof(Body, frozen=True):
    """A login that needs one more proof, and the factor to prove."""

    mfa_token: Token
    factor: FactorName


class Prove(Body, frozen=True):
    """A login that needs one more proof, and the answer for a factor."""

    mfa_token: Token
    factor: FactorName
    answer: FactorAnswer


class Challenge(msgspec.Struct, frozen=True):
    """What to show to the user, by the factor; empty where nothing is needed."""

    challenge: dict[str, str]


@api.route("POST /login", body=LogIn, answer=Tokens, errors=(*PROOF_ERRORS, errors.InvalidScope))
def log_in(svc: Services, caller: Caller, body: LogIn) -> Tokens:
    """Begins a session, or answers 401 `mfa_required` where the account has more factors than the password."""
    token_set = api_login.with_password(
        svc,
        address=body.email,
        password=body.password,
        scope=body.scope,
        device=body.device,
        network=caller.network,
    )
    return tokens_of(token_set)


@api.route("POST /login/challenge", body=BeginProof, answer=Challenge, errors=(*STEP_ERRORS, errors.TooManyRequests))
def begin_proof(svc: Services, caller: Caller, body: BeginProof) -> Challenge:
    """What the user has to be shown to prove one of `factors`."""
    return Challenge(dict(api_login.challenge(svc, body.mfa_token, factor=body.factor, network=caller.network)))


@api.route("POST /login/proof", body=Prove, answer=Tokens, errors=(*STEP_ERRORS, *PROOF_ERRORS, errors.InvalidScope))
def prove(svc: Services, caller: Caller, body: Prove) -> Tokens:
    """Goes on with a login that answered `mfa_required`: begins its session, or answers so again."""
    token_set = api_login.prove(svc, body.mfa_token, factor=body.factor, answer=body.answer, network=caller.network)
    return tokens_of(token_set)
