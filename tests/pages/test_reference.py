"""/docs with its renderer, in Chromium: what is found there, what may run there, and a login from it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from chalicelib.flows.clients import manage
from chalicelib.services import use
from deploy import reference
from local import demo, preparation
from tests.pages.conftest import Opener
from tests.pages.looks import SIDEWAYS, picture
from tests.pages.site import Site, log_in

VIOLATIONS = "addEventListener('securitypolicyviolation', e => console.error('Security Policy ' + e.violatedDirective))"


@pytest.fixture
def docs(site: Site) -> Iterator[str]:
    """Where the reference is, of a deployment that has asked for it."""
    folder, svc = reference.installed(), site.svc
    assert folder
    if svc.clients.read(demo.DOCS) is None:
        manage.create(svc, replace(preparation.DOCS, redirect_uris=(f"{site.url}/docs",), scopes=("openid", "account")))
    settings = replace(svc.settings, reference=str(folder), reference_client=demo.DOCS)
    use(replace(svc, settings=settings))
    yield f"{site.url}/docs"
    use(svc)


@pytest.fixture
def window(open_page: Opener) -> Page:
    return open_page(viewport={"width": 1280, "height": 800})


def show(window: Page, address: str) -> None:
    window.goto(address)
    window.locator("html[data-ready]").wait_for()
    window.locator(".opblock").first.wait_for()


def press_authorize(window: Page) -> None:
    """Presses the button of the login by code in the dialog."""
    login = window.locator(".dialog-ux .auth-container", has=window.locator("#client_id_authorizationCode"))
    login.locator("button.authorize").click()


def authorize(window: Page, site: Site) -> None:
    """Presses Authorize, and logs somebody in in the window that it opens."""
    window.locator(".scheme-container .authorize").click()
    dialog = window.locator(".dialog-ux")
    expect(dialog.locator("#client_id_authorizationCode")).to_have_value(demo.DOCS)
    dialog.locator("label[for^='account-authorizationCode']").first.click()
    with window.expect_popup() as popup:
        press_authorize(window)
    log_in(popup.value, site.person())
    with popup.value.expect_event("close"):
        popup.value.locator("button[value=allow]").click()


@pytest.fixture
def errors(window: Page) -> list[str]:
    """What the window complains of, a load that the page's policy forbids among it."""
    window.add_init_script(VIOLATIONS)
    texts: list[str] = []
    window.on("pageerror", lambda error: texts.append(str(error)))
    window.on("console", lambda line: texts.append(line.text) if line.type == "error" else None)
    return texts


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
    window.locator(".scheme-container .authorize").click()
    dialog = window.locator(".dialog-ux")
    dialog.locator("label[for^='account-authorizationCode']").first.click()
    with window.expect_popup() as popup:
        press_authorize(window)
    with popup.value.expect_event("close"):
        popup.value.evaluate("address => { location.href = address }", f"{docs}?code=stolen&state=another")
    expect(dialog).to_contain_text("not to our request")
    expect(dialog.get_by_role("button", name="Logout")).to_have_count(0)


def test_all_comes_from_here_and_nothing_is_refused(window: Page, docs: str, errors: list[str]) -> None:
    requests: list[str] = []
    window.on("request", lambda request: requests.append(request.url))
    elsewhere = "https://evil.example/openapi.json"
    show(window, f"{docs}?url={elsewhere}&configUrl={elsewhere}&urls.primaryName=x")
    window.locator(".opblock-summary-control").first.click()
    window.locator(".opblock-body .try-out__btn").first.wait_for()
    assert {url for url in requests if not url.startswith((docs.removesuffix("docs"), "data:"))} == set()
    assert errors == []


def test_a_script_in_the_page_does_not_run(window: Page, docs: str) -> None:
    show(window, docs)
    window.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    window.evaluate(
        "(e => { e.textContent = 'window.ran = 2'; document.body.append(e) })(document.createElement('script'))"
    )
    window.wait_for_timeout(200)
    assert window.evaluate("window.ran") is None


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("recovery codes", "replace_recovery_codes"),
        ("code_challenge", "push_request"),
        ("PATCH /me", "change_profile"),
        ("read_userinfo", "read_userinfo"),
    ],
)
def test_what_is_typed_is_found_and_the_rest_is_gone(window: Page, docs: str, typed: str, expected: str) -> None:
    show(window, docs)
    before = window.locator(".opblock").count()
    window.get_by_label("Search").fill(typed)
    expect(window.locator(f"[id$='-{expected}']")).to_be_visible()
    assert window.locator(".opblock").count() < before / 4
    window.get_by_label("Search").fill("")
    expect(window.locator(".opblock")).to_have_count(before)


def test_with_all_groups_open_all_operations_are_in_the_page_for_who_looks_for_a_word(window: Page, docs: str) -> None:
    show(window, docs)
    window.locator("[id=operations-tag-Pages] .expand-operation").click()
    document = window.request.get(docs.replace("docs", "openapi.json")).json()
    operations = [each for methods in document["paths"].values() for each in methods.values() if "summary" in each]
    assert len(operations) + len(document["tags"]) >= 150  # from where on the renderer would leave some out
    expect(window.locator(".opblock")).to_have_count(len(operations))


def test_each_group_is_one_press_away_by_keyboard(window: Page, docs: str) -> None:
    show(window, docs)
    links = window.locator("nav a")
    groups = [tag["name"] for tag in window.request.get(docs.replace("docs", "openapi.json")).json()["tags"]]
    assert links.all_inner_texts() == groups
    ids = [(link.get_attribute("href") or "")[1:] for link in links.all()]
    assert [each for each in ids if not window.evaluate("id => document.getElementById(id)", each)] == []
    links.last.focus()
    window.keyboard.press("Enter")
    expect(window.locator(".opblock-tag-section").last.locator("h3")).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_dialog_of_authorize(
    open_page: Opener, docs: str, scheme: Literal["light", "dark"]
) -> None:
    window = open_page(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
    show(window, docs)
    window.locator(".scheme-container .authorize").click()
    window.locator(".dialog-ux .auth-container").first.wait_for()
    expect(window.locator("#client_id_authorizationCode")).to_be_focused()
    picture(window, f"reference-authorize-{scheme}")
    results = Axe().run(window, options={"resultTypes": ["violations"]})
    assert results.violations_count == 0, results.generate_report()


def test_the_dialog_of_authorize_is_closed_by_escape(window: Page, docs: str) -> None:
    show(window, docs)
    window.locator(".scheme-container .authorize").click()
    window.get_by_role("dialog", name="Available authorizations").wait_for()
    window.keyboard.press("Escape")
    expect(window.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_it_fits_a_telephone(
    open_page: Opener, docs: str, scheme: Literal["light", "dark"]
) -> None:
    window = open_page(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
    show(window, docs)
    picture(window, f"reference-{scheme}")
    window.locator("[id$='-log_in'] .opblock-summary-control").click()
    window.locator(".opblock-body .response").first.wait_for()
    picture(window, f"reference-operation-{scheme}")
    results = Axe().run(window, options={"resultTypes": ["violations"]})
    assert results.violations_count == 0, results.generate_report()
    for width in (360, 320):
        window.set_viewport_size({"width": width, "height": 640})
        assert window.evaluate(SIDEWAYS) <= 0
    picture(window, f"reference-360-{scheme}")
    window.evaluate("scrollTo(0, 0)")
    picture(window, f"reference-top-360-{scheme}")
