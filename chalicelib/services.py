import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from .config import Settings, load
from .domain.accounts.passwords import OWASP_19_MIB, HashProfile
from .domain.oauth.tokens import MAX_LIFETIME
from .fetch import Fetch, trust
from .store.attempts import Attempts
from .store.aws.client import USUAL, AwsClient, Seconds, Transport, round_trips
from .store.aws.http_transport import HttpTransport
from .store.clients import Clients
from .store.events import Events
from .store.factors import Factors
from .store.guests import Guests
from .store.keys import Keys
from .store.once import Once
from .store.outbox import Outbox
from .store.refusals import Refusals
from .store.remembered_devices import RememberedDevices
from .store.sessions import Sessions
from .store.transactions import Transactions
from .store.transactions import Write as Write  # for whoever hands one on: flows do not know the store
from .store.user_items import accounts_read
from .store.users import Users


def _epoch() -> int:
    return int(time.time())


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a flow may use: the settings, the stores, the way to other servers, and the clock (epoch seconds)."""

    settings: Settings
    users: Users
    factors: Factors
    remembered_devices: RememberedDevices
    sessions: Sessions
    guests: Guests
    clients: Clients
    once: Once
    attempts: Attempts
    events: Events
    refusals: Refusals
    transactions: Transactions
    outbox: Outbox
    keys: Keys
    fetch: Fetch = field(default_factory=Fetch)
    now: Callable[[], int] = _epoch
    hashing: HashProfile = OWASP_19_MIB


def build(
    settings: Settings,
    *,
    now: Callable[[], int] = _epoch,
    hashing: HashProfile = OWASP_19_MIB,
    transport: Callable[[str], Transport] | None = None,
    seconds: Seconds = USUAL,
) -> Services:
    """Services on fresh AWS clients, which take region, credentials and endpoint from the environment.

    `transport` gives another way to `dynamodb` and `ssm` than the settings have, which takes at most these `seconds`.
    """
    transport = transport or transports(settings, seconds)
    client = AwsClient(transport("dynamodb"))
    tables = {"users": settings.users_table, "grants": settings.grants_table}
    return Services(
        settings=settings,
        users=Users(client, **tables),
        factors=Factors(client, users=settings.users_table),
        remembered_devices=RememberedDevices(client, grants=settings.grants_table),
        sessions=Sessions(client, **tables),
        guests=Guests(users=settings.users_table),
        clients=Clients(client, users=settings.users_table),
        once=Once(client, grants=settings.grants_table),
        attempts=Attempts(client, grants=settings.grants_table),
        events=Events(client, grants=settings.grants_table),
        refusals=Refusals(client, grants=settings.grants_table),
        transactions=Transactions(client),
        outbox=Outbox(client, outbox=settings.outbox_table),
        keys=Keys(AwsClient(transport("ssm"), counted=False), path=settings.keys_path, token_life=MAX_LIFETIME),
        fetch=Fetch(ports=settings.outbound_ports, local=settings.local),
        now=now,
        hashing=hashing,
    )


def transports(settings: Settings, seconds: Seconds) -> Callable[[str], Transport]:
    """The settings' own way to `dynamodb` and `ssm`, by which a call takes at most these `seconds`."""
    if settings.amazon_client:
        from .store.aws.boto3_transport import boto3_transport

        return partial(boto3_transport, seconds=seconds)
    return partial(HttpTransport, trust=trust, seconds=seconds)


_of_this_container: list[Services] = []


def services() -> Services:
    """The container's own services, built from its environment on first use."""
    if not _of_this_container:
        _of_this_container.append(build(load(os.environ)))
    return _of_this_container[0]


def use(svc: Services) -> None:
    """Makes these the container's services: for a process that brings its own clock or costs."""
    _of_this_container[:] = [svc]


class RoundTrips:
    """The calls of DynamoDB that are made meanwhile, in the threads too that run in a copy of this context."""

    # A class and no generator, which would cost a tenth of the whole answer with the key set.
    __slots__ = ("_token",)

    def __enter__(self) -> list[str]:
        calls: list[str] = []
        self._token = round_trips.set(calls)
        return calls

    def __exit__(self, *_: object) -> None:
        round_trips.reset(self._token)


class AccountsRead:
    """The ids of the accounts that are read meanwhile, and so are there; in threads as RoundTrips."""

    __slots__ = ("_token",)

    def __enter__(self) -> set[str]:
        accounts: set[str] = set()
        self._token = accounts_read.set(accounts)
        return accounts

    def __exit__(self, *_: object) -> None:
        accounts_read.reset(self._token)


# A function in Lambda makes them while it starts: a wrong setting stops it, so that its log says which, and its first
# caller does not wait for the certificates of this machine to be read.
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    services()
