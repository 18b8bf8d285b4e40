"""Who may sign up, at both endpoints: nobody where it is closed, and addresses of some domains alone."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape

import pytest

from chalicelib.domain.accounts import email
from chalicelib.services import Services
from tests.support.browser import ISSUER, App, Browser, callback_params, forms, register
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.web.http.test_unauthenticated_writes import written

BOB = "bob@example.com"
SignedUp = Callable[[Services, Phone, str], bool]


def by_json(_: Services, phone: Phone, address: str) -> bool:
    answer = phone.call("POST /signup", {"email": address, "password": PASSWORD})
    assert answer.status == 201 or refusal(answer) == (422, "email_domain_refused")
    return answer.status == 201


def by_page(svc: Services, phone: Phone, address: str) -> bool:
    browser = Browser(phone)
    answer = browser.submit(browser.get("/authorize/signup"), "/authorize/signup", email=address, password=PASSWORD)
    made = svc.users.find(email.canonical(address)) is not None
    assert made or b"This service takes no e-mail addresses of this domain." in answer.body
    return made


@pytest.fixture(params=[by_json, by_page], ids=["json", "page"])
def sign_up(request: pytest.FixtureRequest) -> SignedUp:
    """An endpoint for new people, which says whether there is an account then."""
    sign_up: SignedUp = request.param
    return sign_up


@pytest.fixture
def closed(svc: Services) -> Services:
    """The same deployment once nobody may sign up any more."""
    return replace(svc, settings=replace(svc.settings, sign_up="closed"))


@pytest.mark.parametrize(
    ("permitted", "refused", "address", "may"),
    [
        ("example.com", "", "ann@example.com", True),
        ("example.com", "", "ann@EXAMPLE.COM", True),
        ("example.com", "", "ann@\uff45xample.com", True),
        ("example.com", "", "ann@mail.example.com", False),
        ("example.com", "", "ann@notexample.com", False),
        ("example.com", "", "ann@example.com.example.net", False),
        ("*.example.com", "", "ann@a.b.example.com", True),
        ("*.example.com", "", "ann@example.com", False),
        ("*.example.com", "", "ann@notexample.com", False),
        ("xn--bcher-kva.example.com", "", "ann@B\u00dcCHER.example.com", True),
        ("", "example.com", "ann@Example.com", False),
        ("", "example.com", "ann@\uff45xample\u3002com", False),
        ("", "*.example.com", "ann@mail.example.com", False),
        ("", "*.example.com", "ann@example.com", True),
        ("example.com *.example.com", "old.example.com", "ann@old.example.com", False),
        ("example.com *.example.com", "old.example.com", "ann@new.example.com", True),
    ],
)
def test_addresses_of_the_domains_that_the_operator_permits_sign_up_and_no_others(
    svc: Services, clock: Clock, sign_up: SignedUp, permitted: str, refused: str, address: str, may: bool
) -> None:
    settings = replace(svc.settings, mail_domains=tuple(permitted.split()), refused_mail_domains=tuple(refused.split()))
    svc = replace(svc, settings=settings)
    with installed(svc):
        assert sign_up(svc, Phone(clock), address) is may


def test_where_sign_up_is_closed_no_endpoint_makes_an_account_or_writes_anything(
    svc: Services, phone: Phone, closed: Services
) -> None:
    phone.sign_up()
    browser = Browser(phone)
    page = browser.get("/authorize/signup")
    with installed(closed), written(svc) as writes:
        answer = phone.call("POST /signup", {"email": BOB, "password": PASSWORD})
        assert refusal(answer) == (403, "sign_up_closed")
        # Nor does it say who has an account.
        answer = phone.call("POST /signup", {"email": EMAIL, "password": PASSWORD})
        assert refusal(answer) == (403, "sign_up_closed")
        late = browser.submit(page, "/authorize/signup", email=BOB, password=PASSWORD)
        for answer in (late, browser.get("/authorize/signup")):
            assert (answer.status, forms(answer)) == (403, {})
            assert b"You cannot make yourself an account here." in answer.body
    assert writes == []
    assert svc.users.find(BOB) is None


def test_where_sign_up_is_closed_no_page_leads_to_it_and_logging_in_goes_on(
    svc: Services, phone: Phone, closed: Services
) -> None:
    token = phone.sign_up()["refresh_token"]
    app = register(svc, phone)
    for services, leads in ((svc, True), (closed, False)):
        with installed(services):
            browser = Browser(phone)
            for path in ("/", "/authorize/login", "/account/sessions"):
                assert (b"/authorize/signup" in browser.get(path).body) is leads
            assert (b"/authorize/signup" in browser.authorize(app).body) is leads
    with installed(closed):
        phone.log_in()
        phone.refresh(token)
        assert "code" in Browser(phone).log_in(app)


def test_the_metadata_has_the_prompt_to_sign_up_where_that_is_open(
    svc: Services, phone: Phone, closed: Services
) -> None:
    for services, supported in ((svc, True), (closed, False)):
        with installed(services):
            metadata = phone.call("GET /.well-known/openid-configuration").json()
            assert ("create" in metadata["prompt_values_supported"]) is supported


@pytest.fixture
def web(svc: Services, phone: Phone) -> App:
    """A web client."""
    return register(svc, phone)


def test_a_client_that_asks_for_a_new_account_gets_the_code_of_that_account(phone: Phone, web: App) -> None:
    browser = Browser(phone)
    page = browser.authorize(web, prompt="create", login_hint=BOB)
    assert set(forms(page)) == {"/authorize/signup", "/authorize/signup/passkey"}
    assert forms(page)["/authorize/signup"].typed["email"] == BOB
    weak = browser.submit(page, "/authorize/signup", email=BOB, password="password")
    assert set(forms(weak)) == {"/authorize/signup", "/authorize/signup/passkey"}
    answer = browser.finish(browser.submit(weak, "/authorize/signup", email=BOB, password=PASSWORD))
    tokens = web.redeem(callback_params(answer)["code"]).json()
    userinfo = phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()
    assert userinfo["email"] == BOB


def test_who_is_logged_in_is_not_taken_for_the_new_account_and_may_log_in_from_there(phone: Phone, web: App) -> None:
    phone.sign_up()
    browser = Browser(phone)
    browser.log_in(web)
    page = browser.authorize(web, prompt="create")
    assert set(forms(page)) == {"/authorize/signup", "/authorize/signup/passkey"}
    (link,) = re.findall(r'href="([^"]+/authorize/login[^"]*)"', page.body.decode())
    login = browser.get(unescape(link).removeprefix(ISSUER))
    assert set(forms(login)) == {"/authorize/login", "/authorize/passkey"}
    assert "code" in callback_params(browser.finish(login))
    other = browser.finish(browser.submit(page, "/authorize/signup", email=BOB, password=PASSWORD))
    tokens = web.redeem(callback_params(other)["code"]).json()
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()["email"] == BOB


def test_a_new_account_cannot_be_asked_for_without_the_user(phone: Phone, web: App) -> None:
    answer = callback_params(Browser(phone).authorize(web, prompt="none create"))
    assert answer["error"] == "invalid_request"


def test_where_sign_up_is_closed_a_client_that_asks_for_a_new_account_has_its_user_log_in(
    phone: Phone, web: App, closed: Services
) -> None:
    phone.sign_up()
    with installed(closed):
        browser = Browser(phone)
        page = browser.authorize(web, prompt="create")
        assert set(forms(page)) == {"/authorize/login", "/authorize/passkey"}
        assert "code" in callback_params(browser.finish(page))
        again = browser.authorize(web, prompt="create")
        assert set(forms(again)) == {"/authorize/continue", "/authorize/login", "/authorize/passkey"}
