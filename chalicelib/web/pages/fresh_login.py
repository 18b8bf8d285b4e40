"""What comes before a page that is for who has just logged in with all that the account has."""

from ...domain.authentication import levels
from ...domain.errors import EnrolmentRequired
from ...flows.authentication import enrolment, policy
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from .login_form import LOG_IN, show_form
from .login_progress import redirect_to_step_up
from .page_request import PageRequest


def login_unless_fresh(page_request: PageRequest, browser_session: Browser) -> Answer | None:
    """The login, or the proof alone that the login left out, as it does on a remembered device; None if all is there."""
    svc, user, session = page_request.svc, browser_session.user, browser_session.session
    if enrolment.is_fresh(svc, user, session):
        return None
    just_logged_in = svc.now() - session.auth_time <= svc.settings.fresh_login_seconds
    if just_logged_in and _can_be_raised(page_request, browser_session):
        return redirect_to_step_up(page_request, browser_session, least=levels.AAL2)
    return show_form(page_request, LOG_IN, email=user.email)


def _can_be_raised(page_request: PageRequest, browser_session: Browser) -> bool:
    user, session = browser_session.user, browser_session.session
    try:
        return bool(policy.missing_for_session(page_request.svc, user, session, least=levels.AAL2))
    except EnrolmentRequired:
        return False
