"""The offer of a passkey to whoever has just logged in by a password."""

from ...domain.authentication.model import Authenticated
from ...domain.durations import DAY
from ...flows.authentication import policy
from ...flows.authentication.factors import passkey
from ...flows.authentication.login import Progress
from ..http.answers import Answer
from . import cookies
from .page_request import PageRequest, path_with_query, verified_path, with_cookie

ADD = "account/add-passkey"  # the page that adds one
OFFER_SECONDS = 30 * DAY


def offer_passkey(page_request: PageRequest, progress: Progress, answer: Answer) -> Answer:
    """The answer after a password login, which leads over the offer of a passkey where a browser can make one.

    Its script says so in the form. A browser is asked once a month, and nobody whose login is one of several steps.
    """
    svc, parameters = page_request.svc, dict(page_request.query)
    offered = cookies.read(svc.settings, page_request.caller.headers, cookies.PASSKEY_OFFER)
    if not isinstance(progress, Authenticated) or page_request.fields.get("passkeys") != "1" or offered:
        return answer
    if passkey.NAME not in policy.possible_kinds(svc) or progress.user.has_factor(passkey.NAME):
        return answer
    # A request that wants a fresh login would not know it again after another page.
    if parameters.keys() & {"prompt", "max_age", "acr_values", "claims"}:
        return answer
    page = path_with_query(ADD, [("onward", f"/{page_request.to}")])
    headers = {**answer.headers, "Location": f"{svc.settings.issuer}/{page}"}
    cookie = cookies.write(svc.settings, cookies.PASSKEY_OFFER, "1", seconds=OFFER_SECONDS)
    return with_cookie(Answer(body=answer.body, status=answer.status, headers=headers), cookie)


def onward_of(page_request: PageRequest) -> str | None:
    """Where a login led over this page, "" for home; None for who came by themselves."""
    onward = dict(page_request.query).get("onward")
    return verified_path(onward.removeprefix("/")) if onward else None
