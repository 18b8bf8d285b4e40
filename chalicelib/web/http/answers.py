"""Responses: the statuses of errors, the one shape of an error, and the response for a success."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from chalice.app import Response
from msgspec import Meta

from ...config import RESOURCE_METADATA
from ...domain import errors
from ...domain.errors import LatchkeyError
from ...services import services
from . import request_log

Headers = dict[str, str | list[str]]

STATUS: Mapping[str, int] = {
    errors.InvalidRequest.code: 400,
    errors.InvalidScope.code: 400,
    errors.InvalidClient.code: 401,
    errors.InvalidCredentials.code: 401,
    errors.UnknownPasskey.code: 401,
    errors.InvalidGrant.code: 401,
    errors.InvalidToken.code: 401,
    errors.LoginRequired.code: 401,
    errors.MfaRequired.code: 401,
    errors.LoginExpired.code: 401,
    errors.ProofOfWorkRequired.code: 401,
    errors.AccountDisabled.code: 403,
    errors.EnrolmentRequired.code: 403,
    errors.Refused.code: 403,
    errors.SignUpClosed.code: 403,
    errors.GuestAccount.code: 403,
    errors.InsufficientScope.code: 403,
    errors.NotFound.code: 404,
    errors.EmailTaken.code: 409,
    errors.LastFactor.code: 409,
    errors.TooManyFactors.code: 409,
    errors.PayloadTooLarge.code: 413,
    errors.UnsupportedMediaType.code: 415,
    errors.WeakPassword.code: 422,
    errors.EmailDomainRefused.code: 422,
    errors.TooManyRequests.code: 429,
    errors.LatchkeyError.code: 500,
    errors.TemporarilyUnavailable.code: 503,
}


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The shape of every refusal; what is beside the first two is in those of logins that need one more proof."""

    error: str
    error_description: str
    mfa_token: Annotated[str, Meta(description="Brings the login back to /login/proof.")] = ""
    auth_session: Annotated[str, Meta(description="Brings the login back to /oauth/authorize-challenge.")] = ""
    factors: Annotated[tuple[str, ...], Meta(description="One of these has to be proved.")] = ()
    kinds: Annotated[tuple[str, ...], Meta(description="One of these has to be added.")] = ()
    proof_of_work: Annotated[dict[str, str | int], Meta(description="The challenge, and the zero bits.")] = {}
    rule: Annotated[
        str, Meta(description="Which rule a password breaks: short, profile, guessable, reused, breached.")
    ] = ""
    challenge: Annotated[dict[str, Any], Meta(description="What to show for the factor.")] = {}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A body with a status or headers other than the usual ones; a text is sent as it is."""

    body: object
    status: int | None = None
    headers: Mapping[str, str | list[str]] = {}


def as_file(name: str) -> Headers:
    """The headers of an answer that a browser saves under this name (RFC 6266)."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def success(result: object, status: int) -> Response:
    """What a route answered as a response; no body is a 204."""
    headers: Headers = {"Cache-Control": "no-store", "Content-Type": "application/json"}
    if isinstance(result, Answer):
        headers.update(result.headers)
        status = result.status or status
        result = result.body
    if result is None:
        return Response("", status_code=204, headers=headers)
    text = result if isinstance(result, str) else msgspec.json.encode(result).decode()
    return Response(text, status_code=status, headers=headers)


def status_of(code: str, statuses: Mapping[str, int]) -> int:
    """The status of an error code: what a route has for it, or the usual; 400 for OAuth's own codes (RFC 6749 5.2)."""
    return statuses.get(code) or STATUS.get(code, 400)


def refusal_response(refusal: LatchkeyError, statuses: Mapping[str, int] = {}) -> Response:
    """A refusal as clients see it: its code and description, the status, and the headers that the status asks for."""
    status = status_of(refusal.code, statuses)
    request_log.set_outcome(refusal)
    extra: Headers = {}
    if isinstance(refusal, errors.InvalidClient):
        extra["WWW-Authenticate"] = 'Basic realm="latchkey", charset="UTF-8"'
    if isinstance(refusal, errors.InvalidToken):
        extra["WWW-Authenticate"] = f'Bearer realm="latchkey", error="{refusal.code}", {resource_metadata()}'
    if isinstance(refusal, errors.InsufficientScope):
        extra["WWW-Authenticate"] = f'Bearer realm="latchkey", error="{refusal.code}"'
    if isinstance(refusal, errors.UseDpopNonce):
        extra["DPoP-Nonce"] = refusal.nonce
    if (wait := getattr(refusal, "retry_after", None)) is not None:
        extra["Retry-After"] = str(wait)
    return error_response(status, refusal.code, refusal.description, extra, refusal.members)


def resource_metadata() -> str:
    """Where a client without a token may read how to get one, as a challenge has it (RFC 9728 section 5.1)."""
    return f'resource_metadata="{services().settings.issuer}{RESOURCE_METADATA}"'


def error_response(
    status: int,
    code: str,
    description: str,
    extra: Mapping[str, str | list[str]] = {},
    members: Mapping[str, Any] = {},
) -> Response:
    """The one error shape, with the headers that the status asks for (RFC 6750 section 3, RFC 9110 section 10.2.3)."""
    headers: Headers = {"Cache-Control": "no-store", "Content-Type": "application/json", **extra}
    if status == 401:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="latchkey"')
    return Response(
        msgspec.json.encode(ErrorBody(code, description, **members)).decode(), status_code=status, headers=headers
    )
