"""Passkeys on the pages, in Chromium with an authenticator of DevTools' own."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from chalicelib.flows.accounts import mailed_signup, recovery
from chalicelib.flows.authentication.factors import passkey
from tests.pages import looks
from tests.pages.conftest import Opener
from tests.pages.site import PASSWORD, Application, Site, decide, log_in, press
from tests.support import counter, passkeys
from tests.support.authenticator import Authenticator

OPTIONS = {
    "protocol": "ctap2",
    "ctap2Version": "ctap2_1",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
LOG_IN, ADD = "Log in with a passkey", "Add a passkey"


@pytest.fixture(scope="module")
def host() -> str:
    return "localhost"


class Device:
    """A window with an authenticator, whose user may be told not to be there."""

    def __init__(self, window: Page, site: Site) -> None:
        self.window, self.site = window, site
        self.errors: list[str] = []
        window.on("pageerror", lambda error: self.errors.append(str(error)))
        window.on("console", lambda line: self.errors.append(line.text) if "Security Policy" in line.text else None)
        self.session = window.context.new_cdp_session(window)
        self.session.send("WebAuthn.enable", {"enableUI": False})
        answer = self.session.send("WebAuthn.addVirtualAuthenticator", {"options": OPTIONS})
        self.authenticator = {"authenticatorId": answer["authenticatorId"]}

    def set_user(self, *, present: bool = True, verified: bool = True) -> None:
        self.session.send("WebAuthn.setAutomaticPresenceSimulation", {**self.authenticator, "enabled": present})
        self.session.send("WebAuthn.setUserVerified", {**self.authenticator, "isUserVerified": verified})

    @property
    def passkeys(self) -> list[dict[str, Any]]:
        """What it holds."""
        held: list[dict[str, Any]] = self.session.send("WebAuthn.getCredentials", self.authenticator)["credentials"]
        return held

    def remove_all(self) -> None:
        self.session.send("WebAuthn.clearCredentials", self.authenticator)

    def open(self, path: str) -> None:
        self.window.goto(f"{self.site.svc.settings.issuer}/{path}")

    def log_in(self, email: str) -> None:
        """By the password."""
        self.open("authorize/login")
        self.window.get_by_label("E-mail address").fill(email)
        self.window.get_by_label("Password", exact=True).fill(PASSWORD)
        self.window.get_by_role("button", name="Log in", exact=True).click()

    def log_out(self) -> None:
        self.window.context.clear_cookies()

    @property
    def path(self) -> str:
        return urlsplit(self.window.url).path


@pytest.fixture
def device(window: Page, site: Site) -> Iterator[Device]:
    made = Device(window, site)
    yield made
    assert made.errors == [], made.errors


def credentials_of(site: Site, email: str) -> list[str]:
    user = site.svc.users.read(site.svc.users.find(email) or "")
    assert user
    return [each.credential_id for each in passkey.credentials(site.svc, user)]


def add(device: Device, email: str) -> None:
    """By the page that offers it after the password."""
    device.log_in(email)
    expect(device.window.get_by_role("heading", level=1)).to_have_text("Log in faster next time")
    device.window.get_by_role("button", name="Add a passkey").click()
    device.window.wait_for_url(lambda url: "add-passkey" not in url)


def test_after_the_password_a_passkey_is_offered_and_logs_in_from_then_on(device: Device, site: Site) -> None:
    email = site.person()
    add(device, email)
    assert len(device.passkeys) == len(credentials_of(site, email)) == 1
    device.log_out()
    device.set_user(present=False)
    device.open("authorize/login")
    button = device.window.get_by_role("button", name=LOG_IN)
    expect(button).to_be_visible()
    device.set_user()
    button.click()
    expect(device.window.get_by_text(email)).to_be_visible()
    assert device.path == "/"


def test_the_field_of_the_login_page_offers_it_by_itself(device: Device, site: Site) -> None:
    email = site.person()
    add(device, email)
    device.log_out()
    device.open("authorize/login")
    expect(device.window.get_by_text(email)).to_be_visible()
    assert device.path == "/"


def test_a_passkey_is_the_proof_for_a_new_password(device: Device, site: Site) -> None:
    email = site.person()
    add(device, email)
    device.log_out()
    user = site.svc.users.read(site.svc.users.find(email) or "")
    assert user
    site.svc.users.verify_email(user)
    with counter.installed():
        counter.enrol(site.svc, user.uid)
        user = site.svc.users.read(user.uid)
        assert user
        token = recovery.link(site.svc, user)
        device.open(f"account/reset-password?{urlencode({'token': token, 'factor': 'passkey'})}")
        _save_new_password(device)


def _save_new_password(device: Device) -> None:
    save = device.window.get_by_role("button", name="Save the new password")
    expect(device.window.get_by_text("you are asked for your passkey")).to_be_visible()
    before = device.passkeys[0]["signCount"]
    save.click()  # without a password nothing is asked of the authenticator
    assert device.passkeys[0]["signCount"] == before
    assert device.path == "/account/reset-password"
    device.window.get_by_label("Password", exact=True).fill("an entirely other phrase 7")
    save.click()
    expect(device.window.get_by_role("heading", level=1)).to_have_text("You have a new password")


def test_an_offer_that_is_declined_leads_on_and_does_not_come_back(device: Device, site: Site) -> None:
    device.log_in(site.person())
    device.window.get_by_role("link", name="Not now").click()
    expect(device.window.get_by_role("link", name="Log out")).to_be_visible()
    device.open("oauth/logout")
    device.window.get_by_role("button", name="Log out").click()
    device.log_in(site.person())
    expect(device.window.get_by_role("link", name="Log out")).to_be_visible()
    assert device.path == "/"


def test_whoever_closes_the_browser_s_own_window_sees_no_error_and_can_go_on(device: Device, site: Site) -> None:
    device.log_in(site.person())
    device.set_user(verified=False)
    device.window.get_by_role("button", name="Add a passkey").wait_for()
    device.window.evaluate(
        "() => { navigator.credentials.create = () => Promise.reject(new DOMException('', 'NotAllowedError')); }"
    )
    device.window.get_by_role("button", name="Add a passkey").click()
    expect(device.window.locator("#passkey-note")).to_be_hidden()
    device.window.get_by_role("link", name="Not now").click()
    expect(device.window.get_by_role("link", name="Log out")).to_be_visible()


def test_a_device_that_has_one_says_so(device: Device, site: Site) -> None:
    email = site.person()
    add(device, email)
    device.open("account/add-passkey")
    device.window.get_by_role("button", name="Add a passkey").click()
    expect(device.window.get_by_role("alert")).to_have_text("This device already has a passkey for this account.")
    assert len(credentials_of(site, email)) == 1


def test_one_that_is_unknown_here_is_forgotten_by_the_device(device: Device, site: Site) -> None:
    email = site.person()
    add(device, email)
    user = site.svc.users.read(site.svc.users.find(email) or "")
    assert user
    site.svc.transactions.commit(site.svc.factors.removal(user, sorted(user.factors)))
    device.log_out()
    device.open("authorize/login")
    expect(device.window.get_by_role("alert")).to_have_text(
        "This passkey is not in use here any more. Log in with your password."
    )
    device.window.wait_for_timeout(500)
    assert device.passkeys == []


def test_one_that_was_removed_is_hidden_by_the_device_after_the_next_visit(device: Device, site: Site) -> None:
    email = site.person()
    add(device, email)
    user = site.svc.users.read(site.svc.users.find(email) or "")
    assert user
    site.svc.transactions.commit(site.svc.factors.removal(user, sorted(user.factors)))
    device.open("account/add-passkey")
    device.window.wait_for_timeout(500)
    assert device.passkeys == []


def test_one_that_is_removed_on_the_page_of_factors_is_hidden_by_the_device(device: Device, site: Site) -> None:
    add(device, site.person())
    device.open("account/factors")
    device.window.get_by_text("Remove", exact=True).click()
    device.window.locator("button[name=remove]").click()
    expect(device.window.get_by_role("status")).to_be_visible()
    device.window.wait_for_timeout(500)
    assert device.passkeys == []


def test_it_is_a_second_factor_beside_the_password(device: Device, site: Site) -> None:
    with counter.installed():
        email = site.person()
        add(device, email)
        counter.enrol(site.svc, site.svc.users.find(email) or "")
        device.log_out()
        device.set_user(present=False)
        device.log_in(email)
        device.set_user()
        device.window.get_by_role("button", name="Use a passkey").click()
        expect(device.window.get_by_role("link", name="Log out")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_page_with_passkeys_is_readable_by_everybody_on_every_screen(
    open_page: Opener, site: Site, application: Application, language: str
) -> None:
    """The other pages are looked at at an address, where no browser has passkeys."""
    device = Device(open_page(locale=language), site)
    button = device.window.locator("#passkey button")

    def look(path: str) -> None:
        button.wait_for()
        assert device.path == path
        looks.look_at(device.window)

    with counter.installed():
        email = site.person()
        device.set_user(present=False)
        device.open("authorize/login")
        look("/authorize/login")
        log_in(device.window, email)
        look("/account/add-passkey")
        device.set_user()
        button.click()
        device.window.wait_for_url(lambda url: "add-passkey" not in url)
        counter.enrol(site.svc, site.svc.users.find(email) or "")
        device.log_out()
        device.set_user(present=False)
        device.open("authorize/login")
        log_in(device.window, email)
        look("/authorize/proof")
        device.log_out()
        at_enrolment(device.window, application, site.person())
        look("/authorize/enrol")


def at_enrolment(window: Page, application: Application, email: str) -> None:
    """The page after the password, of an application that demands a second factor."""
    window.goto(application.link(client_id=application.demanding))
    log_in(window, email)
    if "add-passkey" in window.url:  # offered to whoever could have one, and declined
        window.locator("main .aside a").click()
    expect(window.locator("button[value=totp]")).to_be_visible()


def test_a_login_that_needs_a_second_factor_gets_one_on_its_way(
    device: Device, site: Site, application: Application
) -> None:
    email = site.person()
    at_enrolment(device.window, application, email)
    device.window.get_by_role("button", name=ADD).click()
    decide(device.window, "allow")
    assert "code" in application.callback_params(device.window)
    assert len(device.passkeys) == len(credentials_of(site, email)) == 1


def test_a_device_that_makes_none_leaves_the_other_kinds(device: Device, site: Site, application: Application) -> None:
    at_enrolment(device.window, application, site.person())
    for error, text in (("NotAllowedError", ""), ("InvalidStateError", "This device already has a passkey")):
        device.window.evaluate(
            f"() => {{ navigator.credentials.create = () => Promise.reject(new DOMException('', '{error}')); }}"
        )
        device.window.get_by_role("button", name=ADD).click()
        expect(device.window.locator("#passkey-note")).to_contain_text(text)
    press(device.window, "button[value=totp]")
    expect(device.window.locator("#answer")).to_be_visible()


def test_a_tab_that_was_left_makes_no_passkey_in_the_place_of_one_that_is_in_use(
    device: Device, site: Site, application: Application
) -> None:
    email = site.person()
    at_enrolment(device.window, application, email)
    come_back = "document.dispatchEvent(new Event('visibilitychange'))"
    with device.window.expect_response(lambda response: "/authorize/enrol" in response.url):
        device.window.evaluate(come_back)
    expect(device.window.get_by_role("button", name=ADD)).to_be_visible()
    passkeys.enrol(site.svc, site.svc.users.find(email) or "", Authenticator(origin=site.url))  # in another tab
    device.window.evaluate(come_back)
    expect(device.window.get_by_role("button", name="Use a passkey")).to_be_visible()
    assert device.passkeys == []


def test_without_scripts_or_passkeys_a_login_that_needs_a_factor_shows_the_other_kinds(
    open_page: Opener, site: Site, application: Application
) -> None:
    for options, script in (({"java_script_enabled": False}, ""), ({}, "delete window.PublicKeyCredential")):
        window = open_page(**options)
        window.add_init_script(script)
        at_enrolment(window, application, site.person())
        expect(window.get_by_role("button", name=ADD)).to_be_hidden()


def test_without_scripts_there_is_no_sign_of_it(open_page: Opener, site: Site) -> None:
    window = open_page(java_script_enabled=False)
    window.goto(f"{site.url}/authorize/login")
    expect(window.get_by_role("button", name="Log in", exact=True)).to_be_visible()
    expect(window.get_by_role("button", name=LOG_IN)).to_be_hidden()


def test_a_browser_that_knows_no_passkeys_shows_no_sign_of_them(open_page: Opener, site: Site) -> None:
    window = open_page()
    window.add_init_script("delete window.PublicKeyCredential")
    window.goto(f"{site.url}/authorize/login")
    expect(window.get_by_role("button", name=LOG_IN)).to_be_hidden()


def test_an_encoder_of_the_browser_s_that_fails_is_not_needed(device: Device, site: Site) -> None:
    email = site.person()
    add(device, email)
    device.log_out()
    device.window.add_init_script("PublicKeyCredential.prototype.toJSON = () => { throw new TypeError('fake') }")
    device.open("authorize/login")
    expect(device.window.get_by_text(email)).to_be_visible()


def test_whoever_comes_back_to_the_login_page_after_an_hour_logs_in_all_the_same(open_page: Opener, site: Site) -> None:
    device = Device(open_page(kept=False), site)  # the clock is the profile's
    email = site.person()
    add(device, email)
    device.log_out()
    device.set_user(present=False)
    device.window.clock.install()
    device.window.add_init_script(
        "const get = navigator.credentials.get.bind(navigator.credentials); window.requests = 0;"
        "navigator.credentials.get = (options) => { const answer = get(options); window.requests += 1; return answer; }"
    )
    device.open("authorize/login")
    expect(device.window.get_by_role("button", name=LOG_IN)).to_be_visible()
    with device.window.expect_response(lambda response: "/authorize/passkey" in response.url):
        device.window.clock.fast_forward("20:00")
    # Whoever is there before the field asks anew answers that, and presses no button.
    device.window.wait_for_function("requests > 1")
    device.set_user()
    device.window.get_by_role("button", name=LOG_IN).click()
    expect(device.window.get_by_text(email)).to_be_visible()
    assert device.errors == []


def test_whoever_signs_up_with_one_chooses_no_password_and_logs_in_by_it(device: Device, site: Site) -> None:
    email = f"key{len(device.window.url)}{id(device)}@example.com"
    device.open("authorize/signup")
    button = device.window.get_by_role("button", name="Sign up with a passkey")
    button.click()
    assert device.passkeys == []  # the field for the address is empty
    device.window.get_by_label("E-mail address").fill(email)
    device.window.get_by_label("Name").fill("Ann")
    button.click()
    expect(device.window.get_by_text(email)).to_be_visible()
    (made,) = device.passkeys
    assert (made["userName"], made["userDisplayName"]) == (email, "Ann")
    assert len(credentials_of(site, email)) == 1
    device.log_out()
    device.open("authorize/login")
    expect(device.window.get_by_text(email)).to_be_visible()


def test_the_page_of_a_mailed_link_makes_one_too(device: Device, site: Site) -> None:
    email = f"link{id(device)}@example.com"
    device.open(f"account/sign-up?{urlencode({'token': mailed_signup.link(site.svc, email)})}")
    device.window.get_by_role("button", name="Sign up with a passkey").click()
    device.window.wait_for_url(lambda url: "/account/sign-up" not in url)  # this page says the address already
    expect(device.window.get_by_text(email)).to_be_visible()
    assert len(credentials_of(site, email)) == len(device.passkeys) == 1


def test_without_scripts_the_sign_up_page_shows_no_sign_of_it(open_page: Opener, site: Site) -> None:
    window = open_page(java_script_enabled=False)
    window.goto(f"{site.url}/authorize/signup")
    expect(window.get_by_role("button", name="Sign up", exact=True)).to_be_visible()
    expect(window.get_by_role("button", name="Sign up with a passkey")).to_be_hidden()
