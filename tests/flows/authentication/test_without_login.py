"""A session that no login began says nothing of one, and passes no check for a fresh one."""

import pytest

from chalicelib.domain.accounts.model import Session, User
from chalicelib.domain.errors import LoginRequired
from chalicelib.flows.accounts import deletion
from chalicelib.flows.oauth import introspection
from chalicelib.flows.platform import keys
from chalicelib.flows.sessions import begin, issue
from chalicelib.services import Services
from tests.support.browser import App, register
from tests.support.forge import peek
from tests.support.phone import Phone, refusal

LOGIN_CLAIMS = {"auth_time", "amr", "acr"}


@pytest.fixture
def user(phone: Phone, svc: Services) -> User:
    """A user with an account."""
    user = svc.users.read(phone.sign_up()["user"]["sub"])
    assert user
    return user


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    """A client whose tokens open the account's own routes as well."""
    return register(svc, phone, scopes=("openid", "account"), introspects=True)


def vouched(svc: Services, user: User, app: App) -> tuple[Session, issue.TokenSet]:
    """A session that is there at somebody else's word, and its tokens."""
    session = begin.draft_without_login(svc, user, app.client, scope=("openid", "account"))
    tokens = issue.issue(svc, keys.current(svc), user, session, app.client)
    assert svc.transactions.commit(svc.sessions.creation(session)) is None
    return session, tokens


def test_its_tokens_and_what_is_told_of_them_say_nothing_of_a_login(svc: Services, user: User, app: App) -> None:
    session, tokens = vouched(svc, user, app)
    assert not session.logged_in
    for token in (tokens.access_token, tokens.id_token):
        assert not LOGIN_CLAIMS & set(peek(token)[1])
    active = introspection.introspect(svc, app.client, tokens.access_token)
    assert active["active"]
    assert not LOGIN_CLAIMS & set(active)


def test_it_is_refused_where_a_fresh_login_is_needed_and_nowhere_else(
    svc: Services, phone: Phone, user: User, app: App
) -> None:
    session, tokens = vouched(svc, user, app)
    assert phone.call("GET /me", token=tokens.access_token).status == 200
    assert refusal(phone.call("DELETE /me", token=tokens.access_token)) == (401, "login_required")
    with pytest.raises(LoginRequired):
        deletion.delete(
            svc, user, session, auth_time=session.auth_time, password=None, network="198.51.100.7", language="en"
        )


def test_it_stays_what_it_is_as_it_is_stored_and_read(svc: Services, user: User, app: App) -> None:
    session, _ = vouched(svc, user, app)
    assert svc.sessions.with_user(user.uid, session.session_id)[1] == session
