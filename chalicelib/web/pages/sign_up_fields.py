"""The fields of the sign-up forms: all that is wrong in them at once."""

from collections.abc import Callable, Mapping

from ...domain.accounts import passwords, profile
from ...domain.errors import LatchkeyError
from ...flows.accounts import signup
from ...services import Services
from . import form_errors

MAILED_PAGE, MAILED_FORM = "account/sign-up", "mailed sign-up"  # where a mailed link makes an account


def check_name(name: str) -> None:
    """Raises LongName for what does not fit on one line of a page."""
    if not profile.is_name(name):
        raise form_errors.LongName()


def mistakes(svc: Services, error: str, typed: Mapping[str, str]) -> dict[str, str]:
    """The errors of the fields that were `typed`, in the order of the page, if `error` is one of a field, and that one.

    Of a password only the length is looked at: whoever is refused before it is judged has not been counted yet.
    """
    if error not in form_errors.FIELD_OF:
        return {}
    checks: Mapping[str, Callable[[str], object]] = {
        "name": check_name,
        "email": lambda text: signup.permitted(svc, text),
        "password": _check_length,
    }
    of_fields = {field: _error_of(check, typed[field]) for field, check in checks.items() if field in typed}
    of_fields[form_errors.FIELD_OF[error]] = error
    return {field: text for field, text in of_fields.items() if text}


def _check_length(password: str) -> None:
    passwords.check_strength(passwords.normalise(password), about=(), score=0)


def _error_of(check: Callable[[str], object], text: str) -> str:
    try:
        check(text)
    except LatchkeyError as refusal:
        return form_errors.of_field(refusal)
    return ""
