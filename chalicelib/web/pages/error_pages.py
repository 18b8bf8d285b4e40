"""How a refusal looks to a person: a page, and after a form a page of its own, so that a reload sends nothing again."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ...domain import errors
from ...domain.errors import LatchkeyError
from ...flows.platform import sealing
from ...services import Services
from ..http.answers import Answer, status_of
from ..http.routing import Api
from . import html
from .page_request import StalePage, known_place, redirect

Declare = Callable[[Callable[..., Answer]], Callable[..., Answer]]
Pairs = tuple[tuple[str, str], ...]
REFUSALS = (StalePage, errors.TooManyRequests)
STATUSES = {
    StalePage.code: 403,
    errors.InvalidGrant.code: 400,
    errors.InvalidClient.code: 400,
    errors.InvalidCredentials.code: 400,
}
# All that a form can be answered with.
SHOWN = (
    *REFUSALS,
    errors.NotFound,
    errors.PayloadTooLarge,
    errors.UnsupportedMediaType,
    errors.InvalidClient,
    errors.TemporarilyUnavailable,
)
# What trying again can mend.
RETRYABLE = (StalePage.code, errors.TemporarilyUnavailable.code, errors.TooManyRequests.code, LatchkeyError.code)
PURPOSE = b"latchkey refusal\x00"
SECONDS = 300


def pages_api(import_name: str) -> tuple[Api, Callable[..., Declare]]:
    """A door for pages: what it refuses, it refuses with a page."""
    made = Api(import_name)

    def page(line: str, **declared: Any) -> Declare:
        of_ours = "form_token" in declared.get("takes", ())
        shows = _by_redirect if of_ours else _at_once
        return made.route(line, **{"statuses": STATUSES, "errors": REFUSALS, "page": shows, **declared})

    return made, page


def _at_once(svc: Services, headers: Mapping[str, str], pairs: Pairs, refusal: LatchkeyError) -> Answer:
    return _page(svc, headers, _told(svc, pairs, refusal))


def _by_redirect(svc: Services, headers: Mapping[str, str], pairs: Pairs, refusal: LatchkeyError) -> Answer:
    told = _told(svc, pairs, refusal)
    try:
        text = sealing.seal(svc, told, purpose=PURPOSE, seconds=SECONDS)
    except LatchkeyError:  # there are no keys to be had
        return _page(svc, headers, told)
    return redirect(f"{svc.settings.issuer}/error?{urlencode({'what': text})}")


def page_of(svc: Services, headers: Mapping[str, str], unverified_text: str) -> Answer:
    """The page of a refusal that a form was answered with; raises NotFound where there was none, or long ago."""
    told = sealing.unseal(svc, unverified_text, purpose=PURPOSE)
    if told is None:
        raise errors.NotFound()
    return _page(svc, headers, told)


def _page(svc: Services, headers: Mapping[str, str], told: Mapping[str, Any]) -> Answer:
    wait = max(0, told["retry_at"] - svc.now())
    page = html.page(
        svc.settings,
        "error.html",
        language=html.language_of(told["locales"], headers.get("accept-language", "")),
        error=told["error"],
        wait=wait,
        told=told["told"],
        again=f"{svc.settings.issuer}/{told['again']}" if told["again"] else "",
    )
    later = {"Retry-After": str(max(1, wait))} if told["status"] in (429, 503) else {}
    return Answer(body=page.body, status=told["status"], headers={**page.headers, **later})


def _told(svc: Services, pairs: Pairs, refusal: LatchkeyError) -> dict[str, Any]:
    fields = dict(pairs)
    to = known_place(fields.get("to", ""))
    return {
        "error": refusal.code,
        "told": refusal.description,
        "status": status_of(refusal.code, STATUSES),
        "retry_at": svc.now() + getattr(refusal, "retry_after", 0),
        "again": to if refusal.code in RETRYABLE else "",
        "locales": dict(parse_qsl(to.partition("?")[2])).get("ui_locales") or fields.get("ui_locales", ""),
    }
