"""The further factors of an account, for who has just logged in with all of them: listed, named, added and removed."""

import json
from typing import Any
from urllib.parse import urlencode

import msgspec

from ...domain import errors
from ...domain.accounts.model import EnrolledFactor
from ...domain.authentication import webauthn
from ...flows.authentication import enrolment, policy
from ...flows.authentication.factors import FACTORS, passkey, recovery_code
from ...flows.oauth.interactions import Interaction
from ...flows.platform import passkey_domain
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import form_errors, forms
from .page_request import PageRequest, path_with_query, redirect, redirect_to_page
from .page_routes import LANGUAGE, Pages

pages = Pages(__name__)
api = pages.api

PAGE, FORM, ADD, ADD_FORM = "account/factors", "factors", "account/add-factor", "add factor"
ADDED, REMOVED, RENAMED, GONE, CODES = "added", "removed", "renamed", "gone", "codes"
FORM_ERRORS = (errors.LastFactor, errors.TooManyFactors, errors.TooManyRequests, errors.InvalidRequest)
ADD_ERRORS = (errors.InvalidCredentials, errors.TooManyFactors, errors.TooManyRequests)
LONGEST_NAME = 100


@pages.page(f"/{PAGE}", logged_in=True, fresh=True)
def factors_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """What the account asks for besides the password; whoever has not just logged in does so first."""
    svc, user = page_request.svc, browser_session.user
    interaction = page_request.interaction(browser_session)
    listed = enrolment.list_factors(svc, user)
    return forms.show(
        page_request,
        "factors.html",
        FORM,
        browser_session,
        user=user.email,
        factors=[_values(each) for each in listed],
        kinds=enrolment.kinds_on_pages(svc),
        passkeys_possible=passkey.NAME in policy.possible_kinds(svc) and passkey_domain.is_name(svc),
        rp=passkey_domain.relying_party(svc).id,
        user_handle=webauthn.user_handle(user.uid),
        accepted=json.dumps(
            [passkey.credential_of(each).credential_id for each in listed if each.kind == passkey.NAME]
        ),
        codes_for=enrolment.any_beside_stand_ins(each.entry for each in listed),
        done=interaction.action if interaction else "",
        codes=interaction.detail.split() if interaction and interaction.action == CODES else [],
        query=page_request.to.removeprefix(PAGE),
    )


@pages.form(
    f"/{PAGE}", name=FORM, takes=frozenset({"add", "remove", "rename", "name", "codes"}), logged_in=True, fresh=True
)
def change_factors(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Removes or names a factor, makes new recovery codes, or leads to where one is added."""
    fields = page_request.fields
    if "add" in fields:
        return _redirect_to_add(page_request, kind=fields["add"])
    try:
        return page_request.redirect_after(browser_session, _change(page_request, browser_session))
    except errors.NotFound:  # the list was an old one
        return page_request.redirect_after(browser_session, Interaction(GONE))
    except FORM_ERRORS as refusal:
        form = (FORM, browser_session.session.session_id)
        return form_errors.redirect_with_errors(page_request, page_request.to, form, refusal, refusal.code)


def _change(page_request: PageRequest, browser_session: Browser) -> Interaction:
    svc, fields, language = page_request.svc, page_request.fields, page_request.language
    user, session = browser_session.user, browser_session.session
    if "rename" in fields:
        enrolment.rename(svc, user, fields["rename"], _name(fields.get("name", "")))
        return Interaction(RENAMED)
    if "codes" in fields:
        codes = enrolment.replace_recovery_codes(svc, user, session, auth_time=session.auth_time, language=language)
        return Interaction(CODES, " ".join(codes))
    factor_id = fields.get("remove", "")
    enrolment.remove(svc, user, session, factor_id, auth_time=session.auth_time, language=language)
    return Interaction(REMOVED)


@pages.page(f"/{ADD}", takes=LANGUAGE | {"kind", "token"}, logged_in=True, fresh=True)
def add_factor_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Shows what is to be added, and asks for the answer that confirms it: the same for as long as its address is the same."""
    svc, user, session = page_request.svc, browser_session.user, browser_session.session
    fields, kinds = page_request.fields, enrolment.kinds_on_pages(svc)
    token, kind = fields.get("token", ""), fields.get("kind") or next(iter(kinds), "")
    try:
        kind, challenge = enrolment.reopen(svc, user, token, holder=session.session_id)
    except errors.LoginExpired:  # or not begun yet
        return _begin(page_request, browser_session, kind)
    except errors.InvalidRequest:
        return redirect_to_page(page_request, PAGE)
    return forms.show(
        page_request,
        "add_factor.html",
        ADD_FORM,
        browser_session,
        signed={"token": token},
        user=user.email,
        kind=kind,
        challenge=challenge,
        is_number=FACTORS[kind].is_number,
        back=path_with_query(PAGE, _language(page_request)),
    )


def _begin(page_request: PageRequest, browser_session: Browser, kind: str) -> Answer:
    user, holder = browser_session.user, browser_session.session.session_id
    try:
        pending = enrolment.begin(page_request.svc, user, page_request.user_agent, kind=kind, holder=holder)
    except (errors.InvalidRequest, errors.TooManyFactors, errors.TooManyRequests):
        return redirect_to_page(page_request, PAGE)
    return _redirect_to_add(page_request, kind=kind, token=pending.token)


@pages.form(f"/{ADD}", name=ADD_FORM, signed=("token",), takes=frozenset({"answer", "name"}), logged_in=True)
def add_factor_on_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Adds the factor by the answer for what was shown."""
    svc, fields, session = page_request.svc, page_request.fields, browser_session.session
    listing = msgspec.structs.replace(page_request, to=path_with_query(PAGE, _language(page_request)))
    try:
        enrolment.check_level(svc, browser_session.user, session)
        enrolment.finish(
            svc,
            browser_session.user,
            fields.get("token", ""),
            answer=fields.get("answer", ""),
            name=_name(fields.get("name", "")),
            holder=session.session_id,
            session=session,
            agent=page_request.user_agent,
        )
    except (errors.LoginRequired, errors.LoginExpired):
        return listing.start_over()
    except ADD_ERRORS as refusal:
        error = "wrong_answer" if isinstance(refusal, errors.InvalidCredentials) else refusal.code
        form = (ADD_FORM, session.session_id)
        name = fields.get("name", "")
        return form_errors.redirect_with_errors(page_request, page_request.to, form, refusal, error, name=name)
    return listing.redirect_after(browser_session, Interaction(ADDED))


def _redirect_to_add(page_request: PageRequest, **parameters: str) -> Answer:
    query = urlencode([*_language(page_request), *parameters.items()])
    return redirect(f"{page_request.svc.settings.issuer}/{ADD}?{query}")


def _name(typed: str) -> str:
    """What was typed for a name, on one line."""
    return "".join(letter for letter in " ".join(typed.split()) if letter.isprintable())[:LONGEST_NAME]


def _language(page_request: PageRequest) -> list[tuple[str, str]]:
    return [pair for pair in page_request.query if pair[0] in LANGUAGE]


def _values(factor: EnrolledFactor) -> dict[str, Any]:
    return {
        "id": factor.id,
        "kind": factor.kind,
        "name": factor.name,
        "created_at": factor.created_at,
        "last_used_at": factor.last_used_at,
        "codes_left": recovery_code.codes_left(factor),
    }
