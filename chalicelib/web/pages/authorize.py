from urllib.parse import urlencode

from ...domain.oauth import authorization_request as oauth
from ...domain.oauth.client import host_of
from ...flows.oauth import authorize
from ...flows.oauth.authorize import AskConsent, AskLogin, AskToLeave, Destination, Done, Redirect, Step
from ...flows.oauth.interaction import Interaction
from ...flows.platform import macs
from ...flows.platform.ids import new_id
from ...services import Services
from ..http.answers import Answer
from ..http.decoding import Form
from ..http.routing import Caller
from . import html
from .error_pages import pages_api
from .login import form_page, show_form
from .page_request import AUTHORIZE, FIELDS, PageRequest, located, place_of, redirect, redirect_to_client, visit_of

api, page = pages_api(__name__)

# What the address of a page may say of its request, twice encoded, so that its cookies have room beside it.
LONGEST_QUERY = 3000


@page("GET /oauth/authorize", takes=oauth.KNOWN)
def authorize_by_get(svc: Services, caller: Caller) -> Answer:
    """Begins a login for a client (RFC 6749 section 3.1)."""
    visit = PageRequest(svc, caller, dict(caller.query), place_of(AUTHORIZE, caller.query))
    known, asked = visit.browser(), visit.destination
    after = visit.done(known)
    step = authorize.next_step(svc, asked, known, after=after)
    if isinstance(step, AskLogin | AskConsent) and len(visit.request) > LONGEST_QUERY:
        return _kept(visit, asked)
    answer = _answered(visit, asked, step)
    return visit.arrived(asked.pushed, answer) if asked.pushed else answer


@page("POST /oauth/authorize", body=Form, takes=oauth.KNOWN)
def authorize_by_post(svc: Services, caller: Caller, form: Form) -> Answer:
    """The same with the request in a form (OpenID Connect Core 3.1.2.1)."""
    # A browser keeps its cookies back from another site's form, but not from the redirect that follows it.
    request = urlencode(form.pairs)
    if len(request) <= LONGEST_QUERY:
        return _begin(svc, request)
    visit = PageRequest(svc, caller, dict(form.pairs), place_of(AUTHORIZE, form.pairs))
    asked = visit.destination
    return _answered(visit, asked, authorize.next_step(svc, asked, None)) if asked.faults else _kept(visit, asked)


def _begin(svc: Services, request: str) -> Answer:
    return redirect(f"{svc.settings.issuer}/{AUTHORIZE}?{request}")


def _kept(visit: PageRequest, asked: Destination) -> Answer:
    short = authorize.keep(visit.svc, asked.client, visit.query, network=visit.caller.network)
    return _begin(visit.svc, urlencode(short))


@page("POST /authorize/consent", body=Form, takes=FIELDS | {"shown", "interaction", "decision"})
def consent(svc: Services, caller: Caller, form: Form) -> Answer:
    """The consent form."""
    visit = visit_of(svc, caller, form.pairs)
    known = visit.browser()
    if known is None:
        return visit.start_over(AUTHORIZE)
    shown, belongs_to = (visit.fields.get(name, "") for name in ("shown", "interaction"))
    visit.verify_form_token("consent", known, shown, belongs_to)
    decision = visit.fields.get("decision")
    if decision == "switch":
        return redirect(f"{svc.settings.issuer}/{form_page(visit, 'login')}")
    done = Done.AGREED if decision == "allow" else Done.DENIED
    return visit.onward(known, Interaction(done.value, shown, belongs_to))


def _answered(visit: PageRequest, asked: Destination, step: Step) -> Answer:
    if isinstance(step, Redirect):
        return _redirected(visit, step)
    if isinstance(step, AskLogin):
        return show_form(visit, "login", asked=asked, known=step.known, email=step.hint)
    if isinstance(step, AskToLeave):
        return _ask_to_leave(visit, step.answer, asked)
    return _ask_consent(visit, step, asked)


def _redirected(visit: PageRequest, step: Redirect) -> Answer:
    if step.mode == "form_post":
        return visit.show("form_post.html", sends_to=step.uri, uri=step.uri, fields=step.fields)
    return redirect_to_client(step.uri, step.fields)


def _ask_to_leave(visit: PageRequest, answer: Redirect, asked: Destination) -> Answer:
    by_form = answer.mode == "form_post"
    page = visit.show(
        "leaving.html",
        locales=asked.params.get("ui_locales", ""),
        sends_to=answer.uri,
        place=host_of(answer.uri),
        uri=answer.uri if by_form else located(answer.uri, answer.fields),
        fields=answer.fields if by_form else None,
        error=answer.fields["error"],
        told=answer.fields["error_description"],
    )
    return Answer(body=page.body, status=400, headers=page.headers)


def _ask_consent(visit: PageRequest, step: AskConsent, asked: Destination) -> Answer:
    return visit.show(
        "consent.html",
        locales=asked.params.get("ui_locales", ""),
        sends_to=asked.params["redirect_uri"],
        client=step.client,
        user=step.browser.user.email,
        scope=step.scope,
        api=html.api_name(visit.svc.settings, step.resource),
        user_code="",
        place=host_of(asked.params["redirect_uri"]),
        action="authorize/consent",
        hidden=_consent_fields(visit, step),
    )


def _consent_fields(visit: PageRequest, step: AskConsent) -> dict[str, str]:
    shown, belongs_to = " ".join(step.scope), step.interaction or new_id()
    form_token = macs.mac(visit.svc, "consent", step.browser.session.session_id, visit.to, shown, belongs_to)
    return {"to": visit.to, "shown": shown, "interaction": belongs_to, "form_token": form_token}
