"""Errors of a form: a redirect leads back to its page, which shows the error and what was typed, without the password.

A sealed cookie carries both from one to the other: for this form in this browser, for one page, for minutes.
"""

from collections.abc import Mapping

import msgspec

from ...domain.errors import InvalidRequest, LatchkeyError, LongPassword, WeakPassword
from ...domain.records.sealed import SealedFormError
from ...flows.platform import macs, sealing
from ..http import request_log
from ..http.answers import Answer
from . import cookies
from .page_request import PageRequest, redirect, with_cookie

MAX_COOKIE, MAX_FIELD = 2500, 400  # the address of the page and all cookies have 10,240 bytes at API Gateway


class LongName(InvalidRequest):
    """A name that does not fit on one line of a page."""

    code = "long_name"


class FormError(msgspec.Struct, frozen=True):
    """What was wrong, "" for nothing, and the fields as they were typed; `wait` seconds until a try may help.

    `mistakes` has the errors of single fields, in the order in which they are on the page. `score` and `advice` are what
    zxcvbn gave and says of a password that is easy to guess.
    """

    error: str = ""
    wait: int = 0
    fields: Mapping[str, str] = {}
    mistakes: Mapping[str, str] = {}
    score: int | None = None
    advice: tuple[str, ...] = ()


# A password that breaks a rule, by the rule.
OF_RULE = {
    "short": "short_password",
    "profile": "profile_password",
    "guessable": "weak_password",
    "reused": "reused_password",
    "breached": "breached_password",
}
# The field that an error is about. A form without it shows the error above itself.
FIELD_OF = {
    "long_name": "name",
    **dict.fromkeys(("invalid_email", "email_taken", "email_domain_refused"), "email"),
    **dict.fromkeys((*OF_RULE.values(), "long_password"), "password"),
    "wrong_answer": "answer",
    "wrong_code": "user_code",
}


def of_password(refusal: LatchkeyError) -> str:
    """What a form says of a refusal, in whose code there may be less than its reader wants to know of a password."""
    if isinstance(refusal, LongPassword):
        return "long_password"
    return OF_RULE[refusal.rule] if isinstance(refusal, WeakPassword) else refusal.code


def of_field(refusal: LatchkeyError) -> str:
    """The same of any field: what is none of the refusals with a code of their own is no e-mail address."""
    error = of_password(refusal)
    return "invalid_email" if error == InvalidRequest.code else error


def redirect_with_errors(
    page_request: PageRequest,
    page: str,
    form: tuple[str, str],
    refusal: LatchkeyError,
    error: str,
    *,
    mistakes: Mapping[str, str] = {},
    **fields: str,
) -> Answer:
    """Redirects to the page of a form, which shows the error; `form` is its name and what ties it to the browser.

    `mistakes` has the errors of fields, if there can be several; without it the error's own field has it.
    """
    svc = page_request.svc
    request_log.set_outcome(refusal)
    weak = refusal if isinstance(refusal, WeakPassword) else WeakPassword()
    record = SealedFormError(
        error=error,
        mistakes=dict(mistakes) or ({FIELD_OF[error]: error} if error in FIELD_OF else {}),
        score=weak.score,
        advice=weak.advice,
        retry_at=svc.now() + getattr(refusal, "retry_after", 0),
        form_token=macs.mac(svc, "mistake", *form, page_request.to),
        # What is too long for a cookie cannot be right.
        fields={name: text for name, text in fields.items() if len(text) <= MAX_FIELD},
    )
    texts = (sealing.seal(svc, each) for each in (record, msgspec.structs.replace(record, fields={})))
    cookie = next(each for each in texts if len(each) <= MAX_COOKIE)
    answer = redirect(f"{svc.settings.issuer}/{page}")
    return with_cookie(answer, cookies.write(svc.settings, cookies.FORM_ERROR, cookie, seconds=record.seconds))


def read(page_request: PageRequest, form: tuple[str, str]) -> FormError:
    """The error of this form in this browser, an empty one if there is none."""
    svc = page_request.svc
    cookie = cookies.read(svc.settings, page_request.caller.headers, cookies.FORM_ERROR)
    record = sealing.unseal(svc, cookie, SealedFormError) if cookie else None
    if record is None or not macs.verify_mac(svc, record.form_token, "mistake", *form, page_request.to):
        return FormError()
    wait = max(0, record.retry_at - svc.now())
    return FormError(record.error, wait, record.fields, record.mistakes, record.score, record.advice)


def clear(page_request: PageRequest, form_error: FormError, page: Answer) -> Answer:
    """A page that shows an error, with its cookie deleted."""
    if not form_error.error:
        return page
    return with_cookie(page, cookies.write(page_request.svc.settings, cookies.FORM_ERROR, "", seconds=0))
