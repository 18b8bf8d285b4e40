"""What the state machines share: a deployment of their own, and a plain model of users, sessions and their tokens."""

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant

from chalicelib.config import limits
from local.gateway import Answer
from tests.support.aws import container
from tests.support.phone import Clock, Phone, deployed, installed

WINDOW, IDLE, ACCESS = 30, 30 * 24 * 3600, 15 * 60
YEAR = 365 * 24 * 3600
LOOKED_AT = 3


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

    def place(self, back: int) -> int:
        """Which of its refresh tokens is the latest, or the one so far before it."""
        return max(0, len(self.refresh) - 1 - back)

    def presented(self, place: int, now: int) -> bool:
        """Whether the refresh token in a place is good at this moment; a reuse ends the session."""
        if not self.live(now):
            return False
        behind = len(self.refresh) - 1 - place
        if behind > 1 or (behind == 1 and now > self.rotated_at + WINDOW):
            self.ended = True
        return not self.ended

    def renewed(self, place: int, successor: str, now: int) -> None:
        """Takes in what the refresh token in a place was answered with; a retry gets the same again."""
        if place == len(self.refresh) - 1:
            assert successor not in self.refresh
            self.refresh.append(successor)
            self.rotated_at, self.expires_at = now, min(now + IDLE, self.ends_at)
        assert successor == self.refresh[place + 1]


S = TypeVar("S", bound=Session)


@dataclass(frozen=True, eq=False)
class Access:
    """An access token: of which session, and until when."""

    session: Session
    text: str
    exp: int


# The limits have tests of their own, and any of them can be met by chance.
UNLIMITED = limits.read({"LATCHKEY_LIMITS": "*=999999999"})


class Traveller(Phone):
    """A phone that is in another network for each call: waits after wrong guesses have tests of their own."""

    calls = 0

    def call(self, *args: Any, **options: Any) -> Answer:
        self.calls += 1
        self.address = f"10.{self.calls >> 16}.{self.calls >> 8 & 255}.{self.calls & 255}"
        return super().call(*args, **options)


class Deployed(RuleBasedStateMachine):
    """Has a deployment of its own in each run, and holds the latest access tokens against the model after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        svc = container(deployed(), now=self.clock)
        self.svc = replace(svc, settings=replace(svc.settings, limits=UNLIMITED))
        self.cleanup = ExitStack()
        self.cleanup.enter_context(installed(self.svc))
        self.phone = Traveller(self.clock)
        self.access: list[Access] = []

    def teardown(self) -> None:
        self.cleanup.close()

    def living(self, session: S) -> S:
        """The session, or for one that can no longer be refreshed the youngest of its kind that can: most steps need one."""
        now = self.clock()
        renewable = [each.session for each in self.access if each.session.refresh and each.session.live(now)]
        alike = [each for each in renewable if isinstance(each, type(session))]
        return session if session in alike or not alike else alike[-1]

    def usable(self, access: Access) -> bool:
        return self.clock() < access.exp and access.session.live(self.clock())

    @invariant()
    def access_tokens_live_as_the_model_says(self) -> None:
        for access in self.access[-LOOKED_AT:]:
            active = self.phone.call("POST /verify", {"token": access.text}).json()["active"]
            assert active is self.usable(access)
