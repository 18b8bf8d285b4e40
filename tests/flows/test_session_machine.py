"""Any sequence of what a user and a thief can do, against a plain model of which tokens are alive."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import boto3
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from chalicelib.config import load
from chalicelib.domain.passwords import CHEAPEST_ONLY_FOR_TESTS
from chalicelib.services import build
from chalicelib.store import tables
from local.gateway import Answer
from tests.phone import Clock, Phone, installed
from tests.staged import just_before

WINDOW, IDLE, ACCESS = 30, 30 * 24 * 3600, 15 * 60
YEAR = 365 * 24 * 3600
PASSWORDS = ["correct horse battery staple", "an entirely other phrase 7", "seven unlikely purple walruses"]


@pytest.fixture(autouse=True, scope="module")
def _aws(aws: None) -> None:
    """Holds for the whole module."""


@dataclass(eq=False)
class Account:
    """What the model knows of a user."""

    email: str
    password: str
    uid: str
    disabled: bool = False
    deleted: bool = False
    sessions: list["Session"] = field(default_factory=list)


@dataclass(eq=False)
class Session:
    """What the model knows of a session: the texts of its refresh tokens in their order, and until when it lives."""

    account: Account
    expires_at: int
    ends_at: int
    refresh: list[str]
    rotated_at: int = 0
    ended: bool = False

    def live(self, now: int) -> bool:
        return not (self.ended or self.account.disabled or self.account.deleted) and now < self.expires_at


@dataclass(frozen=True, eq=False)
class Access:
    session: Session
    text: str
    exp: int


class Sessions(RuleBasedStateMachine):
    accounts = Bundle("accounts")
    sessions = Bundle("sessions")

    @initialize()
    def deploy(self) -> None:
        own = uuid4().hex
        deployed = load(
            {
                "LATCHKEY_ISSUER": "https://id.example",
                "LATCHKEY_USERS_TABLE": f"users-{own}",
                "LATCHKEY_GRANTS_TABLE": f"grants-{own}",
                "LATCHKEY_KEYS_PATH": f"/{own}/keys",
                "LATCHKEY_ALGORITHM": "ES256",
            }
        )
        tables.ensure(boto3.client("dynamodb"), users=deployed.users_table, grants=deployed.grants_table)
        self.clock = Clock()
        self.svc = build(deployed, now=self.clock, hashing=CHEAPEST_ONLY_FOR_TESTS)
        self.cleanup = ExitStack()
        self.cleanup.enter_context(installed(self.svc))
        self.access: list[Access] = []
        self.logins = 0
        self.signed_up: list[Account] = []

    def teardown(self) -> None:
        self.cleanup.close()

    def post(self, path: str, body: object, access: Access | None = None) -> Answer:
        # Each from a network of its own: the limits on guessing have tests of their own.
        self.logins += 1
        phone = Phone(self.clock, address=f"10.{self.logins >> 16}.{self.logins >> 8 & 255}.{self.logins & 255}")
        return phone.call(path, body, token=access.text if access else None)

    def begun(self, account: Account, answer: dict[str, Any]) -> Session:
        now = self.clock()
        session = Session(account, now + IDLE, now + YEAR, [answer["refresh_token"]])
        account.sessions.append(session)
        self.access.append(Access(session, answer["access_token"], now + ACCESS))
        return session

    @precondition(lambda self: len(self.signed_up) < 2)
    @rule(target=accounts, password=st.sampled_from(PASSWORDS))
    def sign_up(self, password: str) -> Any:
        email = f"{uuid4().hex}@example.com"
        answer = self.post("POST /signup", {"email": email, "password": password})
        assert answer.status == 201
        account = Account(email, password, answer.json()["user"]["sub"])
        self.begun(account, answer.json())
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
        return self.begun(account, answer.json())

    @rule(account=accounts, password=st.sampled_from(PASSWORDS))
    def guess(self, account: Account, password: str) -> None:
        if password != account.password:
            assert self.post("POST /login", {"email": account.email, "password": password}).status == 401

    @rule(session=sessions, back=st.integers(0, 2), wait=st.sampled_from([0, 0, IDLE - 1, IDLE]))
    def refresh(self, session: Session, back: int, wait: int) -> None:
        """Presents the latest refresh token or one before it, after a while."""
        self.clock.advance(wait)
        self.present(session, max(0, len(session.refresh) - 1 - back), self.clock())

    @rule(session=sessions, wait=st.sampled_from([0, WINDOW, WINDOW + 1]))
    def replay(self, session: Session, wait: int) -> None:
        """Loses the answer to a refresh or has its token stolen, and presents that token again; then uses the latest."""
        used = len(session.refresh) - 1
        self.present(session, used, self.clock())
        self.clock.advance(wait)
        self.present(session, used, self.clock())
        self.present(session, len(session.refresh) - 1, self.clock())

    @rule(session=sessions)
    def refresh_twice_at_once(self, session: Session) -> None:
        """Presents the latest refresh token while another request with it steps in between our read and our write."""
        used = len(session.refresh) - 1
        if not session.live(self.clock()):
            return
        with just_before(self.svc.grants._client, "UpdateItem", lambda: self.present(session, used, self.clock())):
            self.present(session, used, self.clock())

    @rule(session=sessions)
    def log_out_during_a_refresh(self, session: Session) -> None:
        """Ends the session between a refresh's read and its write: the refresh comes too late."""
        if not session.live(self.clock()):
            return
        body = {"refresh_token": session.refresh[-1]}
        with just_before(self.svc.grants._client, "UpdateItem", lambda: self.post("POST /logout", body)):
            assert self.post("POST /refresh", body).status == 401
        session.ended = True

    def present(self, session: Session, place: int, now: int) -> None:
        answer = self.post("POST /refresh", {"refresh_token": session.refresh[place]})
        behind = len(session.refresh) - 1 - place
        if not session.live(now):
            assert answer.status == 401
        elif behind == 0:
            session.refresh.append(answer.json()["refresh_token"])
            session.rotated_at, session.expires_at = now, min(now + IDLE, session.ends_at)
        elif behind > 1 or now > session.rotated_at + WINDOW:
            assert answer.status == 401
            session.ended = True
        if answer.status == 200:
            assert answer.json()["refresh_token"] == session.refresh[place + 1]
            self.access.append(Access(session, answer.json()["access_token"], now + ACCESS))
        else:
            assert not session.live(now)

    @rule(session=sessions, back=st.integers(0, 2))
    def log_out(self, session: Session, back: int) -> None:
        place = max(0, len(session.refresh) - 1 - back)
        assert self.post("POST /logout", {"refresh_token": session.refresh[place]}).status == 204
        session.ended = True

    @rule(account=accounts, data=st.data(), password=st.sampled_from(PASSWORDS))
    def change_password(self, account: Account, data: st.DataObject, password: str) -> None:
        access = self.chosen(account, data)
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
        access = self.chosen(account, data)
        if access is not None and self.post("DELETE /me/sessions", None, access).status == 204:
            assert self.usable(access)
            self.end_all_but(access.session)

    @rule(account=accounts)
    def disable(self, account: Account) -> None:
        found = self.svc.users.disable(account.uid)
        assert (found is None) == account.deleted
        account.disabled = True

    @rule(account=accounts, data=st.data())
    def delete(self, account: Account, data: st.DataObject) -> None:
        access = self.chosen(account, data)
        if access is None:
            return
        answer = self.post("DELETE /me", {"password": account.password}, access)
        assert (answer.status == 204) == self.usable(access)
        account.deleted = account.deleted or answer.status == 204

    @rule(seconds=st.sampled_from([1, ACCESS - 1, ACCESS, IDLE - 1, IDLE]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    def chosen(self, account: Account, data: st.DataObject) -> Access | None:
        own = [access for access in self.access if access.session.account is account]
        return data.draw(st.sampled_from(own)) if own else None

    def usable(self, access: Access) -> bool:
        return self.clock() < access.exp and access.session.live(self.clock())

    def end_all_but(self, kept: Session) -> None:
        for session in kept.account.sessions:
            session.ended = session.ended or session is not kept

    @invariant()
    def access_tokens_live_as_the_model_says(self) -> None:
        for access in getattr(self, "access", [])[-6:]:
            told = self.post("POST /verify", {"token": access.text}).json()["active"]
            assert told is self.usable(access)


TestSessions = Sessions.TestCase
TestSessions.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
