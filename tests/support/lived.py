"""An account that has lived through everything that an account can, by the endpoints that are open to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.config import Settings
from chalicelib.domain.accounts.model import User
from chalicelib.flows.accounts import account, mail_problems
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import code_app, mailed_login, passkeys
from tests.support.authenticator import Authenticator
from tests.support.browser import API, App, Browser, register, send, token_response
from tests.support.code_app import CodeApp
from tests.support.delivery import DeliveringPhone
from tests.support.phone import PASSWORD, Clock
from tests.support.remembered import remember
from tests.support.ses import SentMail, Ses

OLD, EMAIL, NEVER = "Ann.Of.Old@example.com", "Ann.Marie@example.com", "ann.to.be@example.com"
RESET_PASSWORD, NEW_PASSWORD = "an entirely other phrase 7", "bridges over seven harbours 8"
NAME, DEVICE = "Annabel Leigh", "Annabel\u2019s phone"
ATTRIBUTES = {"plan": ("string", "person", 100), "internal": ("string", "administrator", 100)}


def where_most_can_happen(settings: Settings) -> Settings:
    """The settings of a deployment that has all of it."""
    return replace(
        settings,
        mail_from="login@id.example",
        attributes=ATTRIBUTES,
        email_codes=True,
        password_history=3,
        sessions_per_account=90,
    )


@dataclass
class Life:
    """One account, with the texts that open something of it, or did: none of them is anybody's business."""

    svc: Services
    phone: DeliveringPhone
    mailbox: Ses
    clock: Clock
    uid: str = ""
    access_token: str = ""
    app: CodeApp | None = None
    browser: Browser | None = None
    secrets: list[str] = field(default_factory=lambda: [PASSWORD, RESET_PASSWORD, NEW_PASSWORD])

    def user(self) -> User:
        """The account as it is."""
        user = self.svc.users.read(self.uid)
        assert user
        return user

    def call(self, line: str, body: object = None, status: int = 200) -> Any:
        """A call of the JSON API, logged in."""
        return _checked(self.phone.call(line, body, token=self.access_token), status)

    def mail(self, to: str) -> SentMail:
        """The latest mail to an address."""
        return [mail for mail in self.mailbox.mails if mail.to == to][-1]

    def keep(self, tokens: Mapping[str, Any]) -> None:
        """Keeps tokens as secrets; an access token is the one that calls come with from now on."""
        self.access_token = tokens["access_token"]
        self.secrets += [text for name, text in tokens.items() if name.endswith("_token")]


def live(life: Life) -> None:
    """From the sign-up to a login of a moment ago, with everything between."""
    for chapter in (_grow_up, _move, _forget_the_password, _use_applications, _add_factors, _make_mistakes):
        chapter(life)
        life.clock.advance(60)
    _log_in(life)


def _grow_up(life: Life) -> None:
    signed_up = life.phone.sign_up(OLD, name=NAME, device=DEVICE)
    life.uid = signed_up["user"]["sub"]
    life.keep({name: value for name, value in signed_up.items() if name != "user"})
    life.call("POST /me/email/verification/code", {"code": life.mail(OLD).code}, 204)
    life.call("PATCH /me", {"given_name": "Annabel", "birthdate": "1990-04-17", "attributes": {"plan": "garden"}})
    account.set_attributes(life.svc, life.user(), {"internal": "a note of an administrator"})
    life.svc.users.set_roles(life.uid, roles=("editor",))


def _move(life: Life) -> None:
    change = life.call("POST /me/email", {"email": NEVER, "password": PASSWORD}, 202)
    change = life.call("POST /me/email", {"email": EMAIL, "password": PASSWORD}, 202)
    life.call("POST /me/email/confirm", {"token": change["token"], "code": life.mail(EMAIL).code}, 204)


def _forget_the_password(life: Life) -> None:
    _checked(life.phone.call("POST /login", {"email": EMAIL, "password": "no idea"}), 401)
    _checked(life.phone.call("POST /password/reset", {"email": EMAIL}), 204)
    reset = {"token": life.mail(EMAIL).token, "new_password": RESET_PASSWORD}
    _checked(life.phone.call("POST /password/reset/confirm", reset), 204)
    attempt = _checked(life.phone.call("POST /login/code", {"email": EMAIL}), 202)["login_token"]
    code = {"login_token": attempt, "code": mailed_login.code_for(life.svc, attempt)}
    life.keep(_checked(life.phone.call("POST /login/code/confirm", code), 200))
    change = {"current_password": RESET_PASSWORD, "new_password": NEW_PASSWORD}
    life.call("POST /me/password", change, 204)


def _use_applications(life: Life) -> None:
    life.browser = Browser(life.phone)
    web, login = life.browser, {"email": EMAIL, "password": NEW_PASSWORD}
    web.submit(web.get("/account"), "/authorize/login", **login)
    site = register(life.svc, life.phone, resources=(API,), backchannel_logout_uri="https://app.example/out")
    for resource in (None, API):
        tokens = token_response(site.redeem(_code(web, site.request(resource=resource)), resource=resource))
        life.secrets += [tokens["access_token"], tokens["refresh_token"]]
    site.refresh(tokens["refresh_token"])
    # A code that nobody redeems, of a request that the client has pushed, and a device that is never asked for again.
    request_uri = site.post("/oauth/par", site.request(login_hint=EMAIL)).json()["request_uri"]
    life.secrets.append(_code(web, {"client_id": site.id, "request_uri": request_uri}))
    _approve_device(life, register(life.svc, life.phone, "television"))
    native = register(life.svc, life.phone, "native", first_party=True)
    fields = {name: value for name, value in native.request().items() if name not in ("state", "redirect_uri")}
    _checked(send(life.phone, "/oauth/authorize-challenge", {**fields, **login}), 200)
    exchanger = register(life.svc, life.phone, "exchanger")
    exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
    kind = "urn:ietf:params:oauth:token-type:access_token"
    site_token = token_response(site.redeem(_code(web, site.request())))["access_token"]
    token_response(exchanger.token(exchange, subject_token=site_token, subject_token_type=kind, resource=API))


def _code(web: Browser, request: Mapping[str, str]) -> str:
    page = web.get("/oauth/authorize", request)
    if page.status == 200:
        page = web.submit(page, "/authorize/consent", decision="allow")
    location = page.header("Location") or ""
    assert "code=" in location, page
    return location.partition("code=")[2].partition("&")[0]


def _approve_device(life: Life, television: App) -> None:
    assert life.browser
    codes = token_response(television.post("/oauth/device", {"scope": "notes:read"}))
    page = life.browser.submit(life.browser.get("/device"), "/device", user_code=codes["user_code"])
    life.browser.submit(page, "/device", decision="allow")


def _add_factors(life: Life) -> None:
    life.app = code_app.enrol(life.phone, life.access_token, life.clock, name="Annabel\u2019s app")
    life.secrets.append(life.app.parameters["secret"])
    life.secrets += life.call("POST /me/factors/recovery-codes", status=201)["codes"]
    begun = life.call("POST /me/factors", {"kind": "email_code"})
    confirm = {"token": begun["token"], "answer": life.mail(EMAIL).code}
    life.call("POST /me/factors/confirm", confirm, 201)
    passkeys.enrol(life.svc, life.uid, Authenticator())
    remember(life.svc, life.uid)


def _make_mistakes(life: Life) -> None:
    login = {"email": EMAIL, "password": NEW_PASSWORD}
    text = life.phone.call("POST /login", login).json()["mfa_token"]
    life.secrets.append(text)
    for factor in ("totp", "recovery_code"):
        wrong = {"mfa_token": text, "factor": factor, "answer": "000000"}
        _checked(life.phone.call("POST /login/proof", wrong), 401)
    _checked(life.phone.call("POST /signup", {"email": EMAIL, "password": PASSWORD}), 409)
    _checked(life.phone.call("POST /password/reset", {"email": EMAIL}), 204)
    _checked(life.phone.call("POST /login/code", {"email": EMAIL}), 202)
    assert mail_problems.note(life.svc, EMAIL, "bounce")


def _log_in(life: Life) -> None:
    assert life.app
    begun = life.phone.call("POST /login", {"email": EMAIL, "password": NEW_PASSWORD}).json()
    proof = {"mfa_token": begun["mfa_token"], "factor": "totp", "answer": life.app.code()}
    life.keep(_checked(life.phone.call("POST /login/proof", proof), 200))


def _checked(answer: Answer, status: int) -> Any:
    assert answer.status == status, (answer.status, answer.body)
    return answer.json() if answer.body and answer.body[:1] == b"{" else None
