"""A factor made for tests: a code that counts on with each use, as a one-time code's time steps do (RFC 6238)."""

import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from chalicelib.domain.accounts.model import EnrolledFactor, User
from chalicelib.domain.authentication.attempt import Attempt
from chalicelib.domain.authentication.model import Proof
from chalicelib.domain.authentication.user_agent import UserAgent
from chalicelib.domain.errors import InvalidCredentials
from chalicelib.domain.versioned import Record
from chalicelib.flows.authentication.factors import FACTORS
from chalicelib.flows.authentication.factors.factor import Enrolment, Factor, encode
from chalicelib.flows.platform.ids import new_id
from chalicelib.services import Services
from chalicelib.store import factors

SECRET = b"a secret that the test and the factor share"


class CounterRecord(Record, frozen=True):
    """All that is kept of one is its last step."""


def code(uid: str, step: int) -> str:
    """The code of an account at a step."""
    return f"{step}-" + hmac.digest(SECRET, f"{uid} {step}".encode(), "sha256").hex()[:16]


def an_item(uid: str, name: str, factor_id: str) -> dict[str, Any]:
    """An item as an account's that has the factor."""
    factor = EnrolledFactor(uid=uid, kind=name, id=factor_id, name="", created_at=0, record=encode(CounterRecord()))
    return factors.to_item(factor)


def enrol(svc: Services, uid: str, name: str = "counter") -> None:
    """Gives an account the factor."""
    user = svc.users.read(uid)
    assert user
    factor = EnrolledFactor(
        uid=uid, kind=name, id=new_id(), name="A counter", created_at=svc.now(), record=encode(CounterRecord())
    )
    assert svc.transactions.commit(svc.factors.enrolment(user, factor)) is None


def withdraw(svc: Services, uid: str, name: str = "counter") -> None:
    """Takes the factor from an account."""
    user = svc.users.read(uid)
    assert user
    (factor,) = svc.factors.of_user(user, name)
    assert svc.transactions.commit(svc.factors.removal(user, [factor.entry])) is None


def _verify(factor: Factor, svc: Services, user: User, answer: str) -> Proof:
    step = answer.partition("-")[0]
    if not step.isascii() or not step.isdecimal() or answer != code(user.uid, int(step)):
        raise InvalidCredentials(uid=user.uid)
    (enrolled,) = svc.factors.of_user(user, factor.name)
    if not svc.factors.use(enrolled, counter=int(step), now=svc.now()):
        raise InvalidCredentials(reason="used", uid=user.uid)
    return Proof(factor.name, factor.amr, svc.now())


def _challenge(_: Services, attempt: Attempt, user: User, agent: UserAgent) -> Mapping[str, str]:
    return {"hint": f"for {user.email} in {attempt.id[:6]} from {agent.network}"}


def _begin(_: Services, user: User, __: UserAgent) -> tuple[dict[str, str], dict[str, str]]:
    return {"of": user.uid}, _show()


def _show(*_: object) -> dict[str, str]:
    return {"hint": "count from nought"}


def _finish(name: str, amr: tuple[str, ...], svc: Services, user: User, answer: str) -> tuple[EnrolledFactor, Proof]:
    if answer != code(user.uid, 0):
        raise InvalidCredentials(uid=user.uid)
    record = encode(CounterRecord())
    factor = EnrolledFactor(uid=user.uid, kind=name, id=new_id(), name="", created_at=svc.now(), record=record)
    return factor, Proof(name, amr, svc.now())


@contextmanager
def installed(
    name: str = "counter",
    amr: tuple[str, ...] = ("otp",),
    *,
    challenges: bool = False,
    on_pages: bool = False,
    **properties: Any,
) -> Iterator[Factor]:
    """Puts such a factor, with these `properties`, into the list of all, and takes it out again; pages can add one that is
    `on_pages`."""
    factor = Factor(
        name=name,
        amr=amr,
        verify=lambda svc, _, user, answer: _verify(factor, svc, user, answer),
        challenge=_challenge if challenges else None,
        enrolment=Enrolment(
            _begin,
            lambda svc, user, _, answer: _finish(name, amr, svc, user, answer),
            most=2,
            show=_show if on_pages else None,
        ),
    )
    factor = replace(factor, **properties)
    before = dict(FACTORS)
    FACTORS[name] = factor
    yield factor
    FACTORS.clear()
    FACTORS.update(before)
