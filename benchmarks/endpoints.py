"""What a request costs here, with peers, and with the bare libraries that do the same work: all in turns, in one run.

Of ours and of the apps that need no HTTP server it is the serving alone, from event or environ to answer; of the servers
it is their whole process. Our calls go to DynamoDB in another process, the others' to SQLite or memory in their own.
"""

import gc
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, redirect_stdout
from itertools import count
from os import devnull
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

from benchmarks import deployment
from benchmarks.bare import BareClient
from benchmarks.environments import CannotMake
from benchmarks.ours import Call, Ours
from benchmarks.peers.catalogue import INTROSPECT, JWKS, LOGIN, MACHINE, PEERS, REFRESH, VERIFY, Peer
from benchmarks.peers.processes import PeerFailed, Process
from benchmarks.rounds import Comparison, Table, Work, compared, cpu_seconds, of_pairs
from chalicelib.store.aws.boto3_transport import boto3_transport
from chalicelib.store.aws.client import Transport

ROUNDS, CALLS = 25, {VERIFY: 100, JWKS: 50}
OURS, BARE, ALONE = "Latchkey", "its calls, bare", "its calls, our client"
# Ours against another, in one operation.
TARGETS = (
    (LOGIN, BARE, 1.25),
    (LOGIN, ALONE, 1.25),
    (LOGIN, "simplejwt", 0.85),
    (REFRESH, BARE, 1.3),
    (REFRESH, "simplejwt", 0.30),
    (REFRESH, "django-oauth-toolkit", 0.25),
    (MACHINE, BARE, 1.3),
    (MACHINE, "django-oauth-toolkit", 0.65),
    (MACHINE, "Authlib", 0.75),
    (INTROSPECT, BARE, 1.6),
    (INTROSPECT, ALONE, 1.6),
    (INTROSPECT, "django-oauth-toolkit", 0.60),
    (INTROSPECT, "oidc-provider", 1.0),
    (VERIFY, "FastAPI + PyJWT", 0.40),
)
MEMORY = Path("/dev/shm")  # noqa: S108 - the peers' databases, in folders that only this user can open

Figures = dict[str, list[float]]


class InProcess:
    """The service in this process; the calls of each round of it are kept in `batches`, to be made again without it."""

    def __init__(self, ours: Ours) -> None:
        self._ours = ours
        self.batches: list[list[list[Call]]] = []

    def cpu(self, operation: str, calls: int) -> float:
        """From event to answer."""
        work = getattr(self._ours, operation)
        self._ours.seconds = 0.0
        for _ in range(calls):
            work()
        self.batches.append(self._ours.take_calls())
        return self._ours.seconds / calls


class Bare:
    """One token by PyJWT for each time, a login's hash, and the calls of one round after the other, by whichever client.

    They are made on the rows of an `account` of its own.
    """

    def __init__(self, service: InProcess, ours: Ours, transport: Transport, account: int) -> None:
        self._service, self._ours = service, ours
        self._transport = transport
        self._account = account
        self._rounds = count()

    def cpu(self, operation: str, calls: int) -> float:
        """Without anything around them."""
        work: list[Work] = [self._ours.decode if operation == INTROSPECT else self._ours.encode]
        if operation == LOGIN:
            work.append(self._ours.check_password)
        requests = self._ours.elsewhere(self._service.batches[next(self._rounds)], self._account)
        started = process_time()
        for of_one in requests:
            for each in work:
                each()
            for name, request in of_one:
                self._transport(name, request)
        return (process_time() - started) / calls


def measure(peers: str = "quick") -> Iterator[Comparison | Table]:
    """The table of all, the targets, then what one token and one call cost; `peers` are none, quick or all."""
    with deployment.running() as svc, Path(devnull).open("w") as nowhere, ExitStack() as running:
        with redirect_stdout(nowhere):  # where the log lines go; making them is part of the work
            ours = Ours(svc)
        processes = dict(_running(peers, running))
        gc.freeze()  # what this program has loaded, and no function has: collections of ours pass over it
        figures: dict[str, Figures] = {}
        with redirect_stdout(nowhere):
            for operation in (LOGIN, REFRESH, MACHINE, INTROSPECT, VERIFY, JWKS):
                figures[operation] = _in_turns(operation, ours, processes)
            ours.client_credentials()
            [[get_item]] = ours.take_calls()
        yield _table(figures)
        yield from _targets(figures)
        yield from _floors(ours, get_item)


def _running(peers: str, running: ExitStack) -> Iterator[tuple[Peer, Process]]:
    """The peers that could be started here; says which ones could not."""
    scratch = Path(running.enter_context(TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)))
    for peer in PEERS:
        if peers == "none" or (peer.slow and peers != "all"):
            continue
        folder = scratch / peer.name
        folder.mkdir()
        try:
            yield peer, running.enter_context(peer.running(folder))
        except (CannotMake, PeerFailed) as error:
            print(f"Left out: {peer.name}, for {error}.", file=sys.stderr)


def _in_turns(operation: str, ours: Ours, processes: Mapping[Peer, Process]) -> Figures:
    service, calls = InProcess(ours), CALLS.get(operation, 8)
    turns: dict[str, Process] = {OURS: service}
    if operation in (LOGIN, REFRESH, MACHINE, INTROSPECT):
        turns[BARE] = Bare(service, ours, BareClient(), account=1)
        turns[ALONE] = Bare(service, ours, ours.transport, account=2)
    turns |= {peer.name: process for peer, process in processes.items() if operation in peer.operations}
    service.cpu(operation, calls)
    for process in [*turns.values()][1:]:
        process.cpu(operation, calls)
    service.cpu(operation, calls)
    figures: Figures = {name: [] for name in turns}
    for number in range(ROUNDS):
        for name in turns if number % 2 else reversed(turns):
            figures[name].append(turns[name].cpu(operation, calls))
    return figures


def _table(figures: Mapping[str, Figures]) -> Table:
    rows: dict[str, dict[str, float]] = {}
    for operation, by_name in figures.items():
        for name, seconds in by_name.items():
            rows.setdefault(name, {})[operation] = median(seconds) * 1e6
    return Table(name="CPU of one request", unit="µs", rows=rows)


def _targets(figures: Mapping[str, Figures]) -> Iterator[Comparison]:
    for operation, other, at_most in TARGETS:
        if other in figures[operation]:
            pairs = list(zip(figures[operation][OURS], figures[operation][other], strict=True))
            yield of_pairs(f"{operation} / {other}", pairs, at_most=at_most, unit="µs", scale=1e6)


def _floors(ours: Ours, call: Call) -> Iterator[Comparison | Table]:
    """What all that is made of, each in this process; then our client's call beside Amazon's."""
    name, request = call
    amazons, bare = boto3_transport("dynamodb"), BareClient()
    work: dict[str, Work] = {
        "RS256 signature, cryptography": ours.sign,
        "its check, cryptography": ours.verify_signature,
        "jwt.encode": ours.encode,
        "jwt.decode": ours.decode,
        "GetItem, bare http.client and hmac": lambda: bare(name, request),
        "GetItem, ours": lambda: ours.transport(name, request),
        "GetItem, botocore": lambda: amazons(name, request),
    }
    rows = {title: {"CPU": median(cpu_seconds(each, 20) for _ in range(ROUNDS)) * 1e6} for title, each in work.items()}
    yield Table(name="What it is made of", unit="µs", rows=rows)
    yield compared(
        "GetItem / botocore", work["GetItem, ours"], work["GetItem, botocore"], at_most=0.30, calls=20, rounds=ROUNDS
    )
