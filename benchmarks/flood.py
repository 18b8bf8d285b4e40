"""What a flood of wrong passwords costs in DynamoDB: 100,000 of them from 10,000 networks, at many accounts or at one.

The store's calls go to a DynamoDB in this process, which counts what each would consume of each partition key: two write
units for an item in a transaction, whether it is written or refused, one for any other write, one read unit for a
consistent read. The clock moves on as fast as the gateway lets requests through.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from benchmarks.rounds import Table
from chalicelib import config
from chalicelib.domain.accounts.model import User
from chalicelib.domain.accounts.passwords import CHEAPEST_ONLY_FOR_TESTS, hash_password
from chalicelib.domain.authentication.user_agent import UserAgent
from chalicelib.domain.errors import InvalidCredentials, TooManyRequests
from chalicelib.flows.authentication.factors import password
from chalicelib.services import Services, build
from chalicelib.store import tables
from chalicelib.store.aws.client import Transport
from tests.support.dynamodb import DynamoDB
from tests.support.ssm import ParameterStore

ATTEMPTS, NETWORKS, START = 100_000, 10_000, 1_800_000_000
# How many accounts, and how many attempts a second; a stage lets 200 requests a second through (deploy/stages.py).
FLOODS = {
    "1,000 accounts, 200 a second": (1000, 200),
    "1,000 accounts, 1,000 a second": (1000, 1000),
    "one account, 200 a second": (1, 200),
}
WRITE_DOLLARS, READ_DOLLARS = 0.625e-6, 0.125e-6


class Metered:
    """DynamoDB with a meter: write units of each partition key in each second, and all read units."""

    def __init__(self) -> None:
        self.second = START
        self.writes: Counter[tuple[str, int]] = Counter()
        self.reads = 0
        self._engine = DynamoDB()

    def __call__(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Carries out one operation."""
        if operation == "TransactWriteItems":
            # Without the token, by which the engine would keep each of them.
            request = {name: value for name, value in request.items() if name != "ClientRequestToken"}
            for part in request["TransactItems"]:
                (write,) = part.values()
                self._write(write, 2)
        elif operation in ("UpdateItem", "PutItem", "DeleteItem"):
            self._write(request, 1)
        elif operation == "GetItem":
            self.reads += 1
        return self._engine(operation, request)

    def _write(self, write: Mapping[str, Any], units: int) -> None:
        key = write["Key"] if "Key" in write else write["Item"]
        self.writes[key["pk"]["S"], self.second] += units


def measure() -> Iterator[Table]:
    """A table a flood, as soon as it is over: how many were looked at, the hottest key, and what it costs."""
    for name, (accounts, rate) in FLOODS.items():
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # a line of the log for each guess
            row = _flood(accounts, rate)
        title = f"A flood of {ATTEMPTS:,} wrong passwords from {NETWORKS:,} networks"
        yield Table(name=title, unit="units and US cents", rows={name: row})


def _flood(accounts: int, rate: int) -> dict[str, float]:
    meter = Metered()
    svc = _service(meter)
    _sign_up(svc, accounts)
    meter.writes.clear()
    outcomes: Counter[str] = Counter()
    for number in range(ATTEMPTS):
        meter.second = START + number // rate
        network = f"10.{number % NETWORKS >> 8}.{number % NETWORKS & 255}.7"
        # Each network goes round the accounts, so that all of them meet.
        address = f"user{(number + number // NETWORKS) % accounts}@example.com"
        outcomes[_guess(svc, address, network)] += 1
    written = sum(meter.writes.values())
    return {
        "looked at": outcomes["looked at"],
        "refused": outcomes["refused"],
        "write units": written,
        "read units": meter.reads,
        "hottest key, units a second": max(meter.writes.values()),
        "US cents": 100 * (written * WRITE_DOLLARS + meter.reads * READ_DOLLARS),
    }


def _guess(svc: Services, address: str, network: str) -> str:
    agent = UserAgent(network=network, language="en")
    try:
        password.identify(svc, address=address, password="not the password", agent=agent)
    except InvalidCredentials:
        return "looked at"
    except TooManyRequests:
        return "refused"
    raise AssertionError("a wrong password was right")


def _service(meter: Metered) -> Services:
    settings = config.load({"LATCHKEY_ISSUER": "https://id.example"})
    ways: dict[str, Transport] = {"dynamodb": meter, "ssm": ParameterStore()}
    for table in tables.definition(**settings.tables):
        meter("CreateTable", table)
    return build(settings, now=lambda: meter.second, hashing=CHEAPEST_ONLY_FOR_TESTS, transport=ways.__getitem__)


def _sign_up(svc: Services, accounts: int) -> None:
    stored = hash_password("right", profile=CHEAPEST_ONLY_FOR_TESTS)
    for number in range(accounts):
        user = User(uid=f"{number:032}", email=f"user{number}@example.com", password_hash=stored, created_at=START)
        svc.transactions.commit(svc.users.creation(user, canonical_email=user.email))
