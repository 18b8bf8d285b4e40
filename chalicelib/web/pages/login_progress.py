"""Where a step of a login leads: to the page that asks for one proof more, or on, with the browser logged in."""

import json
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from ...domain import errors
from ...domain.accounts.model import Session, User
from ...domain.authentication.attempt import Attempt
from ...domain.authentication.known_device import KnownDevice
from ...domain.authentication.model import Authenticated
from ...domain.errors import LoginExpired, LoginRequired
from ...flows.authentication import attempts, login, mailed_login
from ...flows.authentication.login import Incomplete, Progress
from ...flows.clients import own
from ...flows.oauth import interactions
from ...flows.oauth.authorize import UserAction
from ...flows.oauth.interactions import Interaction
from ...flows.sessions import begin, browser, logout
from ...flows.sessions.browser import Browser
from ..http import request_log
from ..http.answers import Answer
from . import cookies, form_errors
from .page_request import PageRequest, StalePage, redirect, with_cookie

# A login begins a session of the browser that it is bound to; a step-up raises the session that it is bound to.
LOGIN, STEP_UP = "pages", "step up"
LOGIN_PAGE = "authorize/login"
PROOF, ENROL = "authorize/proof", "authorize/enrol"  # the pages between the password and what a login is for
ACCOUNT, KEPT = "account", "kept"  # the page that says so, where a login has taken back that the account is erased
STEP_ERRORS = (errors.InvalidCredentials, errors.TooManyRequests, errors.InvalidRequest)


def begin_login(page_request: PageRequest) -> Attempt:
    """A login in this browser, for where the request leads."""
    browser_token = page_request.browser_token()
    return attempts.begin(page_request.svc, LOGIN, own.BROWSER, bound_to=browser_token, request=_request(page_request))


def redirect_to_step_up(
    page_request: PageRequest,
    browser_session: Browser,
    *,
    least: str,
    acr_values: tuple[str, ...] = (),
    essential: bool = False,
) -> Answer:
    """Redirects to the page that asks for the proof by which this browser's session reaches the level that is wanted."""
    attempt = attempts.begin(
        page_request.svc,
        STEP_UP,
        own.BROWSER,
        bound_to=browser_session.session.session_id,
        acr_values=acr_values,
        acr_essential=essential,
        level=least,
        request=_request(page_request),
    )
    attempt = login.with_session(attempt, browser_session.user, browser_session.session)
    answer = redirect_to_proof(page_request, attempt)
    if page_request.browser_token():
        return answer
    return page_request.with_browser_token(answer, secrets.token_urlsafe(16))


def redirect_after(page_request: PageRequest, progress: Progress) -> Answer:
    """Redirects to what comes after a step of a login that is this browser's."""
    if isinstance(progress, Incomplete):
        request_log.set_user(progress.attempt.uid)
        return redirect_to_step(page_request, progress.attempt, PROOF if progress.factors else ENROL)
    previous = log_out_another_user(page_request, progress.user)
    return redirect_logged_in(page_request, browser.log_in(page_request.svc, progress, previous), progress)


def take_step(
    page_request: PageRequest,
    form: str,
    page: str,
    take: Callable[[Browser | None, Attempt], Answer],
    *,
    wrong: str = "wrong_answer",
) -> Answer:
    """Takes the step that a form of a login's page is, in the attempt that its page was shown for.

    Mistakes lead back; a `wrong` answer is what the page calls it.
    """
    browser_session = page_request.browser()
    try:
        attempt = read_attempt(page_request, browser_session)
        if attempt.id != page_request.fields.get("attempt"):  # another tab's
            raise StalePage()
        return take(browser_session, attempt)
    except LoginExpired:
        return start_over(page_request, browser_session)
    except LoginRequired:
        return start_over(page_request, None)
    except STEP_ERRORS as refusal:
        error = refusal.code if isinstance(refusal, errors.TooManyRequests) else wrong
        shown_on = step_page(page_request, page)
        return form_errors.redirect_with_errors(
            page_request, shown_on, (form, page_request.browser_token()), refusal, error
        )


def redirect_after_step(
    page_request: PageRequest, browser_session: Browser | None, attempt: Attempt, progress: Progress
) -> Answer:
    """Redirects to what comes after a step of a login in this browser, or of raising its session."""
    if attempt.flow == STEP_UP and browser_session and not isinstance(progress, Incomplete):
        return redirect_after_step_up(page_request, browser_session, progress)
    return redirect_after(page_request, progress)


def redirect_after_sign_up(page_request: PageRequest, progress: Progress, session: Session | None) -> Answer:
    """Redirects to what comes after a sign-up, with its first session, or to the step that it needs before one."""
    if session is None or isinstance(progress, Incomplete):
        return redirect_after(page_request, progress)
    log_out_another_user(page_request, progress.user)
    return redirect_logged_in(page_request, Browser(progress.user, session), progress)


def redirect_after_step_up(page_request: PageRequest, browser_session: Browser, login: Authenticated) -> Answer:
    """Raises this browser's session and redirects to where the request leads; raises LoginExpired if it has ended."""
    return redirect_logged_in(page_request, browser.raise_session(page_request.svc, login, browser_session), login)


def redirect_to_proof(
    page_request: PageRequest, attempt: Attempt, challenge: Mapping[str, str] | None = None
) -> Answer:
    """Redirects to the page for one proof more, with the attempt in a cookie of this browser.

    `challenge` is what the chosen factor shows.
    """
    if challenge is not None:
        attempt = attempt.with_request(challenge=json.dumps(dict(challenge)))
    return redirect_to_step(page_request, attempt, PROOF)


def redirect_to_step(page_request: PageRequest, attempt: Attempt, page: str) -> Answer:
    """Redirects to the page of a step of a login, with the attempt in a cookie of this browser."""
    answer = redirect(f"{page_request.svc.settings.issuer}/{step_page(page_request, page)}")
    return with_attempt_cookie(page_request, answer, attempt)


def with_attempt_cookie(page_request: PageRequest, answer: Answer, attempt: Attempt) -> Answer:
    """An answer that gives the browser its attempt to carry."""
    svc = page_request.svc
    cookie = cookies.write(svc.settings, cookies.ATTEMPT, attempts.seal(svc, attempt), seconds=Attempt.seconds)
    return with_cookie(answer, cookie)


def step_page(page_request: PageRequest, page: str) -> str:
    """The path of the page of a step, with where the request leads."""
    return f"{page}?{urlencode({'to': page_request.to})}" if page_request.to else page


def start_over(page_request: PageRequest, browser_session: Browser | None) -> Answer:
    """Redirects to where a login that has expired begins anew."""
    # Who is logged in has perhaps pressed the button twice.
    if browser_session:
        return page_request.start_over()
    return redirect(f"{page_request.svc.settings.issuer}/{step_page(page_request, LOGIN_PAGE)}")


def read_attempt(page_request: PageRequest, browser_session: Browser | None) -> Attempt:
    """The attempt that this browser carries for where the request leads; raises LoginExpired."""
    svc = page_request.svc
    cookie = cookies.read(svc.settings, page_request.caller.headers, cookies.ATTEMPT)
    try:
        return read_login(page_request, cookie)
    except LoginExpired:
        if browser_session is None:
            raise
    holder = (browser_session.session.session_id,)
    return _for_this_page(page_request, attempts.unseal(svc, cookie, flow=STEP_UP, client=own.BROWSER, bound_to=holder))


def read_login(page_request: PageRequest, unverified_text: str) -> Attempt:
    """The login in a text, begun in this browser for where the request leads; raises LoginExpired."""
    holder = (page_request.browser_token() or None,)
    attempt = attempts.unseal(page_request.svc, unverified_text, flow=LOGIN, client=own.BROWSER, bound_to=holder)
    return _for_this_page(page_request, attempt)


def _for_this_page(page_request: PageRequest, attempt: Attempt) -> Attempt:
    if not leads_here(page_request, attempt):
        raise LoginExpired(reason="leads elsewhere", uid=attempt.uid)
    return attempt


def attempt_by_mail(page_request: PageRequest) -> Attempt | None:
    """The login in this browser that waits for a mail, wherever it leads."""
    svc, holder = page_request.svc, (page_request.browser_token() or None,)
    cookie = cookies.read(svc.settings, page_request.caller.headers, cookies.ATTEMPT)
    if not cookie:
        return None
    try:
        attempt = attempts.unseal(svc, cookie, flow=LOGIN, client=own.BROWSER, bound_to=holder)
    except LoginExpired:
        return None
    return attempt if mailed_login.awaits_mail(attempt) else None


def leads_here(page_request: PageRequest, attempt: Attempt) -> bool:
    """Whether an attempt was begun for where the request leads."""
    return attempt.request["to"] == interactions.digest_of(page_request.to)


def redirect_logged_in(page_request: PageRequest, browser_session: Browser, login: Authenticated) -> Answer:
    """Redirects to where the login leads, with a new session cookie, in a browser that the account knows from now on."""
    svc = page_request.svc
    request_log.set_user(browser_session.user.uid)
    seconds = browser_session.session.ends_at - svc.now()
    cookie = cookies.write(
        svc.settings, cookies.SESSION, browser.cookie_of(svc, browser_session.session), seconds=seconds
    )
    onward = redirect_onward(page_request, browser_session, UserAction.LOGGED_IN)
    if login.withdraws_deletion and page_request.to.partition("?")[0] == ACCOUNT:
        onward = page_request.redirect_after(browser_session, Interaction(KEPT))
    answer = with_cookie(onward, cookie)
    device_token = begin.device_token(svc, login)
    answer = with_cookie(answer, cookies.write(svc.settings, cookies.DEVICE, device_token, seconds=KnownDevice.seconds))
    if not cookies.read(svc.settings, page_request.caller.headers, cookies.ATTEMPT):
        return answer
    return with_cookie(answer, cookies.write(svc.settings, cookies.ATTEMPT, "", seconds=0))


def redirect_onward(page_request: PageRequest, browser_session: Browser, action: UserAction) -> Answer:
    """Redirects to where the request leads, with what its user has done."""
    if not page_request.request:
        return page_request.start_over()
    return page_request.redirect_after(browser_session, Interaction(action.value))


def log_out_another_user(page_request: PageRequest, user: User) -> Browser | None:
    """The session that this browser had before this login, if it is the same user's; another user's is ended."""
    earlier_session = page_request.browser_before_login(user)
    if earlier_session is None or earlier_session.user.uid == user.uid:
        return earlier_session
    logout.end(page_request.svc, earlier_session, network=page_request.caller.network)
    return None


def _request(page_request: PageRequest) -> dict[str, str]:
    return {"to": interactions.digest_of(page_request.to), "factor": "", "challenge": "{}"}
