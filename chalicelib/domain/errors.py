from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar


class LatchkeyError(Exception):
    """A refusal in two voices: `description` is for the client, `reason` and `uid` are for the log alone."""

    code: ClassVar[str] = "server_error"
    default: ClassVar[str] = "Something went wrong on our side."
    members: Mapping[str, object] = MappingProxyType({})  # what the client is told besides

    def __init__(self, description: str | None = None, *, reason: str = "", uid: str = "") -> None:
        self.description = description or self.default
        self.reason = reason
        self.uid = uid
        super().__init__(self.code)


class UnreadableRecord(LatchkeyError):
    """Something stored of another version or shape than this release knows: a defect, and nothing is made of it."""


class InvalidRequest(LatchkeyError):
    code = "invalid_request"
    default = "The request is malformed."


class LongPassword(InvalidRequest):
    """A password that is longer than any of ours."""

    default = "A password has at most 256 characters."


class InvalidScope(LatchkeyError):
    code = "invalid_scope"
    default = "A requested scope is unknown or was not granted: see the client's `scopes`."


class InvalidCredentials(LatchkeyError):
    code = "invalid_credentials"
    default = "The e-mail address or the password is wrong."


class WrongAnswer(InvalidCredentials):
    """The answer for a factor is wrong; `factors` are those that may still be proved."""

    default = "This answer is wrong, has expired or has been used."

    def __init__(self, *, factors: tuple[str, ...], reason: str = "", uid: str = "") -> None:
        super().__init__(reason=reason, uid=uid)
        self.factors = factors


class UnknownPasskey(WrongAnswer):
    """A good answer of a passkey that no account here has: its device may forget it."""

    code = "unknown_passkey"
    default = "This passkey is not in use here any more: remove it from the device, and log in another way."


class MfaRequired(LatchkeyError):
    """The login is not complete: one of these factors has to be proved as well."""

    code = "mfa_required"
    default = "One more proof is needed: prove one of `factors` at /login/proof, with `mfa_token`."

    def __init__(self, *, mfa_token: str, factors: tuple[str, ...], uid: str = "") -> None:
        super().__init__(uid=uid)
        self.members = {"mfa_token": mfa_token, "factors": factors}


class ResetProofRequired(MfaRequired):
    """A new password takes what its account has beside the password."""

    default = "One more proof is needed: send `factor`, which is one of `factors`, and `answer` as well."

    def __init__(self, *, factors: tuple[str, ...], uid: str = "") -> None:
        super().__init__(mfa_token="", factors=factors, uid=uid)


class EnrolmentRequired(LatchkeyError):
    """The login needs a second factor, and the account has none: one of these kinds has to be added first."""

    code = "enrolment_required"
    default = "This needs a second factor, and the account has none: add one of `kinds` at /login/enrolment."

    def __init__(self, *, mfa_token: str = "", kinds: tuple[str, ...] = (), uid: str = "") -> None:
        super().__init__(uid=uid)
        self.members = {"mfa_token": mfa_token, "kinds": kinds} if mfa_token else {}


class Refused(LatchkeyError):
    """What a hook of the operator's own has refused, in its words."""

    code = "refused"
    default = "Those who run this service refuse this."


class LoginExpired(LatchkeyError):
    code = "login_expired"
    default = "This login has expired, is complete, or belongs to somebody else: begin again."


class AccountDisabled(LatchkeyError):
    code = "account_disabled"
    default = "This account is disabled."


class EmailTaken(LatchkeyError):
    code = "email_taken"
    default = "An account with this e-mail address exists already."


class GuestAccount(LatchkeyError):
    """What takes an address or a password, of an account that has neither."""

    code = "guest_account"
    default = "This is a guest's account: give it an address and a password first, at /me/upgrade or /me/email."


class SignUpClosed(LatchkeyError):
    code = "sign_up_closed"
    default = "Nobody can sign up here: accounts are made by those who run this service."


class EmailDomainRefused(LatchkeyError):
    code = "email_domain_refused"
    default = "Addresses of this domain cannot sign up here."


class WeakPassword(LatchkeyError):
    """A new password that breaks a rule: `short`, `profile`, `guessable`, `reused` or `breached`.

    Of one that was judged `score` is what zxcvbn gave it, and `advice` the codes of what it says of it.
    """

    code = "weak_password"
    default = "This password is too easy to guess."

    def __init__(
        self,
        description: str | None = None,
        *,
        rule: str = "guessable",
        score: int | None = None,
        advice: tuple[str, ...] = (),
    ) -> None:
        super().__init__(description, reason=rule)
        self.rule, self.score, self.advice = rule, score, advice
        self.members = {"rule": rule}


class InvalidGrant(LatchkeyError):
    code = "invalid_grant"
    default = "The refresh token is invalid, expired or no longer in force: log in again."


class InvalidToken(LatchkeyError):
    code = "invalid_token"
    default = "The access token is missing, invalid or expired."


class UnprovedToken(InvalidToken):
    """RFC 9449 section 7.1: the token is bound to a key that was not shown."""

    default = "This access token is good with a DPoP proof of its own key only."


class LoginRequired(LatchkeyError):
    code = "login_required"
    default = "This needs the password or a fresh login."


class LastFactor(LatchkeyError):
    code = "last_factor"
    default = "Nobody could log in any more without this factor: add another one first, or set a password."


class TooManyFactors(LatchkeyError):
    code = "too_many_factors"
    default = "This account has as many of these as it can have: remove one first."


class InsufficientScope(LatchkeyError):
    code = "insufficient_scope"
    default = "The access token does not carry the scope that this route needs."


class UserRequired(InsufficientScope):
    """RFC 6750 section 3.1: not an invalid token, which its client would replace by another of the same kind for ever."""

    default = "This route is for users: a token that a client got for itself does not open it."


class NotFound(LatchkeyError):
    code = "not_found"
    default = "There is nothing here by that name."


class PayloadTooLarge(LatchkeyError):
    code = "payload_too_large"
    default = "The request body is too large."


class UnsupportedMediaType(LatchkeyError):
    code = "unsupported_media_type"
    default = "Send the body as application/json."


class TooManyRequests(LatchkeyError):
    code = "too_many_requests"
    default = "Too many attempts: wait before you try again."

    def __init__(self, *, retry_after: int, reason: str = "") -> None:
        super().__init__(reason=reason)
        self.retry_after = retry_after


class ProofOfWorkRequired(LatchkeyError):
    """Many strangers guess passwords: whoever is one shows work before a password is looked at."""

    code = "proof_of_work_required"
    default = "Send `proof_of_work`: the challenge, a dot, and a number, whose SHA-256 begins with so many zero bits."

    def __init__(self, *, challenge: str, bits: int) -> None:
        super().__init__()
        self.members = {"proof_of_work": {"challenge": challenge, "bits": bits}}


class TemporarilyUnavailable(LatchkeyError):
    """A fault of ours that the client may try again; it never costs the client its session."""

    code = "temporarily_unavailable"
    default = "The service is busy: try again."
    retry_after = 1


class OAuthError(LatchkeyError):
    """A refusal in the words of an OAuth specification, told in the place that the specification names."""


class InvalidClient(OAuthError):
    code = "invalid_client"
    default = "The client is unknown or did not authenticate as it is registered to."


class UnauthorizedClient(OAuthError):
    code = "unauthorized_client"
    default = "The client is not registered for that."


class UnsupportedGrantType(OAuthError):
    code = "unsupported_grant_type"
    default = "There is no such grant type here: see grant_types_supported in the server's metadata."


class UnsupportedTokenType(OAuthError):
    """RFC 7009 section 2.2.1: to say nothing would be to say that the token is revoked."""

    code = "unsupported_token_type"
    default = (
        "This access token is in no session of the client's own, so it cannot be revoked and is good until it expires."
    )


class UnsupportedResponseType(OAuthError):
    code = "unsupported_response_type"
    default = "The only response type here is code."


class InvalidTarget(OAuthError):
    code = "invalid_target"
    default = "`resource` must name one API that this server issues tokens for."


class AccessDenied(OAuthError):
    code = "access_denied"
    default = "The user did not agree."


class ConsentRequired(OAuthError):
    code = "consent_required"
    default = "The user has to be asked for consent."


class InteractionRequired(OAuthError):
    code = "interaction_required"
    default = "The user has to be there: any app on the device could pass for this one."


class UnmetAuthentication(OAuthError):
    code = "unmet_authentication_requirements"
    default = "This server cannot log a user in that strongly."


class RequestNotSupported(OAuthError):
    code = "request_not_supported"
    default = "This request object is not supported: sign it, or send the parameters themselves."


class InvalidRequestObject(OAuthError):
    code = "invalid_request_object"
    default = "The request object is not as RFC 9101 has it."


class RequestUriNotSupported(OAuthError):
    code = "request_uri_not_supported"
    default = "Only a request_uri that this server gave for a pushed request is supported."


class InvalidRequestUri(OAuthError):
    code = "invalid_request_uri"
    default = "This pushed request is unknown, another client's or expired: push it again."


class AuthorizationPending(OAuthError):
    code = "authorization_pending"
    default = "The user has not decided yet: ask again."


class SlowDown(OAuthError):
    code = "slow_down"
    default = "Ask less often: add five seconds to the interval."


class ExpiredToken(OAuthError):
    code = "expired_token"
    default = "The device code has expired, was used or is unknown: begin anew."


class InvalidDpopProof(OAuthError):
    code = "invalid_dpop_proof"
    default = "The DPoP proof is missing, invalid or for another request."


class UseDpopNonce(OAuthError):
    """RFC 9449 section 8: the proof was fine but for the nonce, which the answer brings."""

    code = "use_dpop_nonce"
    default = "Put the nonce of this answer's DPoP-Nonce header into the proof and try again."

    def __init__(self, *, nonce: str) -> None:
        super().__init__()
        self.nonce = nonce


class InvalidRedirectUri(OAuthError):
    code = "invalid_redirect_uri"
    default = "A redirect URI is not allowed here."


class InvalidClientMetadata(OAuthError):
    code = "invalid_client_metadata"
    default = "The client's metadata is not as it has to be."


class InsufficientAuthorization(OAuthError):
    """The first-party app has to ask the user for more; draft-ietf-oauth-first-party-apps."""

    code = "insufficient_authorization"
    default = "Ask the user for e-mail address and password."

    def __init__(
        self,
        description: str | None = None,
        *,
        auth_session: str,
        factors: tuple[str, ...] = (),
        challenge: Mapping[str, object] | None = None,
        reason: str = "",
        uid: str = "",
    ) -> None:
        super().__init__(description, reason=reason, uid=uid)
        more = {"factors": factors, "challenge": challenge}
        self.members = {"auth_session": auth_session, **{name: value for name, value in more.items() if value}}


class RedirectToWeb(OAuthError):
    """The user has to do something that only our pages can ask for; draft-ietf-oauth-first-party-apps."""

    code = "redirect_to_web"
    default = "Send the user to /oauth/authorize: the account needs a second factor first, which our pages add."


class InvalidSession(OAuthError):
    code = "invalid_session"
    default = "`auth_session` is unknown or expired: begin anew without it."
