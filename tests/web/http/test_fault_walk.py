"""Each route that calls AWS, and each grant, has its calls failed: in the two files of faults, or here, where a line will do.

A route of a line answers 503 at whatever call fails, and works when it is begun anew.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from html import unescape
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from chalicelib.domain.accounts.model import User
from chalicelib.flows.accounts import mailed_signup, recovery, verification
from chalicelib.services import Services, use
from chalicelib.web.metadata.apis import operations
from local.gateway import Answer
from tests.support import account_pages, code_app, counter, email_change, mailed_login, passkey_sign_up, passkeys
from tests.support.authenticator import Authenticator
from tests.support.browser import CALLBACK, forms
from tests.support.grants import EXPECTED
from tests.support.login_clients import REQUEST
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed
from tests.support.prepared import from_here
from tests.support.remembered import DEVICE_ID, remember
from tests.support.session_end import session_end_link
from tests.support.wire import MODES, Wire, is_event, watched
from tests.web.api import test_faults as of_accounts
from tests.web.oauth import test_oauth_faults as of_oauth
from tests.web.oauth.test_oauth_faults import World, unavailable

ACCOUNT_SESSIONS, LOGOUT = "/account/sessions", "/oauth/logout"
PROOF, ENROL = "/authorize/proof", "/authorize/enrol"
VERIFY, FORGOT, RESET = "/account/verify-email", "/account/forgot-password", "/account/reset-password"
CHANGE, UNDO = "/account/change-email", "/account/undo-email-change"
SIGN_UP, END_SESSION = "/account/sign-up", "/account/end-session"
NEW_PASSWORD = "an entirely other phrase 7"
PAGES = {f"{each.method} {each.path}" for each in operations() if each.page}
# What makes no call, once the keys are read: documents, empty forms, what a sealed text says.
WITHOUT_CALLS = {
    *(
        "GET /openapi.json",
        "GET /docs",
        "GET /docs/{file}",
        "GET /error",
        "GET /favicon.ico",
        "POST /language",
        "GET /authorize/login",
        "GET /authorize/signup",
        "POST /login/passkey",
        "POST /signup/passkey",
        "GET /authorize/passkey",
        "GET /authorize/mailed",
        "GET /authorize/work",
        "POST /authorize/work",
        "GET /account/sign-up",
        "GET /account/sign-up-mailed",
        "GET /account/forgot-password",
        "GET /account/reset-mailed",
        "GET /account/reset-password",
        "GET /account/password-reset",
        "GET /account/email-verified",
        "GET /account/end-session",
        "GET /account/session-ended",
        "GET /account/deleted",
        "GET /account/deletion-scheduled",
        "GET /account/email-changed",
        "GET /account/undo-email-change",
        "GET /account/email-restored",
    ),
    *(f"GET {each.path}" for each in operations() if each.path.startswith("/.well-known/")),
}


class NotingPhone(Phone):
    """Notes the grant types that are sent while somebody looks."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.grant_types: set[str] | None = None

    def call(self, line: str, *arguments: Any, raw: bytes | None = None, **more: Any) -> Answer:
        if self.grant_types is not None and line == "POST /oauth/token":
            self.grant_types |= {value for name, value in parse_qsl((raw or b"").decode()) if name == "grant_type"}
        return super().call(line, *arguments, raw=raw, **more)


def with_two_factors(world: World) -> str:
    """A fresh account that needs a second factor, and its address."""
    email = f"two{world.number}-{len(world.state)}@example.com"
    world.state[email] = world.state["uid"] = world.phone.sign_up(email)["user"]["sub"]
    counter.enrol(world.svc, world.state["uid"])
    return email


def with_mfa_token(world: World) -> None:
    answer = world.phone.call("POST /login", {"email": with_two_factors(world), "password": PASSWORD})
    world.state["step"] = {"mfa_token": answer.json()["mfa_token"], "factor": "counter"}


def prove(world: World) -> Answer:
    return world.phone.call("POST /login/proof", {**world.state["step"], "answer": counter.code(world.state["uid"], 1)})


def with_remembered_device(world: World) -> None:
    """A token of an account with a device that is remembered."""
    with_factor(world)
    remember(world.svc, world.state["uid"])


def forget_device(world: World) -> Answer:
    return world.phone.call(f"DELETE /me/devices/{DEVICE_ID}", token=world.state["token"])


def with_factor(world: World) -> None:
    """A fresh account in a session of both its factors, and one of those."""
    with_mfa_token(world)
    world.state["token"] = prove(world).json()["access_token"]
    (factor,) = world.phone.call("GET /me/factors", token=world.state["token"]).json()["factors"]
    world.state["factor"] = factor["id"]


def with_code_app(world: World) -> None:
    """A fresh account whose app for codes is to be confirmed."""
    world.state["token"] = world.phone.sign_up(f"app{world.number}-{len(world.state)}@example.com")["access_token"]
    world.state[f"app {len(world.state)}"], app = code_app.begin(world.phone, world.state["token"], world.clock)
    (*_, text) = (each for name, each in world.state.items() if name.startswith("app "))
    world.state["confirmation"] = {"token": text, "answer": app.code()}


def add_factor(world: World) -> Answer:
    return world.phone.call("POST /me/factors", {"kind": "totp"}, token=world.state["token"])


def confirm_factor(world: World) -> Answer:
    return world.phone.call("POST /me/factors/confirm", world.state["confirmation"], token=world.state["token"])


def with_login_enrolment(world: World) -> None:
    """A login of a fresh account that has to get an app for codes first, which is to be confirmed."""
    wants = replace(world.svc.settings, aal2_scopes=frozenset({"notes:write"}))
    use(replace(world.svc, settings=wants))
    email = f"enrol{world.number}-{len(world.state)}@example.com"
    world.state[email] = world.phone.sign_up(email)
    begun = world.phone.call("POST /login", {"email": email, "password": PASSWORD, "scope": "notes:write"}).json()
    world.state["enrolment"] = {"mfa_token": begun["mfa_token"], "kind": "totp"}
    begun_enrolment = begin_login_enrolment(world).json()
    app = code_app.CodeApp(begun_enrolment["challenge"]["uri"], world.clock)
    confirmation = {"mfa_token": begun["mfa_token"], "token": begun_enrolment["token"], "answer": app.code()}
    world.state["confirmation"] = confirmation


def at_enrolment(world: World) -> None:
    """The page on which a fresh account that needs a second factor is to add an app for codes."""
    with_login_enrolment(world)
    email = next(reversed([each for each in world.state if each.startswith("enrol") and "@" in each]))
    world.browser.cookies.clear()
    page = world.browser.submit(
        world.browser.authorize(world.app, scope="openid notes:write"),
        "/authorize/login",
        email=email,
        password=PASSWORD,
    )
    world.state["page"] = page = world.browser.submit(page, ENROL, choose="totp")
    (uri,) = re.findall(r'href="(otpauth:[^"]+)"', page.body.decode())
    world.state["code"] = code_app.CodeApp(unescape(uri), world.clock).code()


def enrolment_page(world: World) -> Answer:
    to = forms(world.state["page"])[ENROL].hidden["to"]
    return world.browser.get(f"{ENROL}?to={quote(to, safe='')}")


def enrol_passkey(world: World) -> Answer:
    hidden = forms(world.state["page"])[f"{ENROL}/passkey"].hidden
    text = world.state["page"].body.decode().partition('data-options="')[2].partition('"')[0]
    answer = json.dumps(Authenticator().create(json.loads(unescape(text))["publicKey"]))
    return form(f"{ENROL}/passkey", enrolment=hidden["enrolment"], answer=answer)(world)


def begin_login_enrolment(world: World) -> Answer:
    return world.phone.call("POST /login/enrolment", world.state["enrolment"])


def confirm_login_enrolment(world: World) -> Answer:
    return world.phone.call("POST /login/enrolment/confirm", world.state["confirmation"])


def new_recovery_codes(world: World) -> Answer:
    return world.phone.call("POST /me/factors/recovery-codes", token=world.state["token"])


def of_factor(method: str, body: object = None) -> Callable[[World], Answer]:
    """What its owner does with it."""
    return lambda w: w.phone.call(f"{method} /me/factors/{w.state['factor']}", body, token=w.state["token"])


def with_native_app(world: World) -> None:
    world.state["app"] = world.fresh("native", first_party=True)


def first_party_login(world: World) -> Answer:
    fields = {**REQUEST, "email": EMAIL, "password": PASSWORD}
    answer: Answer = world.state["app"].post("/oauth/authorize-challenge", fields)
    return answer


def with_registration(world: World) -> None:
    client = world.phone.call("POST /oauth/register", {"redirect_uris": [CALLBACK]}).json()
    world.state["registered"] = client


def registration(method: str) -> Callable[[World], Answer]:
    """A request of a client for its own registration."""

    def act(world: World) -> Answer:
        client = world.state["registered"]
        body = {"client_id": client["client_id"], "redirect_uris": [CALLBACK]} if method == "PUT" else None
        line = f"{method} /oauth/register/{client['client_id']}"
        return world.phone.call(line, body, token=client["registration_access_token"])

    return act


def page(path: str) -> Callable[[World], Answer]:
    """A page as it is opened."""
    return lambda world: world.browser.get(path)


def at(path: str) -> Callable[[World], None]:
    """The page of who is logged in, whose form is sent next."""

    def before(world: World) -> None:
        of_oauth.with_login(world)
        world.state["page"] = world.browser.get(path)

    return before


def form(path: str, **typed: str) -> Callable[[World], Answer]:
    """The form of the page before."""
    return lambda world: world.browser.submit(world.state["page"], path, **typed)


def at_factors(world: World) -> None:
    """The page of the factors of somebody who has just logged in with both of theirs."""
    at_proof(world)
    prove_on_page(world)
    world.state["page"] = world.browser.get("/account/factors")


def new_codes_on_page(world: World) -> Answer:
    return world.browser.submit(world.state["page"], "/account/factors", codes="new")


def at_email_page(world: World) -> None:
    """The page of the address of somebody who has just made an account and logged in."""
    at_new_code_app(world)
    world.state["page"] = world.browser.get("/account/email")


def with_app(world: World) -> None:
    """The page of applications of somebody who has just allowed one."""
    world.browser.cookies.clear()
    world.app.tokens(world.browser)
    world.state["page"] = world.browser.get("/account/apps")


def take_back(world: World) -> Answer:
    return world.browser.submit(world.state["page"], "/account/apps", revoke=world.app.id)


def with_consent(world: World) -> None:
    """A token of somebody who has just allowed an application, and the id of that."""
    with_app(world)
    world.state["token"] = world.phone.log_in()["access_token"]
    world.state["consent"] = list_consents(world).json()["consents"][0]["id"]


def list_consents(world: World) -> Answer:
    return world.phone.call("GET /me/consents", token=world.state["token"])


def revoke_consent(world: World) -> Answer:
    return world.phone.call(f"DELETE /me/consents/{world.state['consent']}", token=world.state["token"])


def at_own_page(path: str) -> Callable[[World], None]:
    """A page of somebody who has just made an account and logged in."""

    def before(world: World) -> None:
        at_new_code_app(world)
        world.state["page"] = world.browser.get(path)

    return before


def at_new_code_app(world: World) -> None:
    """The page that adds an app, of somebody who has just made an account and logged in."""
    email = f"page{world.number}-{len(world.state)}@example.com"
    world.state[email] = world.phone.sign_up(email)
    world.browser.cookies.clear()
    world.browser.submit(world.browser.get("/authorize/login"), "/authorize/login", email=email, password=PASSWORD)
    world.state["page"] = world.browser.get("/account/add-factor")
    (uri,) = re.findall(r'href="(otpauth:[^"]+)"', world.state["page"].body.decode())
    world.state["code app"] = code_app.CodeApp(unescape(uri), world.clock)


def add_code_app_on_page(world: World) -> Answer:
    return world.browser.submit(world.state["page"], "/account/add-factor", answer=world.state["code app"].code())


def at_sessions(world: World) -> None:
    world.phone.log_in()  # one more, which can be ended
    at(ACCOUNT_SESSIONS)(world)


def with_new_account(world: World) -> None:
    """Somebody who has just signed up, and the page that their mail leads to."""
    tokens = world.phone.sign_up(f"new{world.number}-{len(world.state)}@example.com")
    user = world.svc.users.read(tokens["user"]["sub"])
    assert user
    world.state |= {f"new {len(world.state)}": user, "token": tokens["access_token"]}
    world.state["code"] = verification.code(world.svc, user)
    link = f"{VERIFY}?{urlencode({'token': verification.link(world.svc, user)})}"
    world.state["page"] = world.browser.get(link)


def at_verification(world: World) -> None:
    """The page that their mail leads to, after their login."""
    with_new_account(world)
    link = f"{VERIFY}?{urlencode({'token': verification.link(world.svc, newest(world))})}"
    world.state["link"] = link
    world.state["page"] = world.browser.follow_mail(link, email=newest(world).email)


def mailed(path: str, **body: str) -> Callable[[World], Answer]:
    """A request of theirs about their address; what is in the body is by its name in the state."""

    def act(world: World) -> Answer:
        fields = {name: world.state[value] for name, value in body.items()}
        return world.phone.call(f"POST {path}", fields or None, token=world.state["token"])

    return act


def at_new_password(world: World) -> None:
    """The page for a new password of a new account, whose link is in the state."""
    with_new_account(world)
    world.state |= {"token": recovery.link(world.svc, newest(world)), "password": f"{PASSWORD} {len(world.state)}"}
    world.state["page"] = world.browser.get(f"{RESET}?{urlencode({'token': world.state['token']})}")


def at_email_change(path: str, link: Callable[[Services, User], str]) -> Callable[[World], None]:
    """The page that a mail about another address of a new account leads to."""

    def before(world: World) -> None:
        with_new_account(world)
        user = newest(world)
        mailed_link = f"{path}?{urlencode({'token': link(world.svc, user)})}"
        world.state["link"] = mailed_link
        world.state["page"] = world.browser.follow_mail(mailed_link, email=user.email)

    return before


def with_email_change(world: World) -> None:
    """What their app needs to confirm another address of a new account."""
    with_new_account(world)
    world.state["change"], world.state["code"] = email_change.change_token(world.svc, newest(world))


def newest(world: World) -> User:
    """The latest of the new accounts."""
    (*_, user) = (each for name, each in world.state.items() if name.startswith("new "))
    assert isinstance(user, User)
    return user


def ask_for_change(world: World) -> Answer:
    body = {"email": f"change{len(world.state)}-{world.number}@example.com", "password": PASSWORD}
    return world.phone.call("POST /me/email", body, token=world.state["token"])


def with_waiting_address(world: World) -> None:
    """A new account that has asked for another address."""
    with_new_account(world)
    assert ask_for_change(world).status == 202


def at_sign_up_link(world: World) -> None:
    """The page that makes an account, whose link is in the state."""
    world.state["token"] = mailed_signup.link(world.svc, f"link{world.number}-{len(world.state)}@example.com")
    world.state["page"] = world.browser.get(f"{SIGN_UP}?{urlencode({'token': world.state['token']})}")


def at_sign_up(world: World) -> None:
    """The sign-up page of a browser in which nobody is logged in."""
    at_login(world)
    world.state["page"] = world.browser.sign_up_page(world.state["page"])


def sign_up_with_passkey(path: str) -> Callable[[World], Answer]:
    def act(world: World) -> Answer:
        page = world.state["page"].body.decode()
        options = json.loads(unescape(page.partition('data-options="')[2].partition('"')[0]))
        answer = json.dumps(Authenticator().create(options["publicKey"]))
        email = f"page{world.number}-{len(world.state)}-{options['publicKey']['user']['id']}@example.com"
        return form(path, attempt=options["attempt"], answer=answer, email=email)(world)

    return act


def by_sign_up_link(world: World) -> Answer:
    return world.phone.call("POST /signup/confirm", {"token": world.state["token"], "password": PASSWORD})


def at_login(world: World) -> None:
    """The login page of a browser in which nobody is logged in."""
    world.browser.cookies.clear()
    world.state["page"] = world.browser.authorize(world.app)


def at_login_of_new_account(world: World) -> None:
    with_new_account(world)
    at_login(world)


def ask_on_page(world: World) -> Answer:
    """The login form of the page before, by its button for a mail."""
    hidden = forms(world.state["page"])["/authorize/login"].hidden
    return world.browser.post("/authorize/mail", {**hidden, "email": newest(world).email})


def ask_for_login_mail(world: World) -> Answer:
    return world.phone.call("POST /login/code", {"email": newest(world).email})


def with_login_mail(world: World) -> None:
    """What an app of a new account has that asked for a mail to log in by, with the code of that."""
    with_new_account(world)
    login_token = ask_for_login_mail(world).json()["login_token"]
    code = mailed_login.code_for(world.svc, login_token)
    world.state["login"] = {"login_token": login_token, "code": code}


def at_login_code(world: World) -> None:
    """The page that asks for the code of a new account's mail."""
    with_new_account(world)
    at_login(world)
    world.state["page"] = ask_on_page(world)
    world.state["code"] = mailed_login.code_for(world.svc, world.browser.cookies[mailed_login.COOKIE])


def with_guest(world: World) -> None:
    world.state["guest"] = world.phone.call("POST /signup/guest").json()


def with_new_passkey(world: World) -> None:
    """What an app sends to make an account with the passkey that its device has made."""
    begun = passkey_sign_up.begin(world.phone, f"key{world.number}-{len(world.state)}@example.com")
    world.state["passkey"] = (begun[0], Authenticator().create(begun[1]))


def with_guest_s_passkey(world: World) -> None:
    """The same of a guest."""
    with_guest(world)
    guest = world.state["guest"]
    body = {"email": f"{guest['user']['sub']}@example.com"}
    begun = world.phone.call("POST /me/upgrade/passkey", body, token=guest["access_token"])
    token, options = passkey_sign_up.token_and_options(begun)
    world.state["passkey"] = (token, Authenticator().create(options))


def upgrade_by_passkey(world: World) -> Answer:
    token, answer = world.state["passkey"]
    body = {"token": token, "answer": json.dumps(answer)}
    return world.phone.call("POST /me/upgrade/passkey/confirm", body, token=world.state["guest"]["access_token"])


def begin_upgrade_by_passkey(world: World) -> Answer:
    access = world.state["guest"]["access_token"]
    return world.phone.call("POST /me/upgrade/passkey", {"email": EMAIL}, token=access)


def upgrade(world: World) -> Answer:
    guest = world.state["guest"]
    body = {"email": f"{guest['user']['sub']}@example.com", "password": PASSWORD}
    return world.phone.call("POST /me/upgrade", body, token=guest["access_token"])


def ask_for_link(world: World) -> Answer:
    return world.phone.call("POST /password/reset", {"email": f"{len(world.state)}@example.com"})


def with_reset_link(world: World) -> None:
    """A link for a new password of a verified account with two factors."""
    with_two_factors(world)
    user = world.svc.users.read(world.state["uid"])
    assert user
    verified = world.svc.users.verify_email(user)
    assert verified
    world.state["reset link"] = recovery.link(world.svc, verified)


def ask_for_reset_challenge(world: World) -> Answer:
    body = {"token": world.state["reset link"], "factor": "counter"}
    return world.phone.call("POST /password/reset/challenge", body)


def with_link(world: World) -> Answer:
    body = {"token": world.state["token"], "new_password": NEW_PASSWORD}
    return world.phone.call("POST /password/reset/confirm", body)


def at_choice(world: World) -> None:
    of_oauth.with_login(world)
    world.state["page"] = world.browser.authorize(world.app, prompt="select_account")


def at_proof(world: World) -> None:
    email = with_two_factors(world)
    world.browser.cookies.clear()
    world.state["page"] = world.browser.submit(
        world.browser.authorize(world.app), "/authorize/login", email=email, password=PASSWORD
    )


def with_passkey(world: World) -> None:
    """An account with a passkey, and the login page with what its script fetches."""
    device = world.state["device"] = Authenticator()
    email = f"key-{device.credential_id.hex()}@example.com"
    passkeys.enrol(world.svc, world.phone.sign_up(email)["user"]["sub"], device)
    world.browser.cookies.clear()
    world.state["page"] = world.browser.authorize(world.app)
    to = forms(world.state["page"])["/authorize/passkey"].hidden["to"]
    world.state["options"] = world.browser.get("/authorize/passkey", {"to": to}).json()


def log_in_with_passkey(world: World) -> Answer:
    options = world.state["options"]
    answer = json.dumps(world.state["device"].get(options["publicKey"]))
    return form("/authorize/passkey", attempt=options["attempt"], answer=answer)(world)


def at_passkey_offer(world: World) -> None:
    of_oauth.with_login(world)
    at("/account/add-passkey")(world)
    text = world.state["page"].body.decode().partition('data-options="')[2].partition('"')[0]
    world.state["options"] = json.loads(text.replace("&#34;", '"'))


def add_passkey(world: World) -> Answer:
    options = world.state["options"]
    answer = json.dumps(Authenticator().create(options["publicKey"]))
    return form("/account/add-passkey", attempt=options["attempt"], answer=answer)(world)


def proof_page(world: World) -> Answer:
    to = forms(world.state["page"])[PROOF].hidden["to"]
    return world.browser.get(f"{PROOF}?to={quote(to, safe='')}")


def prove_on_page(world: World) -> Answer:
    return form(PROOF, answer=counter.code(world.state["uid"], 1))(world)


def long_request(world: World) -> Answer:
    return world.browser.post("/oauth/authorize", {**world.app.request(), "state": "x" * 5000})


def userinfo_by_post(world: World) -> Answer:
    return world.phone.call("POST /oauth/userinfo", token=world.state["tokens"]["access_token"])


# What is done before, and the act whose calls fail.
Deed = tuple[Callable[[World], Any], Callable[[World], Answer]]
DEEDS: dict[str, Deed] = {
    "POST /login/challenge": (with_mfa_token, lambda w: w.phone.call("POST /login/challenge", w.state["step"])),
    "POST /login/proof": (with_mfa_token, prove),
    "POST /login/enrolment": (with_login_enrolment, begin_login_enrolment),
    "POST /login/enrolment/confirm": (with_login_enrolment, confirm_login_enrolment),
    "GET /me/devices": (with_remembered_device, lambda w: w.phone.call("GET /me/devices", token=w.state["token"])),
    "GET /me/activity": (with_factor, lambda w: w.phone.call("GET /me/activity", token=w.state["token"])),
    "DELETE /me/devices": (
        with_remembered_device,
        lambda w: w.phone.call("DELETE /me/devices", token=w.state["token"]),
    ),
    "DELETE /me/devices/{device_id}": (with_remembered_device, forget_device),
    "GET /me/consents": (with_consent, list_consents),
    "DELETE /me/consents/{consent_id}": (with_consent, revoke_consent),
    "GET /me/factors": (with_factor, lambda w: w.phone.call("GET /me/factors", token=w.state["token"])),
    "POST /me/factors": (with_factor, add_factor),
    "POST /me/factors/confirm": (with_code_app, confirm_factor),
    "POST /me/factors/recovery-codes": (with_factor, new_recovery_codes),
    "PATCH /me/factors/{factor_id}": (with_factor, of_factor("PATCH", {"name": "Mine"})),
    "DELETE /me/factors/{factor_id}": (with_factor, of_factor("DELETE")),
    "POST /oauth/authorize-challenge": (with_native_app, first_party_login),
    "POST /oauth/userinfo": (of_oauth.with_tokens, userinfo_by_post),
    "POST /oauth/register": (
        of_oauth.no_more,
        lambda w: w.phone.call("POST /oauth/register", {"redirect_uris": [CALLBACK]}),
    ),
    **{f"{each} /oauth/register/{{client_id}}": (with_registration, registration(each)) for each in ("GET", "PUT")},
    "DELETE /oauth/register/{client_id}": (with_registration, registration("DELETE")),
    "GET /": (of_oauth.with_login, page("/")),
    "GET /authorize/proof": (at_proof, proof_page),
    "POST /authorize/proof": (at_proof, prove_on_page),
    "GET /authorize/enrol": (at_enrolment, enrolment_page),
    "POST /authorize/enrol": (at_enrolment, lambda w: form(ENROL, answer=w.state["code"])(w)),
    "POST /authorize/enrol/passkey": (at_enrolment, enrol_passkey),
    "POST /authorize/passkey": (with_passkey, log_in_with_passkey),
    "POST /account/add-passkey": (at_passkey_offer, add_passkey),
    "POST /authorize/continue": (at_choice, form("/authorize/continue")),
    "POST /oauth/authorize": (of_oauth.no_more, long_request),
    "POST /signup/confirm": (at_sign_up_link, by_sign_up_link),
    "POST /account/sign-up": (at_sign_up_link, form(SIGN_UP, password=PASSWORD)),
    "POST /account/sign-up/passkey": (at_sign_up_link, sign_up_with_passkey(f"{SIGN_UP}/passkey")),
    "POST /authorize/signup/passkey": (at_sign_up, sign_up_with_passkey("/authorize/signup/passkey")),
    "GET /account/verify-email": (at_verification, lambda w: w.browser.get(w.state["link"])),
    "POST /account/verify-email": (at_verification, form(VERIFY)),
    "POST /login/code": (with_new_account, ask_for_login_mail),
    "POST /login/code/confirm": (
        with_login_mail,
        lambda w: w.phone.call("POST /login/code/confirm", w.state["login"]),
    ),
    "POST /authorize/mail": (at_login_of_new_account, ask_on_page),
    "POST /authorize/mailed": (at_login_code, lambda w: form("/authorize/mailed", code=w.state["code"])(w)),
    "POST /signup/guest": (of_oauth.no_more, lambda w: w.phone.call("POST /signup/guest")),
    "POST /me/upgrade": (with_guest, upgrade),
    "POST /me/upgrade/passkey": (with_guest, begin_upgrade_by_passkey),
    "POST /me/upgrade/passkey/confirm": (with_guest_s_passkey, upgrade_by_passkey),
    "POST /signup/passkey/confirm": (
        with_new_passkey,
        lambda w: passkey_sign_up.confirm(w.phone, *w.state["passkey"]),
    ),
    "POST /password/reset": (of_oauth.no_more, ask_for_link),
    "POST /password/reset/challenge": (with_reset_link, ask_for_reset_challenge),
    "POST /password/reset/confirm": (at_new_password, with_link),
    "POST /account/forgot-password": (at(FORGOT), form(FORGOT, email=EMAIL)),
    "POST /account/reset-password": (at_new_password, form(RESET, password=NEW_PASSWORD)),
    "POST /me/email/verification": (with_new_account, mailed("/me/email/verification")),
    "POST /me/email/verification/code": (with_new_account, mailed("/me/email/verification/code", code="code")),
    "POST /me/email": (with_new_account, ask_for_change),
    "DELETE /me/email": (
        with_waiting_address,
        lambda w: w.phone.call("DELETE /me/email", token=w.state["token"]),
    ),
    "POST /me/email/confirm": (with_email_change, mailed("/me/email/confirm", token="change", code="code")),
    "POST /account/end-session": (at_email_change(END_SESSION, session_end_link), form(END_SESSION)),
    "GET /account/change-email": (
        at_email_change(CHANGE, email_change.change_link),
        lambda w: w.browser.get(w.state["link"]),
    ),
    "POST /account/change-email": (at_email_change(CHANGE, email_change.change_link), form(CHANGE)),
    "POST /account/undo-email-change": (at_email_change(UNDO, email_change.undo_link), form(UNDO)),
    "GET /oauth/logout": (of_oauth.with_login, page(LOGOUT)),
    "POST /oauth/logout": (of_oauth.with_login, lambda w: w.browser.post(LOGOUT, {})),
    "POST /oauth/logout/confirm": (at(LOGOUT), form(f"{LOGOUT}/confirm")),
    **{f"GET {path}": (of_oauth.with_login, page(path)) for path in account_pages.PATHS},
    "POST /account": (at("/account"), form("/account", nickname="Annie")),
    "POST /account/apps": (with_app, take_back),
    "POST /account/password": (at_own_page("/account/password"), form("/account/password", password=NEW_PASSWORD)),
    "POST /account/export": (at_own_page("/account/export"), form("/account/export")),
    "POST /account/delete": (at_own_page("/account/delete"), form("/account/delete", decision="delete")),
    "GET /me/export": (with_new_account, lambda w: w.phone.call("GET /me/export", token=w.state["token"])),
    "POST /account/email": (at_email_page, form("/account/email", email="ann@new.example")),
    "POST /account/factors": (at_factors, new_codes_on_page),
    "POST /account/add-factor": (at_new_code_app, add_code_app_on_page),
    "POST /account/activity": (at("/account/activity"), form("/account/activity", others="end")),
    "POST /account/sessions": (at_sessions, form(ACCOUNT_SESSIONS, others="end")),
}


def with_everything(svc: Services) -> Services:
    """Services where clients may register themselves, mail is sent, and there are guests."""
    settings = replace(svc.settings, registration_open=True, mail_from="login@id.example", guests=True)
    return replace(svc, settings=settings)


@pytest.fixture
def worlds(phone: Phone, svc: Services, clock: Clock) -> Iterator[Callable[[], World]]:
    """As many browsers and clients of one user as a test wants, where clients may register themselves."""
    phone.sign_up(name="Ann")
    svc = with_everything(svc)
    with counter.installed(), installed(svc):
        yield lambda: World(phone, svc, clock)


@pytest.mark.parametrize("line", DEEDS)
def test_an_answer_that_is_lost_at_any_call_is_a_503_and_beginning_anew_works(
    worlds: Callable[[], World], svc: Services, line: str
) -> None:
    before, act = DEEDS[line]
    failure, afterwards = MODES["answer lost"]
    prepared = worlds()
    before(prepared)
    for at_call in count(1):
        failing = Wire(fail_at=at_call, failure=failure, afterwards=afterwards)
        with from_here(prepared) as world:
            with watched(svc, failing):
                answer = act(world)
            if len(failing.calls) < at_call:
                break
            if is_event(failing.calls[at_call - 1], failing.requests[at_call - 1]):
                assert answer.status < 400, answer
                continue
            unavailable(answer, page=line in PAGES)
            before(world)
            answer = act(world)
            assert answer.status < 400, answer
    assert answer.status < 400, answer
    assert at_call > 1


def test_every_route_and_every_grant_has_its_calls_failed(
    svc: Services, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    phone = NotingPhone(clock)
    with installed(svc):
        phone.sign_up(name="Ann")
        acts = [*acts_of_accounts(phone, svc, clock), *acts_of_oauth(phone, svc, clock)]
        capsys.readouterr()
        phone.grant_types = set()
        for act in acts:
            act()
    routes = {json.loads(line)["route"] for line in capsys.readouterr().out.splitlines() if '"route"' in line}
    assert phone.grant_types == set(EXPECTED)
    assert routes | set(DEEDS) | WITHOUT_CALLS == {f"{each.method} {each.path}" for each in operations()}
    assert not WITHOUT_CALLS & (routes - {"GET /authorize/login", "GET /authorize/signup"} | set(DEEDS))


def acts_of_accounts(phone: Phone, svc: Services, clock: Clock) -> Iterator[Callable[[], Answer]]:
    for name, (act, _, _) in of_accounts.FLOWS.items():
        world = of_accounts.World(phone, svc, clock)
        of_accounts.prepare(name, world)
        yield partial(act, world)


def acts_of_oauth(phone: Phone, svc: Services, clock: Clock) -> Iterator[Callable[[], Answer]]:
    for flow in of_oauth.FLOWS.values():
        world = World(phone, svc, clock)
        flow.before(world)
        yield partial(flow.act, world)


@pytest.mark.parametrize("line", sorted(WITHOUT_CALLS))
def test_what_makes_no_call_makes_none(phone: Phone, svc: Services, line: str) -> None:
    phone.call("GET /.well-known/jwks.json")
    with watched(svc) as traffic:
        phone.call(re.sub(r"\{\w+\}", "x", line))
    assert traffic.calls == []
