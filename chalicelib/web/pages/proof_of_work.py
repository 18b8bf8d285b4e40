"""The page that has a browser work before its user's password is looked at, where a deployment asks for that."""

from ...flows.platform import proof_of_work
from ..http.answers import Answer
from . import cookies, forms
from .login_form import LOG_IN, SIGN_UP, form_page, work_path
from .page_request import PageRequest, redirect, with_cookie
from .page_routes import LANGUAGE, Pages

pages = Pages(__name__)
api = pages.api

FORM = "work"


@pages.page("/authorize/work", takes=LANGUAGE | {"to", "next_form"})
def work_page(page_request: PageRequest) -> Answer:
    """Works by a script, which then sends the form."""
    challenge, bits = proof_of_work.challenge(page_request.svc)
    signed = {"challenge": challenge, "next_form": _form(page_request)}
    return forms.show(page_request, "proof_of_work.html", FORM, signed=signed, bits=bits)


@pages.form("/authorize/work", name=FORM, signed=("challenge", "next_form"), takes=frozenset({"number"}))
def keep_work(page_request: PageRequest) -> Answer:
    """Keeps what the browser has done, for the form that comes next."""
    svc, fields = page_request.svc, page_request.fields
    answer = f"{fields['challenge']}.{fields.get('number', '')}"
    if proof_of_work.single_use(svc, answer) is None:
        return redirect(f"{svc.settings.issuer}/{work_path(page_request, _form(page_request))}")
    onward = redirect(f"{svc.settings.issuer}/{form_page(page_request, _form(page_request))}")
    return with_cookie(onward, cookies.write(svc.settings, cookies.WORK, answer, seconds=proof_of_work.SECONDS))


def _form(page_request: PageRequest) -> str:
    return SIGN_UP if page_request.fields.get("next_form") == SIGN_UP else LOG_IN
