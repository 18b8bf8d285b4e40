"""A form with a mistake: its page tells it, behind a redirect, with what was typed but the password.

In between, that is in a cookie which only this server can read, for this form in this browser, for one page, for minutes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...domain.errors import LatchkeyError
from ...flows.platform import macs, sealing
from ..http import request_log
from ..http.answers import Answer
from . import cookies
from .page_request import PageRequest, redirect, with_cookie

PURPOSE = b"latchkey mistake\x00"
SECONDS = 300
LONGEST, LONGEST_FIELD = 2500, 400  # the address of the page and all cookies have 10,240 bytes at API Gateway


@dataclass(frozen=True, slots=True)
class Mistake:
    """What was wrong, "" for nothing, and the fields as they were typed; `wait` seconds until a try may help."""

    error: str = ""
    wait: int = 0
    typed: Mapping[str, str] = field(default_factory=dict)


def tell(
    visit: PageRequest, page: str, form: tuple[str, str], refusal: LatchkeyError, error: str, **typed: str
) -> Answer:
    """Sends the browser to the page of a form, which tells the mistake; `form` is its name and what ties it to the browser."""
    svc = visit.svc
    request_log.set_outcome(refusal)
    told = {
        "error": error,
        "retry_at": svc.now() + getattr(refusal, "retry_after", 0),
        "form_token": macs.mac(svc, "mistake", *form, visit.to),
    }
    # What is too long for a cookie is too long to be right.
    typed = {name: text for name, text in typed.items() if len(text) <= LONGEST_FIELD}
    sealed = (sealing.seal(svc, {**told, "typed": each}, purpose=PURPOSE, seconds=SECONDS) for each in (typed, {}))
    cookie = next(each for each in sealed if len(each) <= LONGEST)
    answer = redirect(f"{svc.settings.issuer}/{page}")
    return with_cookie(answer, cookies.write(svc.settings, cookies.MISTAKE, cookie, seconds=SECONDS))


def told(visit: PageRequest, form: tuple[str, str]) -> Mistake:
    """The mistake that was made in this very form."""
    svc = visit.svc
    cookie = cookies.read(svc.settings, visit.caller.headers, cookies.MISTAKE)
    found = sealing.unseal(svc, cookie, purpose=PURPOSE) if cookie else None
    if found is None or not macs.verify_mac(svc, found["form_token"], "mistake", *form, visit.to):
        return Mistake()
    return Mistake(found["error"], max(0, found["retry_at"] - svc.now()), found["typed"])


def forgotten(visit: PageRequest, mistake: Mistake, page: Answer) -> Answer:
    """A page that has told a mistake, after which it is gone."""
    if not mistake.error:
        return page
    return with_cookie(page, cookies.write(visit.svc.settings, cookies.MISTAKE, "", seconds=0))
