"""Any sequence of what a user and a thief can do, against a plain model of which tokens are alive."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, multiple, precondition, rule

from local.gateway import Answer
from tests.support.modelled import ACCESS, IDLE, WINDOW, YEAR, Access, Account, Deployed, Session
from tests.support.staged import just_before

PASSWORDS = ["correct horse battery staple", "an entirely other phrase 7", "seven unlikely purple walruses"]


class Sessions(Deployed):
    accounts = Bundle("accounts")
    sessions = Bundle("sessions")

    def __init__(self) -> None:
        super().__init__()
        self.signed_up: list[Account] = []

    @initialize(target=accounts)
    def somebody(self) -> Account:
        """Somebody to begin with: without an account there is nothing to do."""
        return self.signed_up[0] if self.signed_up else self.signed_up_with(PASSWORDS[0])

    @initialize(target=sessions)
    def logged_in(self) -> Session:
        """The session of that sign-up: most steps need one."""
        return (self.signed_up or [self.signed_up_with(PASSWORDS[0])])[0].sessions[0]

    def post(self, line: str, body: object, access: Access | None = None) -> Answer:
        return self.phone.call(line, body, token=access.text if access else None)

    def start_session(self, account: Account, answer: dict[str, Any]) -> Session:
        now = self.clock()
        session = Session(account, now + IDLE, now + YEAR, [answer["refresh_token"]])
        account.sessions.append(session)
        self.access.append(Access(session, answer["access_token"], now + ACCESS))
        return session

    @precondition(lambda self: len(self.signed_up) < 4)
    @rule(target=accounts, password=st.sampled_from(PASSWORDS))
    def sign_up(self, password: str) -> Any:
        return self.signed_up_with(password)

    def signed_up_with(self, password: str) -> Account:
        email = f"{uuid4().hex}@example.com"
        answer = self.post("POST /signup", {"email": email, "password": password})
        assert answer.status == 201
        account = Account(email, password, answer.json()["user"]["sub"])
        self.start_session(account, answer.json())
        self.signed_up.append(account)
        return account

    @rule(target=sessions, account=accounts)
    def log_in(self, account: Account) -> Any:
        answer = self.post("POST /login", {"email": account.email, "password": account.password})
        if account.deleted:
            assert answer.status == 401
            return multiple()
        if account.disabled:
            assert answer.status == 403
            return multiple()
        assert answer.status == 200
        return self.start_session(account, answer.json())

    @rule(account=accounts, password=st.sampled_from(PASSWORDS))
    def guess(self, account: Account, password: str) -> None:
        if password != account.password:
            assert self.post("POST /login", {"email": account.email, "password": password}).status == 401

    @rule(session=sessions, back=st.integers(0, 2), wait=st.sampled_from([0] * 4 + [IDLE - 1, IDLE]))
    def refresh(self, session: Session, back: int, wait: int) -> None:
        """Presents the latest refresh token or one before it, after a while."""
        session = self.living(session) if back or wait else session
        self.clock.advance(wait)
        self.present(session, session.place(back), self.clock())

    @rule(session=sessions, wait=st.sampled_from([0, WINDOW, WINDOW + 1]))
    def replay(self, session: Session, wait: int) -> None:
        """Loses the answer to a refresh or has its token stolen, and presents that token again; then uses the latest."""
        session = self.living(session)
        place = session.place(0)
        self.present(session, place, self.clock())
        self.clock.advance(wait)
        self.present(session, place, self.clock())
        self.present(session, session.place(0), self.clock())

    @rule(session=sessions)
    def refresh_twice_at_once(self, session: Session) -> None:
        """Presents the latest refresh token while another request with it steps in between our read and our write."""
        session = self.living(session)
        place = session.place(0)
        if not session.live(self.clock()):
            return
        with just_before(self.svc.sessions._client, "UpdateItem", lambda: self.present(session, place, self.clock())):
            self.present(session, place, self.clock())

    @rule(session=sessions)
    def log_out_during_a_refresh(self, session: Session) -> None:
        """Ends the session between a refresh's read and its write: the refresh comes too late."""
        session = self.living(session)
        if not session.live(self.clock()):
            return
        body = {"refresh_token": session.refresh[-1]}
        with just_before(self.svc.sessions._client, "UpdateItem", lambda: self.post("POST /logout", body)):
            assert self.post("POST /refresh", body).status == 401
        session.ended = True

    def present(self, session: Session, place: int, now: int) -> None:
        answer = self.post("POST /refresh", {"refresh_token": session.refresh[place]})
        assert answer.status == (200 if session.presented(place, now) else 401)
        if answer.status == 200:
            session.renewed(place, answer.json()["refresh_token"], now)
            self.access.append(Access(session, answer.json()["access_token"], now + ACCESS))

    @rule(session=sessions, back=st.integers(0, 2))
    def log_out(self, session: Session, back: int) -> None:
        assert self.post("POST /logout", {"refresh_token": session.refresh[session.place(back)]}).status == 204
        session.ended = True

    @rule(account=accounts, data=st.data(), password=st.sampled_from(PASSWORDS))
    def change_password(self, account: Account, data: st.DataObject, password: str) -> None:
        access = self.access_of(account, data)
        if access is None:
            return
        change = {"current_password": account.password, "new_password": password}
        answer = self.post("POST /me/password", change, access)
        if not self.usable(access):
            assert answer.status == 401
            return
        assert answer.status == 204, answer.body
        account.password = password
        self.end_all_but(access.session)

    @rule(account=accounts, data=st.data())
    def end_others(self, account: Account, data: st.DataObject) -> None:
        access = self.access_of(account, data)
        if access is not None and self.post("DELETE /me/sessions", None, access).status == 204:
            assert self.usable(access)
            self.end_all_but(access.session)

    @rule(account=accounts)
    def disable(self, account: Account) -> None:
        user = self.svc.users.disable(account.uid)
        assert (user is None) == (account.deleted or account.disabled)
        account.disabled = True

    @rule(account=accounts, data=st.data())
    def delete(self, account: Account, data: st.DataObject) -> None:
        access = self.access_of(account, data)
        if access is None:
            return
        answer = self.post("DELETE /me", {"password": account.password}, access)
        assert (answer.status == 204) == self.usable(access)
        account.deleted = account.deleted or answer.status == 204

    @rule(seconds=st.sampled_from([1, ACCESS - 1, ACCESS]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    def access_of(self, account: Account, data: st.DataObject) -> Access | None:
        own = [access for access in self.access if access.session.account is account]
        return data.draw(st.sampled_from(own)) if own else None

    def end_all_but(self, survivor: Session) -> None:
        for session in survivor.account.sessions:
            session.ended = session.ended or session is not survivor


TestSessions = pytest.mark.slow(Sessions.TestCase)
TestSessions.settings = settings(
    max_examples=18, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
