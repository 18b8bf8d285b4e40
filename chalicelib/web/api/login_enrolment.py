"""The JSON API's login of an account that has to get a second factor first: to add one, and nothing else."""

from ...domain import errors
from ...flows.authentication import api_login
from ...services import Services
from ..http.routing import Api, Caller
from ..http.tokens import LoginTokens, login_tokens_of
from .bodies import Body, DeviceToken, FactorAnswer, Token
from .enrolment_bodies import Begin, EnrolmentChallenge, NewName

api = Api(__name__)


class BeginInLogin(Begin, frozen=True):
    """A login that answered `enrolment_required`, and what is to be added."""

    mfa_token: Token


class ConfirmInLogin(Body, frozen=True):
    """The answer for what was shown, and what the factor is to be called."""

    mfa_token: Token
    token: Token
    answer: FactorAnswer
    name: NewName = ""
    device_token: DeviceToken = ""


@api.route(
    "POST /login/enrolment",
    body=BeginInLogin,
    answer=EnrolmentChallenge,
    errors=(errors.LoginExpired, errors.TooManyFactors),
)
def begin_enrolment(svc: Services, caller: Caller, body: BeginInLogin) -> EnrolmentChallenge:
    """Begins to add the factor that a login needs, which answered `enrolment_required`: gives what to show."""
    pending = api_login.begin_enrolment(svc, body.mfa_token, kind=body.kind, agent=caller.user_agent())
    return EnrolmentChallenge(pending.token, dict(pending.challenge))


@api.route(
    "POST /login/enrolment/confirm",
    body=ConfirmInLogin,
    answer=LoginTokens,
    errors=(
        errors.LoginExpired,
        errors.InvalidCredentials,
        errors.MfaRequired,
        errors.EnrolmentRequired,
        errors.Refused,
        errors.TooManyRequests,
        errors.InvalidScope,
        errors.TooManyFactors,
    ),
)
def confirm_enrolment(svc: Services, caller: Caller, body: ConfirmInLogin) -> LoginTokens:
    """Adds the factor by the answer for what was shown, and begins the session."""
    token_set = api_login.finish_enrolment(
        svc,
        body.mfa_token,
        body.token,
        answer=body.answer,
        name=body.name,
        agent=caller.user_agent(body.device_token),
    )
    return login_tokens_of(token_set)
