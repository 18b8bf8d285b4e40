"""Errors as pages; after a form the browser is redirected to the page, so that a reload does not send the form again."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from ...domain import errors
from ...domain.errors import LatchkeyError
from ...domain.records.sealed import SealedErrorPage
from ...flows.platform import sealing
from ...services import Services
from ..http import request_log
from ..http.answers import Answer, status_of
from ..http.languages import language_of
from . import html, language_choice
from .page_request import StalePage, redirect, verified_path

Pairs = tuple[tuple[str, str], ...]
REFUSALS = (StalePage, errors.TooManyRequests)
STATUSES = {
    StalePage.code: 403,
    errors.InvalidGrant.code: 400,
    errors.InvalidClient.code: 400,
    errors.InvalidCredentials.code: 400,
}
# Every error that a form can end in.
FORM_REFUSALS = (
    *REFUSALS,
    errors.NotFound,
    errors.PayloadTooLarge,
    errors.UnsupportedMediaType,
    errors.InvalidClient,
    errors.SignUpClosed,
    errors.EnrolmentRequired,
    errors.Refused,
    errors.TemporarilyUnavailable,
)
# Errors after which it makes sense to try again.
RETRYABLE = (StalePage.code, errors.TemporarilyUnavailable.code, errors.TooManyRequests.code, LatchkeyError.code)


def show_error(svc: Services, headers: Mapping[str, str], pairs: Pairs, refusal: LatchkeyError) -> Answer:
    """The page of an error."""
    return _render(svc, headers, _page_content(svc, pairs, refusal))


def redirect_to_error(svc: Services, headers: Mapping[str, str], pairs: Pairs, refusal: LatchkeyError) -> Answer:
    """Redirects to the page of an error that a form ended in."""
    content = _page_content(svc, pairs, refusal)
    try:
        text = sealing.seal(svc, content)
    except LatchkeyError:  # the keys could not be read
        return _render(svc, headers, content)
    return redirect(f"{svc.settings.issuer}/error?{urlencode({'what': text})}")


def unseal_page(svc: Services, headers: Mapping[str, str], unverified_text: str) -> Answer:
    """The page of an error that a form ended in; raises NotFound for a text that is not ours or too old."""
    content = sealing.unseal(svc, unverified_text, SealedErrorPage)
    if content is None:
        raise errors.NotFound()
    return _render(svc, headers, content)


def _render(svc: Services, headers: Mapping[str, str], content: SealedErrorPage) -> Answer:
    wait = max(0, content.retry_at - svc.now())
    page = page_of(
        svc,
        headers,
        error=content.error,
        description=content.description,
        wait=wait,
        request_id=content.request_id,
        again=content.again,
        ui_locales=content.locales,
    )
    retry_headers = {"Retry-After": str(max(1, wait))} if content.status in (429, 503) else {}
    return Answer(body=page.body, status=content.status, headers={**page.headers, **retry_headers})


def page_of(
    svc: Services,
    headers: Mapping[str, str],
    *,
    error: str,
    description: str,
    wait: int,
    request_id: str,
    again: str = "",
    ui_locales: str = "",
) -> Answer:
    """The page of an error, with the id of the request that ended in it and a way on."""
    settings = svc.settings
    preferences = language_choice.preferences(settings, headers, ui_locales)
    return html.page(
        settings,
        "error.html",
        language=language_of(settings.languages, preferences, headers.get("accept-language", "")),
        now=svc.now(),
        instead_of=language_choice.digest(ui_locales),
        error=error,
        wait=wait,
        description=description,
        own_words=error == errors.Refused.code,
        again=f"{settings.issuer}/{again}" if again else "",
        request_id=request_id,
    )


def _page_content(svc: Services, pairs: Pairs, refusal: LatchkeyError) -> SealedErrorPage:
    fields = dict(pairs)
    to = verified_path(fields.get("to", ""))
    return SealedErrorPage(
        error=refusal.code,
        description=refusal.description,
        status=status_of(refusal.code, STATUSES),
        retry_at=svc.now() + getattr(refusal, "retry_after", 0),
        again=to if refusal.code in RETRYABLE else "",
        locales=dict(parse_qsl(to.partition("?")[2])).get("ui_locales") or fields.get("ui_locales", ""),
        request_id=request_log.request_id(),
    )
