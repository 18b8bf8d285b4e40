from typing import ClassVar


class LatchkeyError(Exception):
    """A refusal in two voices: `description` is for the client, `reason` and `uid` are for the log alone."""

    code: ClassVar[str] = "server_error"
    default: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, description: str | None = None, *, reason: str = "", uid: str = "") -> None:
        self.description = description or self.default
        self.reason = reason
        self.uid = uid
        super().__init__(self.code)


class InvalidRequest(LatchkeyError):
    code = "invalid_request"
    default = "The request is malformed."


class InvalidScope(LatchkeyError):
    code = "invalid_scope"
    default = "A requested scope is unknown or was not granted."


class InvalidCredentials(LatchkeyError):
    code = "invalid_credentials"
    default = "The e-mail address or the password is wrong."


class AccountDisabled(LatchkeyError):
    code = "account_disabled"
    default = "This account is disabled."


class EmailTaken(LatchkeyError):
    code = "email_taken"
    default = "An account with this e-mail address exists already."


class WeakPassword(LatchkeyError):
    code = "weak_password"
    default = "This password is too easy to guess."


class InvalidGrant(LatchkeyError):
    code = "invalid_grant"
    default = "The refresh token is invalid, expired or no longer in force: log in again."


class InvalidToken(LatchkeyError):
    code = "invalid_token"
    default = "The access token is missing, invalid or expired."


class LoginRequired(LatchkeyError):
    code = "login_required"
    default = "This needs the password or a fresh login."


class InsufficientScope(LatchkeyError):
    code = "insufficient_scope"
    default = "The access token does not carry the scope that this route needs."


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


class TemporarilyUnavailable(LatchkeyError):
    """A fault of ours that the client may try again; it never costs the client its session."""

    code = "temporarily_unavailable"
    default = "The service is busy: try again."
    retry_after = 1
