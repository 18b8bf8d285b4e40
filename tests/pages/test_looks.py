"""Every page, in both languages and both schemes: axe finds nothing, and it fits a small telephone."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page

from chalicelib.config.languages import SHIPPED
from chalicelib.flows.accounts import mailed_signup, recovery, verification
from chalicelib.services import use
from tests.pages import looks
from tests.pages.site import PASSWORD, Application, decide, log_in, open_logged_in, press, send
from tests.support import account_pages, counter, email_change, mailed_login
from tests.support.session_end import session_end_link

LOGIN = "/authorize/login"
LANGUAGE = "[document.documentElement.lang, document.documentElement.dir]"


def login(window: Page, application: Application) -> None:
    window.goto(application.link())


def login_refused(window: Page, application: Application) -> None:
    login(window, application)
    log_in(window, "nobody@example.com")


def login_known(window: Page, application: Application) -> None:
    consent(window, application)
    window.goto(application.link(prompt="select_account"))


def sign_up(window: Page, application: Application) -> None:
    login(window, application)
    press(window, "a[href*='/authorize/signup']")


def sign_up_refused(window: Page, application: Application) -> None:
    sign_up(window, application)
    window.locator("#email").fill("layla@example.com")
    window.locator("#password").fill("password123")
    press(window, "main form button")


def proof(window: Page, application: Application) -> None:
    open_logged_in(window, application.link(), application.site.careful_person())


def remembered_devices(window: Page, application: Application) -> None:
    address = application.site.careful_person()
    uid = application.site.svc.users.find(address) or ""
    open_logged_in(window, f"{application.site.url}{LOGIN}", address)
    window.locator("[name=remember]").check()
    window.locator("#answer").fill(counter.code(uid, 1))
    press(window, "main form button")
    window.goto(f"{application.site.url}/account/sessions")
    assert window.locator("[name=device]").count() == 1


def proof_refused(window: Page, application: Application) -> None:
    proof(window, application)
    window.locator("#answer").fill("a wrong one")
    press(window, "main form button")


def proof_choice(window: Page, application: Application) -> None:
    open_logged_in(window, application.link(), application.site.careful_person("counter", "letter"))


def enrolment(window: Page, application: Application) -> None:
    open_logged_in(window, application.link(client_id=application.demanding), application.site.person())


def enrolment_shown(window: Page, application: Application) -> None:
    enrolment(window, application)
    press(window, "main form button")


def enrolment_refused(window: Page, application: Application) -> None:
    enrolment_shown(window, application)
    window.locator("#answer").fill("123 456")
    press(window, "main form button")


def proof_of_work(window: Page, application: Application) -> None:
    window.add_init_script("crypto.subtle.digest = () => new Promise(() => {})")  # or it would go on by itself
    window.goto(f"{application.site.url}/authorize/work")


def consent(window: Page, application: Application) -> None:
    open_logged_in(window, application.link(), application.site.person())


def consent_to_more(window: Page, application: Application) -> None:
    """Of an application that registered itself, whose user has allowed a part of it before."""
    first = application.link(client_id=application.stranger, scope="openid email")
    open_logged_in(window, first, application.site.person())
    decide(window, "allow")
    window.goto(application.link(client_id=application.stranger))


def verify_email(window: Page, application: Application) -> None:
    svc = application.site.svc
    user = svc.users.read(svc.users.find(application.site.person()) or "")
    assert user
    query = urlencode({"token": verification.link(svc, user)})
    open_logged_in(window, f"{application.site.url}/account/verify-email?{query}", user.email)


def email_verified(window: Page, application: Application) -> None:
    verify_email(window, application)
    press(window, "main form button")


def email_not_verified(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/account/verify-email?token=x")


def change_email(window: Page, application: Application) -> None:
    svc = application.site.svc
    user = svc.users.read(svc.users.find(application.site.person()) or "")
    assert user
    query = urlencode({"token": email_change.change_link(svc, user)})
    open_logged_in(window, f"{application.site.url}/account/change-email?{query}", user.email)


def email_changed(window: Page, application: Application) -> None:
    change_email(window, application)
    press(window, "main form button")


def email_not_changed(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/account/change-email?token=x")


def undo_email_change(window: Page, application: Application) -> None:
    svc = application.site.svc
    user = svc.users.read(svc.users.find(application.site.person()) or "")
    assert user
    query = urlencode({"token": email_change.undo_link(svc, user)})
    window.goto(f"{application.site.url}/account/undo-email-change?{query}")


def email_restored(window: Page, application: Application) -> None:
    undo_email_change(window, application)
    press(window, "main form button")


def end_session(window: Page, application: Application) -> None:
    svc = application.site.svc
    user = svc.users.read(svc.users.find(application.site.person()) or "")
    assert user
    window.goto(f"{application.site.url}/account/end-session?{urlencode({'token': session_end_link(svc, user)})}")


def session_ended(window: Page, application: Application) -> None:
    end_session(window, application)
    press(window, "main form button")


def deleted(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/account/deleted")


def deletion_confirmed(window: Page, application: Application) -> None:
    account_page("/account/delete")(window, application)
    window.locator("summary").click()


def no_applications(window: Page, application: Application) -> None:
    """Of somebody who has just come, as the next one."""
    open_logged_in(window, f"{application.site.url}/account/apps", application.site.person())


def no_second_steps(window: Page, application: Application) -> None:
    open_logged_in(window, f"{application.site.url}/account/factors", application.site.person())


def deletion_scheduled(window: Page, application: Application) -> None:
    svc = application.site.svc
    use(replace(svc, settings=replace(svc.settings, deletion_seconds=14 * 24 * 3600)))
    window.goto(f"{application.site.url}/account/deletion-scheduled")
    use(svc)


def session_not_ended(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/account/end-session?token=x")


def mailed_login_code(window: Page, application: Application) -> None:
    login(window, application)
    window.locator("#email").fill(application.site.person())
    press(window, "button[formaction]")


def mailed_login_wrong_code(window: Page, application: Application) -> None:
    mailed_login_code(window, application)
    window.locator("#code").fill("000000")
    press(window, "main form button:not(.second)")


def mailed_login_waits(window: Page, application: Application) -> None:
    mailed_login_code(window, application)
    login(window, application)


def mailed_login_link(window: Page, application: Application) -> None:
    mailed_login_code(window, application)
    (attempt,) = (each["value"] for each in window.context.cookies() if each["name"] == "latchkey-attempt")
    query = urlencode({"token": mailed_login.link_for(application.site.svc, attempt)})
    window.goto(f"{application.site.url}/authorize/mailed?{query}")


def mailed_login_elsewhere(window: Page, application: Application) -> None:
    mailed_login_link(window, application)
    window.context.clear_cookies()
    window.reload()


def mailed_login_too_old(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/authorize/mailed?token=x")


def forgot_password(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/account/forgot-password")


def reset_mailed(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/account/reset-mailed")


def reset_password(window: Page, application: Application) -> None:
    svc = application.site.svc
    user = svc.users.read(svc.users.find(application.site.person()) or "")
    assert user
    query = urlencode({"token": recovery.link(svc, user)})
    window.goto(f"{application.site.url}/account/reset-password?{query}")


def reset_too_old(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/account/reset-password?token=x")


def password_reset(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/account/password-reset")


def sign_up_mailed(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/account/sign-up-mailed")


def mailed_sign_up(window: Page, application: Application) -> None:
    query = urlencode({"token": mailed_signup.link(application.site.svc, "new@example.com")})
    window.goto(f"{application.site.url}/account/sign-up?{query}")


def mailed_sign_up_too_old(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/account/sign-up?token=x")


def device(window: Page, application: Application) -> None:
    open_logged_in(window, f"{application.site.url}/device", application.site.person())


def device_refused(window: Page, application: Application) -> None:
    device(window, application)
    window.locator("#user_code").fill("BCDF-GHJK")
    press(window, "main form button")


def device_consent(window: Page, application: Application) -> None:
    open_logged_in(window, application.device()["verification_uri_complete"], application.site.person())


def device_connected(window: Page, application: Application) -> None:
    device_consent(window, application)
    decide(window, "allow")


def device_denied(window: Page, application: Application) -> None:
    device_consent(window, application)
    decide(window, "deny")


def error(window: Page, application: Application) -> None:
    window.goto(application.link(client_id="nobody"))


def leaving(window: Page, application: Application) -> None:
    window.goto(
        application.link(
            client_id=application.stranger, response_type="token", redirect_uri="https://garden.example/cb"
        )
    )
    window.locator("main .button, main form button").first.wait_for()


def stale(window: Page, application: Application) -> None:
    login(window, application)
    window.context.clear_cookies()
    log_in(window, "nobody@example.com")


def form_post(window: Page, application: Application) -> None:
    # A server without anything to say leaves a browser on the page where it is, so that this one can be seen.
    window.route("https://garden.example/**", lambda route: route.fulfill(status=204))
    place = application.link(response_mode="form_post", redirect_uri="https://garden.example/cb")
    open_logged_in(window, place, application.site.person())
    decide(window, "allow")


def log_out(window: Page, application: Application) -> None:
    consent(window, application)
    window.goto(f"{application.site.url}/oauth/logout")


def logged_out(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/oauth/logout")


def sent_on(window: Page, application: Application) -> None:
    place = "https://garden.example/bye"
    window.goto(
        f"{application.site.url}/oauth/logout?client_id={application.stranger}&post_logout_redirect_uri={place}"
    )


def stays(window: Page, application: Application) -> None:
    consent(window, application)
    elsewhere = "https://elsewhere.example"
    window.goto(f"{application.site.url}/oauth/logout?client_id={application.id}&post_logout_redirect_uri={elsewhere}")


def home(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/")
    window.locator("summary").click()


def home_logged_in(window: Page, application: Application) -> None:
    open_logged_in(window, f"{application.site.url}{LOGIN}", application.site.person())


def limited(window: Page, application: Application) -> None:
    login_refused(window, application)
    while window.locator("#email[aria-invalid]").count():  # a limit blames no field
        window.goto(send(window, application.link(), LOGIN, email="nobody@example.com", password=PASSWORD))


def docs(window: Page, application: Application) -> None:
    window.goto(f"{application.site.url}/docs")


def account_page(path: str) -> Callable[[Page, Application], None]:
    """A page for who is logged in, of somebody who has all that it shows."""

    def show(window: Page, application: Application) -> None:
        address = application.site.person()
        account_pages.prepare(application.site.svc, address)
        open_logged_in(window, f"{application.site.url}{path}", address)

    return show


PAGES: Mapping[str, Callable[[Page, Application], None]] = {
    path.strip("/").replace("/", "_"): account_page(path) for path in account_pages.PATHS
} | {
    page.__name__: page
    for page in (
        login,
        login_refused,
        login_known,
        sign_up,
        sign_up_refused,
        proof,
        proof_refused,
        remembered_devices,
        proof_choice,
        enrolment,
        enrolment_shown,
        enrolment_refused,
        proof_of_work,
        consent,
        consent_to_more,
        verify_email,
        email_verified,
        email_not_verified,
        change_email,
        email_changed,
        email_not_changed,
        end_session,
        session_ended,
        session_not_ended,
        deleted,
        deletion_scheduled,
        deletion_confirmed,
        no_applications,
        no_second_steps,
        undo_email_change,
        email_restored,
        mailed_login_code,
        mailed_login_wrong_code,
        mailed_login_waits,
        mailed_login_link,
        mailed_login_elsewhere,
        mailed_login_too_old,
        forgot_password,
        sign_up_mailed,
        mailed_sign_up,
        mailed_sign_up_too_old,
        reset_mailed,
        reset_password,
        reset_too_old,
        password_reset,
        device,
        device_refused,
        device_consent,
        device_connected,
        device_denied,
        error,
        leaving,
        stale,
        form_post,
        log_out,
        logged_out,
        sent_on,
        stays,
        home,
        home_logged_in,
        limited,
        docs,
    )
}


# The API's own document is in English alone.
@pytest.fixture(autouse=True)
def _further_factors() -> Iterator[None]:
    """Whoever is enrolled has them."""
    with counter.installed(), counter.installed("letter", ("sms",), challenges=True):
        yield


@pytest.fixture(scope="module")
def windows(chromium: Browser) -> Iterator[Mapping[str, Page]]:
    """A window for each language: to open and close one costs a third of what is looked at in it."""
    windows = {language: chromium.new_context(locale=language).new_page() for language in SHIPPED}
    for window in windows.values():
        window.set_default_timeout(15_000)
    yield windows
    for window in windows.values():
        window.context.close()


@pytest.fixture
def window_in(windows: Mapping[str, Page]) -> Callable[[str], Page]:
    """The window of a language, as if it were new: logged in nowhere, and about to leave what it shows."""

    def emptied(language: str) -> Page:
        window = windows[language]
        window.unroute_all()
        window.context.clear_cookies()
        window.set_viewport_size({"width": 1000, "height": 800})
        return window

    return emptied


@pytest.mark.parametrize(("page", "language"), [each for each in product(PAGES, SHIPPED) if each != ("docs", "ar")])
def test_a_page_is_readable_by_everybody_on_every_screen(
    window_in: Callable[[str], Page], application: Application, page: str, language: str
) -> None:
    window = window_in(language)
    PAGES[page](window, application)
    if page != "docs":
        assert window.evaluate(LANGUAGE) == [language, "rtl" if language == "ar" else "ltr"]
    looks.look_at(window)
