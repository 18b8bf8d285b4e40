"""A factor made for tests: a code that counts on with each use, as a one-time code's time steps do (RFC 6238)."""

import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chalicelib.domain.accounts.model import User
from chalicelib.domain.authentication.attempt import Attempt
from chalicelib.domain.authentication.model import Proof
from chalicelib.domain.errors import InvalidCredentials
from chalicelib.flows.authentication.factors import FACTORS
from chalicelib.flows.authentication.factors.factor import Factor
from chalicelib.services import Services
from chalicelib.store.dynamo import ConditionFailed, conditionally, key

SECRET = b"a secret that the test and the factor share"


def key_of(name: str, uid: str) -> dict[str, dict[str, str]]:
    """Where the last step of an account's factor is kept."""
    return key(("user", uid), ("factor", name))


def code(uid: str, step: int) -> str:
    """The code of an account at a step."""
    return f"{step}-" + hmac.digest(SECRET, f"{uid} {step}".encode(), "sha256").hex()[:16]


def enrol(svc: Services, uid: str, name: str = "counter") -> None:
    """Gives an account the factor."""
    item = {**key_of(name, uid), "last_step": {"N": "0"}}
    svc.users._client.call("PutItem", TableName=svc.settings.users_table, Item=item)


def withdraw(svc: Services, uid: str, name: str = "counter") -> None:
    """Takes the factor from an account."""
    svc.users._client.call("DeleteItem", TableName=svc.settings.users_table, Key=key_of(name, uid))


def _enrolled(name: str, svc: Services, user: User) -> bool:
    table = svc.settings.users_table
    item = svc.users._client.call("GetItem", TableName=table, Key=key_of(name, user.uid), ConsistentRead=True)
    return "Item" in item


def _verify(factor: Factor, svc: Services, user: User, answer: str) -> Proof:
    step = answer.partition("-")[0]
    if not step.isascii() or not step.isdecimal() or answer != code(user.uid, int(step)):
        raise InvalidCredentials(uid=user.uid)
    try:
        conditionally(
            svc.users._client,
            "UpdateItem",
            TableName=svc.settings.users_table,
            Key=key_of(factor.name, user.uid),
            UpdateExpression="SET last_step = :step",
            ConditionExpression="last_step < :step",
            ExpressionAttributeValues={":step": {"N": step}},
        )
    except ConditionFailed:
        raise InvalidCredentials(reason="used", uid=user.uid) from None
    return Proof(factor.name, factor.amr, svc.now())


def _challenge(_: Services, attempt: Attempt, user: User, network: str) -> Mapping[str, str]:
    return {"hint": f"for {user.email} in {attempt.id[:6]} from {network}"}


@contextmanager
def installed(name: str = "counter", amr: tuple[str, ...] = ("otp",), *, challenges: bool = False) -> Iterator[Factor]:
    """Puts such a factor into the list of all, and takes it out again."""
    factor = Factor(
        name=name,
        amr=amr,
        enrolled=lambda svc, user: _enrolled(name, svc, user),
        verify=lambda svc, _, user, answer: _verify(factor, svc, user, answer),
        challenge=_challenge if challenges else None,
    )
    before = dict(FACTORS)
    FACTORS[name] = factor
    yield factor
    FACTORS.clear()
    FACTORS.update(before)
