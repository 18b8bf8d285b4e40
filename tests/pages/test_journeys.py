"""What people do with the pages in a real browser: they log in, hesitate, go back, press twice, and get where they want."""

from playwright.sync_api import Page, expect

from chalicelib.domain.oauth.client import DEVICE_CODE
from tests.pages.conftest import Opener
from tests.pages.site import PASSWORD, Application, decide, log_in, press

LOG_IN = "form[action$='/authorize/login'] button:not([formaction]):not([type=button])"
SIGN_UP = "form[action$='/authorize/signup'] button"


def test_a_person_logs_in_and_allows_and_the_application_gets_tokens(window: Page, application: Application) -> None:
    window.goto(application.link())
    log_in(window, application.site.person())
    expect(window.get_by_role("heading", level=1)).to_have_text("Allow access?")
    decide(window, "allow")
    params = application.callback_params(window)
    assert (params["state"], params["iss"]) == ("a state", application.site.url)
    tokens = application.redeemed(params["code"])
    assert set(tokens) >= {"access_token", "id_token", "refresh_token"}


def test_a_wrong_password_is_mended_on_the_spot(window: Page, application: Application) -> None:
    address = application.site.person()
    window.goto(application.link())
    window.locator("#email").fill(address)
    window.locator("#password").fill("not the password")
    press(window, LOG_IN)
    expect(window.get_by_role("alert")).to_be_visible()
    expect(window.locator("#email")).to_have_value(address)
    expect(window.locator("#password")).to_be_focused()
    expect(window).to_have_title("Error: Log in · Latchkey")
    window.locator("#password").fill(PASSWORD)
    press(window, LOG_IN)
    expect(window.locator("button[value=allow]")).to_be_visible()


def test_a_browser_works_by_itself_and_comes_to_the_login_form(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/authorize/work")
    window.wait_for_url("**/authorize/login", timeout=60_000)
    assert [cookie["name"] for cookie in window.context.cookies() if "work" in cookie["name"]]
    log_in(window, application.site.person())
    assert not [cookie["name"] for cookie in window.context.cookies() if "work" in cookie["name"]]


def test_who_has_no_script_reads_that_one_is_needed(open_page: Opener, application: Application) -> None:
    window = open_page(java_script_enabled=False)
    window.goto(f"{application.site.url}/authorize/work")
    expect(window.get_by_role("alert")).to_contain_text("This needs JavaScript")


def test_somebody_new_signs_up_on_the_way(window: Page, application: Application) -> None:
    window.goto(application.link())
    press(window, "a[href*='/authorize/signup']")
    window.locator("#name").fill("Amal")
    window.locator("#email").fill("amal@example.com")
    window.locator("#password").fill(PASSWORD)
    press(window, SIGN_UP)
    decide(window, "allow")
    assert "code" in application.callback_params(window)


def test_a_person_who_does_not_allow_is_brought_back_with_access_denied(window: Page, application: Application) -> None:
    window.goto(application.link())
    log_in(window, application.site.person())
    decide(window, "deny")
    params = application.callback_params(window)
    assert (params["error"], params["state"]) == ("access_denied", "a state")


def test_a_person_may_take_another_account_instead(window: Page, application: Application) -> None:
    one, other = application.site.person(), application.site.person()
    window.goto(application.link())
    log_in(window, one)
    decide(window, "switch")
    log_in(window, other)
    expect(window.locator("main")).to_contain_text(other)
    decide(window, "allow")
    assert "code" in application.callback_params(window)


def test_form_post_needs_no_click(window: Page, application: Application) -> None:
    window.goto(application.link(response_mode="form_post"))
    log_in(window, application.site.person())
    window.locator("button[value=allow]").click()
    params = application.callback_params(window)
    assert "code" in params
    assert "?" not in window.url


def test_all_of_it_works_without_a_script(open_page: Opener, application: Application) -> None:
    window = open_page(java_script_enabled=False)
    window.goto(application.link(response_mode="form_post"))
    log_in(window, application.site.person())
    decide(window, "allow")
    press(window, "main button")
    assert "code" in application.callback_params(window)


def test_all_of_it_works_with_a_keyboard_alone(window: Page, application: Application) -> None:
    window.goto(application.link())
    expect(window.locator("#email")).to_be_focused()
    window.keyboard.type(application.site.person())
    window.keyboard.press("Tab")
    window.keyboard.type(PASSWORD)
    window.keyboard.press("Enter")
    expect(window.locator("button[value=allow]")).to_be_visible()
    for _ in range(10):
        window.keyboard.press("Tab")
        if window.evaluate("document.activeElement.value") == "allow":
            break
    assert window.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    window.keyboard.press("Enter")
    assert "code" in application.callback_params(window)


def test_who_goes_back_from_the_application_gets_on(window: Page, application: Application) -> None:
    window.goto(application.link())
    log_in(window, application.site.person())
    decide(window, "allow")
    application.callback_params(window)
    window.go_back()
    # The agreement is remembered, so the way leads to the application again.
    assert "code" in application.callback_params(window)
    assert len(application.answers) == 2


def test_a_reloaded_page_asks_nobody_to_send_a_form_again(window: Page, application: Application) -> None:
    window.goto(application.link(prompt="login"))
    log_in(window, application.site.person())
    expect(window.locator("button[value=allow]")).to_be_visible()
    window.reload()
    expect(window.locator("button[value=allow]")).to_be_visible()
    assert window.evaluate("performance.getEntriesByType('navigation')[0].type") == "reload"
    assert window.url.startswith(f"{application.site.url}/oauth/authorize?")


def posts(window: Page) -> list[str]:
    """The addresses that forms are sent to from now on."""
    paths: list[str] = []
    window.on("request", lambda request: paths.append(request.url) if request.method == "POST" else None)
    return paths


def test_back_and_reload_after_a_mistake_send_nothing_again_and_find_every_page(
    window: Page, application: Application
) -> None:
    address = application.site.person()
    window.goto(application.link())
    paths = posts(window)
    for _ in range(2):
        window.locator("#email").fill(address)
        window.locator("#password").fill("not the password")
        press(window, LOG_IN)
        expect(window.get_by_role("alert")).to_be_visible()
    window.reload()
    expect(window.get_by_role("alert")).to_have_count(0)
    expect(window.locator("#password")).to_have_value("")
    window.go_back()
    expect(window.locator("#password")).to_be_visible()
    window.reload()
    expect(window.locator("#password")).to_be_visible()
    window.go_forward()
    expect(window.locator("#password")).to_be_visible()
    assert len(paths) == 2
    log_in(window, address)
    decide(window, "allow")
    assert "code" in application.callback_params(window)
    assert len(paths) == 4


def test_back_and_reload_on_a_devices_pages_decide_nothing_again(window: Page, application: Application) -> None:
    codes = application.device()
    window.goto(f"{application.site.url}/device")
    log_in(window, application.site.person())
    paths = posts(window)
    for code in ("BCDF-GHJK", codes["user_code"]):
        window.locator("#user_code").fill(code)
        press(window, "main form button")
    window.reload()
    expect(window.locator("code.shown")).to_have_text(codes["user_code"])
    window.go_back()
    expect(window.locator("#user_code")).to_be_visible()
    window.reload()
    expect(window.locator("#user_code")).to_be_visible()
    window.go_forward()
    decide(window, "allow")
    for again in (window.reload, window.go_back, window.go_forward):
        again()
    expect(window.get_by_role("heading", level=1)).to_have_text("Device connected")
    assert len(paths) == 3


def test_a_page_that_sends_its_answer_by_itself_is_come_back_to_without_deciding_again(
    window: Page, application: Application
) -> None:
    window.goto(application.link(response_mode="form_post"))
    log_in(window, application.site.person())
    paths = posts(window)
    decide(window, "allow")
    application.callback_params(window)
    window.go_back()
    application.callback_params(window)
    assert len([url for url in paths if url.startswith(application.site.url)]) == 1


def test_a_stale_form_is_reloaded_without_sending_the_password_again(window: Page, application: Application) -> None:
    window.goto(application.link())
    window.context.clear_cookies()
    paths = posts(window)
    log_in(window, application.site.person())
    expect(window.get_by_role("alert")).to_be_visible()
    window.reload()
    expect(window.get_by_role("alert")).to_be_visible()
    assert len(paths) == 1


def test_a_button_pressed_twice_is_pressed_once(window: Page, application: Application) -> None:
    window.goto(application.link())
    window.locator("#email").fill(application.site.person())
    window.locator("#password").fill(PASSWORD)
    window.locator(LOG_IN).dblclick()
    window.locator("button[value=allow]").dblclick()
    assert "code" in application.callback_params(window)


def test_two_tabs_both_get_on(window: Page, application: Application) -> None:
    other = window.context.new_page()
    address = application.site.person()
    for tab in (window, other):
        tab.goto(application.link())
    for tab in (window, other):
        log_in(tab, address)
    decide(window, "allow")
    assert "code" in application.callback_params(window)
    decide(other, "allow")
    assert "code" in application.callback_params(other)


def test_who_is_logged_in_goes_on_with_one_press(window: Page, application: Application) -> None:
    address = application.site.person()
    window.goto(application.link())
    log_in(window, address)
    decide(window, "allow")
    application.callback_params(window)
    window.goto(application.link(prompt="select_account"))
    press(window, f"button:has-text('{address}')")
    assert "code" in application.callback_params(window)


def test_an_application_may_send_its_user_on_to_another_place(window: Page, application: Application) -> None:
    # Another host, so that the consent form's policy, which names the application's place, does not name this one.
    home = application.uri.replace("127.0.0.1", "localhost").replace("/cb", "/home")
    application.onward.append(home)
    window.goto(application.link())
    log_in(window, application.site.person())
    decide(window, "allow")
    expect(window).to_have_url(home)


def test_a_device_is_connected_only_after_its_user_has_said_so_for_its_code(
    window: Page, application: Application
) -> None:
    codes = application.device()
    window.goto(codes["verification_uri_complete"])
    log_in(window, application.site.person())
    expect(window.locator("code.shown")).to_have_text(codes["user_code"])
    assert poll(application, codes)[1]["error"] == "authorization_pending"
    decide(window, "allow")
    expect(window.get_by_role("heading", level=1)).to_have_text("Device connected")
    status, tokens = poll(application, codes)
    assert status == 200
    assert "access_token" in tokens


def test_a_device_that_is_refused_is_told_so(window: Page, application: Application) -> None:
    codes = application.device()
    window.goto(codes["verification_uri"])
    log_in(window, application.site.person())
    window.locator("#user_code").fill(codes["user_code"].lower().replace("-", " "))
    press(window, "main form button")
    window.locator("button[value=deny]").dblclick()
    expect(window.get_by_role("heading", level=1)).to_have_text("Device not connected")
    assert poll(application, codes)[1]["error"] == "access_denied"


def poll(application: Application, codes: dict[str, str]) -> tuple[int, dict[str, str]]:
    return application.site.post(
        "/oauth/token", grant_type=DEVICE_CODE, client_id=application.id, device_code=codes["device_code"]
    )


def test_a_person_ends_a_session_that_is_not_theirs_without_a_script(
    open_page: Opener, application: Application
) -> None:
    address, page = application.site.person(), f"{application.site.url}/account/sessions"
    thief, window = open_page(), open_page(java_script_enabled=False)
    for each in (thief, window):
        each.goto(page)
        log_in(each, address)
    press(window, "button[aria-label='Log out: Another browser']")
    expect(window.get_by_role("status")).to_contain_text("Logged out.")
    window.locator("summary").click()
    press(window, "button[name=others]")
    expect(window.locator("main")).to_contain_text("You are not logged in anywhere else.")
    thief.goto(page)
    expect(thief.locator("#password")).to_be_visible()
