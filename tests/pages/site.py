"""What the browser tests stand on: a deployment with people in it, and an application that sends them to it."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from playwright.sync_api import Page

from chalicelib.domain.authentication.user_agent import UserAgent
from chalicelib.domain.oauth.client import CODE, DEVICE_CODE, REFRESH, Client
from chalicelib.flows.accounts import signup
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import counter
from tests.support.browser import CHALLENGE, VERIFIER, forms

PASSWORD = "correct horse battery staple"
SCOPES = ("openid", "profile", "email", "offline_access")


@dataclass
class Site:
    """A deployment at its address."""

    svc: Services

    @property
    def url(self) -> str:
        """Its issuer."""
        return self.svc.settings.issuer

    def person(self) -> str:
        """Somebody with an account, and the password of everybody here; returns the address."""
        address = f"layla-{uuid4().hex[:8]}@example.com"
        agent = UserAgent(network=address, language="en")
        signup.sign_up(self.svc, address=address, password=PASSWORD, name="Layla", agent=agent)
        return address

    def careful_person(self, *factors: str) -> str:
        """The same with further factors."""
        address = self.person()
        for factor in factors or ("counter",):
            counter.enrol(self.svc, self.svc.users.find(address) or "", factor)
        return address

    def post(self, path: str, **fields: str) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer to a form that no browser sends."""
        request = urllib.request.Request(f"{self.url}{path}", data=urlencode(fields).encode())
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.load(refusal)


@dataclass
class Application:
    """A registered client; `answers` are what came back to it, the latest last, and `onward` where it sends its user then.

    `demanding` is another one of it, which demands a second factor.
    """

    site: Site
    uri: str
    answers: list[str]
    onward: list[str]
    id: str = field(init=False)
    stranger: str = field(init=False)
    demanding: str = field(init=False)

    def __post_init__(self) -> None:
        client = Client(
            client_id="",
            client_name="Garden Planner",
            token_endpoint_auth_method="none",
            application_type="native",
            grant_types=(CODE, REFRESH, DEVICE_CODE),
            redirect_uris=("http://127.0.0.1/cb", "https://garden.example/cb"),
            post_logout_redirect_uris=("https://garden.example/bye",),
            scopes=SCOPES,
            policy_uri="https://garden.example/privacy",
            tos_uri="https://garden.example/terms",
        )
        self.id = manage.create(self.site.svc, client)[0].client_id
        self.demanding = manage.create(self.site.svc, replace(client, require_second_factor=True))[0].client_id
        # The same, of a client that no operator has made: it registered itself.
        self.stranger = manage.create(self.site.svc, replace(client, registration_token="a digest"))[0].client_id

    def link(self, **changes: str) -> str:
        """Where the application sends its user."""
        good = {
            "client_id": self.id,
            "redirect_uri": self.uri,
            "response_type": "code",
            "scope": " ".join(SCOPES),
            "state": "a state",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return f"{self.site.url}/oauth/authorize?{urlencode({**good, **changes})}"

    def callback_params(self, window: Page) -> dict[str, str]:
        """What the application was told, once the browser is back at it."""
        window.wait_for_url(f"{self.uri}**")
        return dict(parse_qsl(self.answers[-1].partition("?")[2]))

    def redeemed(self, code: str) -> dict[str, Any]:
        """The tokens for a code."""
        status, tokens = self.site.post(
            "/oauth/token",
            grant_type=CODE,
            code=code,
            client_id=self.id,
            redirect_uri=self.uri,
            code_verifier=VERIFIER,
        )
        assert status == 200, tokens
        return tokens

    def device(self) -> dict[str, Any]:
        """Codes for a device of the application's."""
        status, codes = self.site.post("/oauth/device", client_id=self.id)
        assert status == 200, codes
        return codes


def send(window: Page, place: str, path: str, **typed: str) -> str:
    """Sends the form of a page that goes to a path, as the browser of a window would and without showing it the page.

    Returns where the answer leads, which no window has opened yet.
    """
    page = window.context.request.get(place)
    page_forms = forms(Answer(page.status, [], page.body()))
    (form,) = [form for action, form in page_forms.items() if action.endswith(path)]
    issuer = form.action.removesuffix(path)
    sent: dict[str, str | float | bool] = {**form.hidden, **typed}
    answer = window.context.request.post(form.action, form=sent, headers={"Origin": issuer}, max_redirects=0)
    assert answer.status == 303, answer
    return answer.headers["location"]


def open_logged_in(window: Page, place: str, address: str) -> None:
    """Opens what a place leads somebody to who logs in on the way; the login itself is not shown."""
    window.goto(send(window, place, "/authorize/login", email=address, password=PASSWORD))


def log_in(window: Page, address: str) -> None:
    """Fills in the login form and sends it."""
    window.locator("#email").fill(address)
    window.locator("#password").fill(PASSWORD)
    press(window, "form[action$='/authorize/login'] button:not([formaction])")


def decide(window: Page, decision: str) -> None:
    """Presses a button of the consent form."""
    press(window, f"button[value={decision}]")


def press(window: Page, button: str) -> None:
    """Presses a button and waits for the page that it leads to; those that a script adds lead nowhere."""
    with window.expect_navigation(wait_until="commit"):
        window.locator(button).and_(window.locator(":not([type=button])")).click()
    window.locator("body").wait_for()
