"""What a script adds to the forms: nothing that they need, and nothing that is in the way."""

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from chalicelib.domain.oauth.client import Client
from chalicelib.flows.accounts import account
from chalicelib.flows.authentication import api_login
from tests.pages import looks
from tests.pages.conftest import Opener
from tests.pages.site import PASSWORD, Application, log_in, press
from tests.support import account_pages

# Where text that turns its direction is not kept apart from what is around it.
TURNED = """() => {
    const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT), open = [];
    while (texts.nextNode()) {
        const { data, parentElement } = texts.currentNode;
        if (data.includes("\u202e") && !parentElement.closest("bdi, [dir=auto]")) open.push(parentElement.outerHTML);
    }
    return open;
}"""
LOG_IN = "form[action$='/authorize/login'] button:not([formaction]):not([type=button])"
SHOW = ".password button"


@pytest.fixture
def login(window: Page, application: Application) -> Page:
    window.goto(application.link())
    return window


def test_a_password_is_shown_at_a_press_and_hidden_when_it_is_sent(login: Page, application: Application) -> None:
    field, show = login.locator("#password"), login.locator(SHOW)
    expect(login.locator("#email")).to_be_focused()
    login.keyboard.press("Tab")
    login.keyboard.press("Tab")
    expect(show).to_be_focused()
    assert (show.get_attribute("aria-pressed"), show.get_attribute("aria-label")) == ("false", "Show password")
    login.keyboard.press("Enter")
    assert (field.get_attribute("type"), show.get_attribute("aria-pressed")) == ("text", "true")
    assert Axe().run(login).violations_count == 0
    login.evaluate("addEventListener('submit', () => { window.name = document.getElementById('password').type; })")
    log_in(login, application.site.person())
    assert login.evaluate("window.name") == "password"


def test_who_types_with_caps_lock_on_is_told_so(login: Page) -> None:
    login.locator("#password").focus()
    event = "e => e.dispatchEvent(new KeyboardEvent('keydown', {key: 'A', modifierCapsLock: true}))"
    login.locator("#password").evaluate(event)
    note = login.locator(".password + .hint")
    expect(note).to_have_text("Caps Lock is on.")
    assert note.get_attribute("aria-live") == "polite"
    login.locator("#password").dispatch_event("input")
    expect(note).to_have_text("Caps Lock is on.")
    login.locator("#email").focus()
    expect(note).to_have_text("")


def test_a_new_password_is_long_enough_where_the_server_says_so(login: Page) -> None:
    press(login, "a[href*='/authorize/signup']")
    note = login.locator(".password + .hint")
    for typed, text in (("é" * 7, ""), ("e\u0301" * 7, ""), ("é" * 8, "✓ Long enough."), ("😀" * 7, "")):
        login.locator("#password").fill(typed)
        expect(note).to_have_text(text)


def test_a_form_that_is_on_its_way_is_not_sent_twice_and_can_be_after_going_back(
    login: Page, application: Application
) -> None:
    login.locator("#email").fill(application.site.person())
    login.locator("#password").fill(PASSWORD)
    refused, state, after = login.locator(LOG_IN).evaluate("""button => {
        const refused = [];
        addEventListener("submit", event => { refused.push(event.defaultPrevented); event.preventDefault(); });
        button.click();
        button.click();
        button.form.requestSubmit();
        const while_sent = button.getAttribute("aria-disabled");
        dispatchEvent(new Event("pageshow"));
        return [refused, while_sent, button.getAttribute("aria-disabled")];
    }""")
    assert (refused, state, after) == ([False, True, True], "true", None)
    login.reload()
    log_in(login, application.site.person())
    expect(login.locator("button[value=allow]")).to_be_visible()
    login.go_back()
    expect(login.locator("[aria-disabled]")).to_have_count(0)


def test_what_the_browser_itself_refuses_can_be_sent_again(login: Page) -> None:
    login.locator("#email").fill("no address")
    login.locator(LOG_IN).click()
    expect(login.locator("[aria-disabled]")).to_have_count(0)


def test_a_form_whose_answer_is_a_file_can_be_sent_again(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/account/export")
    log_in(window, application.site.person())
    for _ in range(2):
        with window.expect_download():
            window.locator("form[data-download] button").click()
    expect(window.locator("[aria-disabled]")).to_have_count(0)


def test_who_forgot_the_password_does_not_type_the_address_again(login: Page) -> None:
    login.locator("#email").fill("layla@example.com")
    press(login, ".field a")
    expect(login.locator("#email")).to_have_value("layla@example.com")
    assert "layla" not in login.url


# Right to left from here on, markup, and no place to break a line.
STRANGE = "\u202e<b>" + "w" * 180


def test_no_name_that_somebody_gives_breaks_a_page_or_turns_its_text_round(
    window: Page, application: Application
) -> None:
    svc, address = application.site.svc, application.site.person()
    user = svc.users.read(svc.users.find(address) or "")
    assert user
    account.change_profile(svc, user, dict.fromkeys(("name", "given_name", "nickname"), STRANGE))
    api_login.with_password(svc, address=address, password=PASSWORD, agent=account_pages.AGENT, device=STRANGE[:100])
    client = Client(client_id="strange", client_name=STRANGE[:100], scopes=("openid", STRANGE[4:60]))
    svc.clients.create(client)
    assert svc.clients.remember_consent(user, "strange", client.scopes, since=0, now=svc.now())
    window.set_viewport_size({"width": 320, "height": 640})
    window.goto(f"{application.site.url}/authorize/login")
    log_in(window, address)
    own_pages = [f"{application.site.url}{path}" for path in account_pages.PATHS]
    for page in (*own_pages, application.link(prompt="select_account"), application.link()):
        window.goto(page)
        assert window.evaluate(looks.SIDEWAYS) <= 0, page
        assert window.evaluate(TURNED) == [], page
    window.set_viewport_size({"width": 1000, "height": 800})


def test_without_a_script_the_forms_have_nothing_that_does_nothing(open_page: Opener, application: Application) -> None:
    window = open_page(java_script_enabled=False)
    window.goto(application.link())
    expect(window.locator("button[type=button], [hidden] button")).to_have_count(0)
    log_in(window, application.site.person())
    expect(window.locator("button[value=allow]")).to_be_visible()


def test_a_choice_that_is_longer_than_its_field_has_lines(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/account")
    log_in(window, application.site.person())
    choice = window.locator("select")
    height = "select => select.offsetHeight"
    line = choice.evaluate(height)
    choice.locator("option:checked").evaluate("option => option.textContent = 'A language with a long name '.repeat(4)")
    assert choice.evaluate(height) > line
    assert window.evaluate(looks.SIDEWAYS) <= 0
    choice.select_option("ar")
    press(window, "main form button")
    assert choice.input_value() == "ar"
