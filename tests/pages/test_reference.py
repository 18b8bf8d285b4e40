"""/docs with its renderer, in Chromium: what is found there, what may run there, and a login from it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from chalicelib.flows.clients import manage
from chalicelib.services import use
from deploy import reference
from local import demo, preparation
from tests.pages.conftest import Opener
from tests.pages.looks import SCHEMES, SIDEWAYS, Scheme, bring_axe, inspect
from tests.pages.site import Site, log_in

VIOLATIONS = "addEventListener('securitypolicyviolation', e => console.error('Security Policy ' + e.violatedDirective))"
DESK: ViewportSize = {"width": 1280, "height": 800}


class Drawn(NamedTuple):
    """The reference with all its operations, and what its browser asked for and complained of until one was open."""

    window: Page
    operations: int
    requests: list[str]
    errors: list[str]


@pytest.fixture(scope="module")
def docs(site: Site) -> Iterator[str]:
    """Where the reference is, of a deployment that has asked for it."""
    folder, svc = reference.installed(), site.svc
    assert folder
    manage.create(svc, replace(preparation.DOCS, redirect_uris=(f"{site.url}/docs",), scopes=("openid", "account")))
    settings = replace(svc.settings, reference=str(folder), reference_client=demo.DOCS)
    use(replace(svc, settings=settings))
    yield f"{site.url}/docs"
    use(svc)


@pytest.fixture(scope="module")
def drawn(chromium: Browser, docs: str) -> Iterator[Drawn]:
    """Drawn once, in the dark, for the tests that leave it as it was: to draw all operations takes seconds.

    Its address is one that wants another document shown.
    """
    context = chromium.new_context(viewport=DESK, color_scheme="dark")
    context.set_default_timeout(60_000)
    window = context.new_page()
    requests: list[str] = []
    errors: list[str] = []
    window.add_init_script(VIOLATIONS)
    window.on("pageerror", lambda error: errors.append(str(error)))
    window.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    window.on("request", lambda request: requests.append(request.url))
    elsewhere = "https://evil.example/openapi.json"
    show(window, f"{docs}?url={elsewhere}&configUrl={elsewhere}&urls.primaryName=x")
    assert window.locator("html.dark-mode").count() == 1
    first = window.locator(".opblock-summary-control").first
    first.click()
    window.locator(".opblock-body .try-out__btn").first.wait_for()
    first.click()
    yield Drawn(window, window.locator(".opblock").count(), [*requests], [*errors])
    context.close()


@pytest.fixture
def whole(drawn: Drawn) -> Iterator[Page]:
    """The reference with all its operations, for a test that leaves it as it was."""
    drawn.window.set_viewport_size(DESK)
    yield drawn.window
    drawn.window.keyboard.press("Escape")
    for control in drawn.window.locator(".opblock.is-open .opblock-summary-control").all():
        control.click()
    drawn.window.get_by_label("Search").fill("")
    expect(drawn.window.locator(".opblock")).to_have_count(drawn.operations)


@pytest.fixture
def window(open_page: Opener, docs: str) -> Page:
    """A window in which the reference has the operations at /me alone, so that it is drawn at once."""
    page = open_page(viewport=DESK)
    document = page.request.get(docs.replace("docs", "openapi.json")).json()
    document["paths"] = {"/me": document["paths"]["/me"]}
    page.route("**/openapi.json", lambda route: route.fulfill(json=document))
    return page


def show(window: Page, address: str) -> None:
    window.goto(address)
    window.locator("html[data-ready]").wait_for()
    window.locator(".opblock").first.wait_for()


def open_dialog(window: Page) -> Locator:
    """Presses Authorize, and gives the dialog that it opens."""
    window.locator(".scheme-container .authorize").click()
    window.get_by_role("dialog", name="Available authorizations").wait_for()
    return window.locator(".dialog-ux")


def press_authorize(window: Page) -> None:
    """Presses the button of the login by code in the dialog."""
    login = window.locator(".dialog-ux .auth-container", has=window.locator("#client_id_authorizationCode"))
    login.locator("button.authorize").click()


def authorize(window: Page, site: Site) -> None:
    """Presses Authorize, and logs somebody in in the window that it opens."""
    dialog = open_dialog(window)
    expect(dialog.locator("#client_id_authorizationCode")).to_have_value(demo.DOCS)
    dialog.locator("label[for^='account-authorizationCode']").first.click()
    with window.expect_popup() as popup:
        press_authorize(window)
    log_in(popup.value, site.person())
    with popup.value.expect_event("close"):
        popup.value.locator("button[value=allow]").click()


def test_who_logs_in_by_authorize_calls_the_api_from_the_page(window: Page, docs: str, site: Site) -> None:
    show(window, docs)
    authorize(window, site)
    window.locator(".dialog-ux .btn-done").first.click()
    operation = window.locator("[id='operations-App_accounts-read_profile']")
    operation.locator(".opblock-summary-control").click()
    operation.locator(".try-out__btn").click()
    operation.locator(".execute").click()
    expect(operation.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
    expect(operation.locator(".live-responses-table")).to_contain_text("layla-")


def test_a_code_that_somebody_else_has_sent_logs_nobody_in(window: Page, docs: str) -> None:
    show(window, docs)
    dialog = open_dialog(window)
    dialog.locator("label[for^='account-authorizationCode']").first.click()
    with window.expect_popup() as popup:
        press_authorize(window)
    with popup.value.expect_event("close"):
        popup.value.evaluate("address => { location.href = address }", f"{docs}?code=stolen&state=another")
    expect(dialog).to_contain_text("not to our request")
    expect(dialog.get_by_role("button", name="Logout")).to_have_count(0)


def test_all_comes_from_here_and_nothing_is_refused(drawn: Drawn, docs: str) -> None:
    assert {url for url in drawn.requests if not url.startswith((docs.removesuffix("docs"), "data:"))} == set()
    assert f"{docs.removesuffix('docs')}openapi.json" in drawn.requests
    assert drawn.errors == []


def test_a_script_in_the_page_does_not_run(whole: Page) -> None:
    whole.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    whole.evaluate(
        "(e => { e.textContent = 'window.ran = 2'; document.body.append(e) })(document.createElement('script'))"
    )
    whole.wait_for_timeout(200)
    assert whole.evaluate("window.ran") is None
    whole.evaluate("document.querySelectorAll('body > img, body > script:not([src])').forEach(each => each.remove())")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("recovery codes", "replace_recovery_codes"),
        ("code_challenge", "push_request"),
        ("PATCH /me", "change_profile"),
        ("read_userinfo", "read_userinfo"),
    ],
)
def test_what_is_typed_is_found_and_the_rest_is_gone(whole: Page, drawn: Drawn, typed: str, expected: str) -> None:
    whole.get_by_label("Search").fill(typed)
    expect(whole.locator(f"[id$='-{expected}']")).to_be_visible()
    assert whole.locator(".opblock").count() < drawn.operations / 4
    whole.get_by_label("Search").fill("")
    expect(whole.locator(".opblock")).to_have_count(drawn.operations)


def test_with_all_groups_open_all_operations_are_in_the_page_for_who_looks_for_a_word(whole: Page, docs: str) -> None:
    pages = whole.locator("[id=operations-tag-Pages] .expand-operation")
    pages.click()
    document = whole.request.get(docs.replace("docs", "openapi.json")).json()
    operations = [each for methods in document["paths"].values() for each in methods.values() if "summary" in each]
    assert len(operations) + len(document["tags"]) >= 150  # from where on the renderer would leave some out
    expect(whole.locator(".opblock")).to_have_count(len(operations))
    pages.click()


def test_each_group_is_one_press_away_by_keyboard(whole: Page, docs: str) -> None:
    links = whole.locator("nav a")
    groups = [tag["name"] for tag in whole.request.get(docs.replace("docs", "openapi.json")).json()["tags"]]
    assert links.all_inner_texts() == groups
    ids = [(link.get_attribute("href") or "")[1:] for link in links.all()]
    assert [each for each in ids if not whole.evaluate("id => document.getElementById(id)", each)] == []
    links.last.focus()
    whole.keyboard.press("Enter")
    expect(whole.locator(".opblock-tag-section").last.locator("h3")).to_be_in_viewport()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_in_the_dialog_of_authorize(window: Page, docs: str, scheme: Scheme) -> None:
    window.emulate_media(color_scheme=scheme)
    show(window, docs)
    open_dialog(window).locator(".auth-container").first.wait_for()
    expect(window.locator("#client_id_authorizationCode")).to_be_focused()
    bring_axe(window)
    inspect(window, scheme)


def test_the_dialog_of_authorize_is_closed_by_escape(window: Page, docs: str) -> None:
    show(window, docs)
    open_dialog(window)
    window.keyboard.press("Escape")
    expect(window.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_and_it_fits_a_telephone(whole: Page, scheme: Scheme) -> None:
    whole.emulate_media(color_scheme=scheme)
    whole.locator("[id$='-log_in'] .opblock-summary-control").click()
    whole.locator(".opblock-body .response").first.wait_for()
    bring_axe(whole)
    inspect(whole, scheme)
    for width in (360, 320):
        whole.set_viewport_size({"width": width, "height": 640})
        assert whole.evaluate(SIDEWAYS) <= 0
