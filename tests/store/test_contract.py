"""What the store's verbs promise, on each engine. Races are staged; where the engine is atomic they are run in threads too."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from enum import Enum
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import boto3
import msgspec
import pytest

from chalicelib.domain.accounts.events import Event
from chalicelib.domain.accounts.limits import Backoff, Limit, Spent
from chalicelib.domain.accounts.model import EnrolledFactor, Session, User
from chalicelib.domain.accounts.remembered_device import RememberedDevice
from chalicelib.domain.accounts.rotation import Use
from chalicelib.domain.errors import TemporarilyUnavailable
from chalicelib.domain.oauth.client import Client
from chalicelib.domain.records.once import FinishedLogin, OnceItem, OnceRecord, SpentInteraction, SpentProof, UserCode
from chalicelib.fetch import trust
from chalicelib.store import dynamo, tables
from chalicelib.store.attempts import Attempts
from chalicelib.store.aws.boto3_transport import boto3_transport
from chalicelib.store.aws.client import PATIENT, AwsClient, Transport
from chalicelib.store.aws.http_transport import HttpTransport
from chalicelib.store.clients import Clients
from chalicelib.store.events import Events
from chalicelib.store.factors import Factors
from chalicelib.store.keys import Keys
from chalicelib.store.once import Once
from chalicelib.store.refusals import Refusals
from chalicelib.store.remembered_devices import RememberedDevices
from chalicelib.store.sessions import Sessions
from chalicelib.store.transactions import Transactions, Write
from chalicelib.store.users import Users
from tests.support import aws, wire
from tests.support.staged import answer_lost, just_before

NOW = 1_800_000_000
WINDOW = 30
IDLE = 1000
THREADS = 16


OTHERS = ("moto", pytest.param("embedded", marks=pytest.mark.slow))


OURS = {"moto by our client": "served_moto", "embedded by our client": "embedded_aws"}
# Amazon's own engine for one machine, where a developer has started it: it has no parameters, and needs Java.
AMAZONS = os.environ.get("DYNAMODB_LOCAL", "")


def address(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where an engine that others wrote answers, and to which key."""
    request.getfixturevalue("aws")
    where: dict[str, str] = request.getfixturevalue("embedded_aws") if request.param == "embedded" else {}
    return where


def by_our_client(where: dict[str, str]) -> Callable[[str], Transport]:
    """Our client's way to such an engine."""
    environ = {
        "AWS_ENDPOINT_URL": where["endpoint_url"],
        "AWS_ACCESS_KEY_ID": where["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": where["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    return lambda service: HttpTransport(service, trust=trust, environ=environ, seconds=PATIENT)


_transports: dict[tuple[str, str], Transport] = {}


def once(engine: str, way: Callable[[str], Transport]) -> Callable[[str], Transport]:
    """A way to an engine's services that all tests take: it knows no tables, and takes longer to open than most calls."""

    def to(service: str) -> Transport:
        if (engine, service) not in _transports:
            _transports[engine, service] = way(service)
        return _transports[engine, service]

    return to


@pytest.fixture(
    params=[
        "in process",
        *OTHERS,
        "moto by our client",
        pytest.param("embedded by our client", marks=pytest.mark.slow),
        *(["Amazon's by our client"] if AMAZONS else []),
    ]
)
def store(request: pytest.FixtureRequest) -> Any:
    """The verbs of one deployment on one engine; those that others wrote are asked by either client."""
    if request.param == "in process":
        return Deployment(aws.transport)
    if request.param == "Amazon's by our client":
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        dynamodb = by_our_client({"endpoint_url": AMAZONS, **keys})
        return Deployment(lambda service: dynamodb(service) if service == "dynamodb" else aws.transport(service))
    if request.param in OURS:
        return Deployment(once(request.param, by_our_client(request.getfixturevalue(OURS[request.param]))))
    where = address(request)
    return Deployment(once(request.param, lambda service: boto3_transport(service, seconds=PATIENT, **where)))


@pytest.fixture(params=OTHERS)
def operator(request: pytest.FixtureRequest) -> Any:
    """What an operator makes tables with."""
    return boto3.client("dynamodb", **address(request))  # type: ignore[call-overload]


class Outcome(Enum):
    """What became of a write with others: done, or it stood against it itself, or another of them did."""

    DONE = "done"
    STALE = "stale"
    SPENT = "spent"


class Deployment:
    """Fresh tables and a fresh place for keys, with the verbs on them and the clients to stage a rival on."""

    def __init__(self, transport: Callable[[str], Transport]) -> None:
        own = uuid4().hex
        self.client = AwsClient(transport("dynamodb"))
        self.ssm = AwsClient(transport("ssm"))
        names = {"users": f"users-{own}", "grants": f"grants-{own}"}
        for table in tables.definition(**names, outbox="")[:2]:  # no verb here is the outbox's
            self.client.call("CreateTable", **table)
        self.users = Users(self.client, **names)
        self.sessions = Sessions(self.client, **names)
        self.factors = Factors(self.client, users=names["users"])
        self.remembered_devices = RememberedDevices(self.client, grants=names["grants"])
        self.clients = Clients(self.client, users=names["users"])
        self.once = Once(self.client, grants=names["grants"])
        self.attempts = Attempts(self.client, grants=names["grants"])
        self.refusals = Refusals(self.client, grants=names["grants"])
        self.events = Events(self.client, grants=names["grants"])
        self.transactions = Transactions(self.client)
        self.keys = Keys(self.ssm, path=f"/{own}/keys", token_life=900)

    def commit(self, write: Write, *others: Write, optional: Sequence[Write] = ()) -> Outcome:
        """Commits a write with others, and says which of them stood against it."""
        against = self.transactions.commit(write, *others, optional=optional)
        return Outcome.DONE if against is None else Outcome.STALE if against is write else Outcome.SPENT

    def create_user(self, user: User, canonical_email: str) -> bool:
        """Whether an account was written, by itself."""
        return self.commit(self.users.creation(user, canonical_email=canonical_email)) is Outcome.DONE

    def create(self, session: Session, *others: Write, optional: Sequence[Write] = ()) -> Outcome:
        """Begins a session, with others' writes."""
        return self.commit(self.sessions.creation(session), *others, optional=optional)

    def log_in_again(self, session: Session) -> Outcome:
        """Raises a browser's session."""
        return self.commit(self.sessions.renewal(session))

    def change_password(self, user: User, password_hash: str, keep: Session) -> bool:
        """Whether a password was changed."""
        change = self.users.password_change(user, password_hash=password_hash, keep=keep)
        return self.commit(change) is Outcome.DONE

    def delete_user(self, user: User, canonical_email: str, last: Session) -> bool:
        """Whether an account was erased."""
        return self.commit(self.users.deletion(user, canonical_email=canonical_email, last=last)) is Outcome.DONE

    def keep(self, text: str, until: int) -> OnceItem[SpentInteraction]:
        """A record that is there for a minute, as it is read."""
        assert self.once.put_if_absent(SpentInteraction(until=until), text, expires_at=NOW + 60, now=NOW)
        item = self.once.read(SpentInteraction, text, now=NOW)
        assert item is not None
        return item

    def kept(self, text: str, now: int = NOW) -> int | None:
        """What `keep` has kept under a text, as it is now."""
        item = self.once.read(SpentInteraction, text, now=now)
        return item.record.until if item else None


def user(**changes: Any) -> User:
    uid = uuid4().hex
    return replace(User(uid=uid, email="ann@example.com", password_hash="$argon2id$x", created_at=NOW), **changes)


def a_session(owner: User, **changes: Any) -> Session:
    plain = Session(
        uid=owner.uid,
        session_id=uuid4().hex,
        client_id="latchkey",
        scope=("account", "notes:read"),
        token_version=owner.token_version,
        amr=("pwd",),
        auth_time=NOW,
        created_at=NOW,
        last_used_at=NOW,
        expires_at=NOW + IDLE,
        ends_at=NOW + 10 * IDLE,
        device="Pixel",
    )
    return replace(plain, **changes)


def rotate(store: Deployment, session: Session, now: int = NOW) -> Use:
    return store.sessions.rotate(session, now=now, idle_seconds=IDLE, retry_window=WINDOW)


def started(store: Deployment, **changes: Any) -> tuple[User, Session]:
    owner = user()
    assert store.create_user(owner, f"{owner.uid}@example.com")
    session = a_session(owner, **changes)
    assert store.create(session) is Outcome.DONE
    return owner, session


def test_what_is_written_is_what_is_read(store: Deployment) -> None:
    owner = user(name="Ann Ä.", roles=("admin",), email_verified=True)
    session = a_session(owner, device="Pixel 9 😀")
    account = store.users.creation(owner, canonical_email="ann#1%@example.com")
    assert store.commit(account, store.sessions.creation_with_user(session)) is Outcome.DONE
    assert store.users.find("ann#1%@example.com") == owner.uid
    assert store.users.read(owner.uid) == owner
    assert store.sessions.with_user(owner.uid, session.session_id) == (owner, session)
    assert store.sessions.of_user(owner.uid) == [session]


def test_what_is_not_there_is_none(store: Deployment) -> None:
    assert store.users.find("nobody@example.com") is None
    assert store.users.read(uuid4().hex) is None
    assert store.sessions.with_user(uuid4().hex, uuid4().hex) == (None, None)
    assert store.sessions.of_user(uuid4().hex) == []
    assert store.users.change_profile(uuid4().hex, {"name": "x"}, now=NOW) is None
    assert store.users.disable(uuid4().hex) is None
    assert store.users.note_email_problem(user(), "bounce") is None


def test_an_address_belongs_to_one_account_and_the_loser_leaves_no_half(store: Deployment) -> None:
    first, second = user(), user()
    assert store.create_user(first, "ann@example.com")
    session = a_session(second)
    account = store.users.creation(second, canonical_email="ann@example.com")
    assert store.commit(account, store.sessions.creation_with_user(session)) is Outcome.STALE
    assert store.users.find("ann@example.com") == first.uid
    assert store.users.read(second.uid) is None
    assert store.sessions.of_user(second.uid) == []


def test_a_mail_s_problem_is_the_address_s_and_ends_with_whatever_proves_it(store: Deployment) -> None:
    owner = user()
    assert store.create_user(owner, "ann@example.com")
    bounced = store.users.note_email_problem(owner, "bounce")
    assert bounced == replace(owner, email_problem="bounce")
    assert store.users.note_email_problem(replace(owner, email="b@example.com"), "bounce") is None
    reset = store.users.password_reset(bounced, password_hash="new")
    assert store.commit(reset) is Outcome.DONE
    after_reset = store.users.read(owner.uid)
    assert after_reset
    assert (after_reset.email_problem, after_reset.email_verified) == ("", True)
    for write in (
        store.users.email_verification,
        lambda it: store.users.address_change(it, moved(it, "b@example.com")),
    ):
        again = store.users.note_email_problem(after_reset, "complaint")
        assert again
        assert store.commit(write(again)) is Outcome.DONE
        changed = store.users.read(owner.uid)
        assert changed
        assert changed.email_problem == ""


def test_a_new_password_at_an_operator_s_word_proves_no_address_and_takes_the_factors_that_were_read(
    store: Deployment,
) -> None:
    owner = user(factors=frozenset({"totp#1"}))
    assert store.create_user(owner, "ann@example.com")
    kept = store.users.password_recovery(owner, password_hash="new", without_factors=False)
    assert store.commit(kept) is Outcome.DONE
    after = replace(owner, password_hash="new", token_version=owner.token_version + 1)
    assert store.users.read(owner.uid) == after
    for stale in (owner, replace(after, email="b@example.com"), replace(after, factors=frozenset({"totp#2"}))):
        assert (
            store.commit(store.users.password_recovery(stale, password_hash="x", without_factors=True)) is Outcome.STALE
        )
    assert store.commit(store.users.password_recovery(after, password_hash="x", without_factors=True)) is Outcome.DONE
    recovered = store.users.read(owner.uid)
    assert recovered
    assert (recovered.factors, recovered.password_hash, recovered.email_verified) == (frozenset(), "x", False)


def test_an_unverified_account_is_found_by_its_age_and_goes_with_its_address(store: Deployment) -> None:
    owner = user()
    assert store.create_user(owner, "ann@example.com")
    assert owner not in list(store.users.unverified(before=NOW))
    assert owner in list(store.users.unverified(before=NOW + 1))
    for stale in (replace(owner, token_version=2), replace(owner, email="b@example.com")):
        assert store.commit(store.users.unverified_deletion(stale)) is Outcome.STALE
    verified = store.users.verify_email(owner)
    assert verified
    assert verified not in list(store.users.unverified(before=NOW + 1))
    assert store.commit(store.users.unverified_deletion(owner)) is Outcome.STALE
    other = user(email="bob@example.com")
    assert store.create_user(other, "bob@example.com")
    assert store.commit(store.users.unverified_deletion(other)) is Outcome.DONE
    assert (store.users.read(other.uid), store.users.find("bob@example.com")) == (None, None)


def test_who_wants_to_be_deleted_is_found_when_that_is_due_and_goes_only_while_they_want_it(store: Deployment) -> None:
    owner, session = started(store)
    address = f"{owner.uid}@example.com"
    assert store.commit(store.users.deletion_request(owner, delete_after=NOW + 9)) is Outcome.DONE
    leaving = replace(owner, delete_after=NOW + 9, token_version=owner.token_version + 1)
    assert store.commit(store.sessions.use(session, now=NOW)) is Outcome.STALE  # all have ended
    assert leaving not in list(store.users.to_be_deleted(now=NOW + 8))
    assert leaving in list(store.users.to_be_deleted(now=NOW + 9))
    for stale in (owner, replace(leaving, delete_after=0), replace(leaving, delete_after=NOW + 8)):
        assert store.commit(store.users.deletion(stale, canonical_email=address)) is Outcome.STALE
    assert store.commit(store.users.deletion_withdrawal(replace(leaving, delete_after=NOW + 8))) is Outcome.STALE
    assert store.commit(store.users.deletion_withdrawal(leaving)) is Outcome.DONE
    assert store.commit(store.users.deletion_withdrawal(leaving)) is Outcome.STALE
    assert store.commit(store.users.deletion(leaving, canonical_email=address)) is Outcome.STALE
    staying = replace(leaving, delete_after=0)
    assert staying not in list(store.users.to_be_deleted(now=NOW + 9))
    assert store.commit(store.users.deletion_request(staying, delete_after=NOW + 9)) is Outcome.DONE
    leaving = replace(leaving, token_version=staying.token_version + 1)
    assert store.commit(store.users.deletion(leaving, canonical_email=address)) is Outcome.DONE
    assert (store.users.read(owner.uid), store.users.find(address)) == (None, None)


def moved(owner: User, email: str, *, previous: str = "", at: int = NOW) -> User:
    """An account with another address, and the one that stays reserved for it for 100 seconds."""
    until = at + 100 if previous else 0
    return replace(owner, email=email, email_changed_at=at, previous_email=previous, previous_email_until=until)


def test_an_account_moves_to_another_address_and_the_one_before_leads_nowhere(store: Deployment) -> None:
    owner = replace(user(), email="ann@example.com")
    assert store.create_user(owner, "ann@example.com")
    at_new = moved(owner, "new@example.com", previous="ann@example.com")
    assert store.commit(store.users.address_change(owner, at_new)) is Outcome.DONE
    assert store.users.read(owner.uid) == at_new
    assert [store.users.find(f"{name}@example.com") for name in ("ann", "new")] == [None, owner.uid]
    third = replace(at_new, email="third@example.com", email_changed_at=NOW + 1)
    assert store.commit(store.users.address_change(at_new, third)) is Outcome.DONE
    back = moved(third, "ann@example.com", at=NOW + 2)
    assert store.commit(store.users.address_change(third, back)) is Outcome.DONE
    assert store.users.read(owner.uid) == back
    names = ("ann", "new", "third")
    assert [store.users.find(f"{name}@example.com") for name in names] == [owner.uid, None, None]
    for free in ("new@example.com", "third@example.com"):
        assert store.create_user(user(), free)


def test_an_address_that_waits_gives_way_to_the_next_and_is_taken_back_once(store: Deployment) -> None:
    owner = replace(user(), email="ann@example.com")
    assert store.create_user(owner, "ann@example.com")
    first, second = (replace(owner, pending_email=f"{each}@example.com", pending_email_until=NOW + 9) for each in "ab")
    assert store.commit(store.users.email_change_withdrawal(first, now=NOW)) is Outcome.STALE
    for waiting in (first, second):
        assert store.commit(store.users.email_change_request(owner, waiting)) is Outcome.DONE
        assert store.users.read(owner.uid) == waiting
    gone = replace(owner, token_version=owner.token_version + 1)
    for stale in (gone, replace(owner, email="x@example.com")):
        assert store.commit(store.users.email_change_request(stale, first)) is Outcome.STALE
    moved_to = moved(owner, "a@example.com")
    for stale in (first, owner):  # what was read before the second came
        assert store.commit(store.users.address_change(stale, moved_to)) is Outcome.STALE
        assert store.commit(store.users.email_change_withdrawal(first, now=NOW)) is Outcome.STALE
    assert store.commit(store.users.email_change_withdrawal(second, now=NOW)) is Outcome.DONE
    assert store.commit(store.users.email_change_withdrawal(second, now=NOW)) is Outcome.STALE
    withdrawn = replace(owner, pending_email_until=NOW)
    assert store.users.read(owner.uid) == withdrawn
    assert store.commit(store.users.address_change(second, moved_to)) is Outcome.STALE
    assert store.commit(store.users.address_change(withdrawn, moved_to)) is Outcome.DONE
    assert store.users.read(owner.uid) == moved_to


def test_a_reserved_address_is_its_accounts_until_its_time_is_over_or_the_account_frees_it(store: Deployment) -> None:
    owner = replace(user(), email="ann@example.com")
    assert store.create_user(owner, "ann@example.com")
    at_new = moved(owner, "new@example.com", previous="ann@example.com")
    assert store.commit(store.users.address_change(owner, at_new)) is Outcome.DONE
    assert not store.create_user(replace(user(), created_at=NOW + 99), "ann@example.com")
    later = replace(user(), created_at=NOW + 100)
    assert store.create_user(later, "ann@example.com")
    assert store.commit(store.users.reservation_end(at_new)) is Outcome.STALE  # it is another's by now
    assert store.users.find("ann@example.com") == later.uid
    other = replace(user(), email="bob@example.com")
    assert store.create_user(other, "bob@example.com")
    gone = moved(other, "bert@example.com", previous="bob@example.com")
    assert store.commit(store.users.address_change(other, gone)) is Outcome.DONE
    assert store.commit(store.users.reservation_end(gone)) is Outcome.DONE
    assert store.create_user(user(), "bob@example.com")


def test_an_address_changes_only_while_the_account_is_as_it_was_and_nobody_has_it(store: Deployment) -> None:
    owner = replace(user(), email="ann@example.com")
    assert store.create_user(owner, "ann@example.com")
    assert store.create_user(user(), "taken@example.com")
    for stale in (replace(owner, token_version=2), replace(owner, email="x@example.com")):
        assert store.commit(store.users.address_change(stale, moved(stale, "new@example.com"))) is Outcome.STALE
    earlier = replace(owner, email_changed_at=NOW - 1)
    assert store.commit(store.users.address_change(earlier, moved(earlier, "new@example.com"))) is Outcome.STALE
    assert store.commit(store.users.address_change(owner, moved(owner, "taken@example.com"))) is Outcome.STALE
    assert store.users.read(owner.uid) == owner
    assert store.users.find("new@example.com") is None
    respelled = moved(owner, "ANN@example.com", previous="ann@example.com")
    assert store.commit(store.users.address_change(owner, respelled)) is Outcome.DONE
    assert store.users.find("ann@example.com") == owner.uid
    as_before = replace(respelled, email="ann@example.com")  # in the second in which that changed
    assert store.commit(store.users.address_change(as_before, moved(as_before, "new@example.com"))) is Outcome.STALE


def test_of_two_sign_ups_at_the_same_moment_one_wins(store: Deployment) -> None:
    rival, ours = user(), user()
    with just_before(store.client, "TransactWriteItems", lambda: store.create_user(rival, "ann@example.com")):
        assert store.create_user(ours, "ann@example.com") is False
    assert store.users.find("ann@example.com") == rival.uid
    assert store.users.read(ours.uid) is None


def test_rotating_moves_the_generation_on_by_one_and_the_end_out_to_the_idle_limit(store: Deployment) -> None:
    _, session = started(store)
    assert rotate(store, session, NOW + 5) is Use.CURRENT
    _, stored = store.sessions.with_user(session.uid, session.session_id)
    assert stored == replace(session, generation=2, rotated_at=NOW + 5, last_used_at=NOW + 5, expires_at=NOW + 5 + IDLE)


def test_no_rotation_outlives_the_absolute_end(store: Deployment) -> None:
    _, session = started(store, ends_at=NOW + 700, expires_at=NOW + 700)
    assert rotate(store, session, NOW + 5) is Use.CURRENT
    _, stored = store.sessions.with_user(session.uid, session.session_id)
    assert stored is not None
    assert stored.expires_at == NOW + 700


@pytest.mark.parametrize(("later", "meaning"), [(0, Use.RETRY), (WINDOW, Use.RETRY), (WINDOW + 1, Use.REUSE)], ids=str)
def test_a_lost_rotation_says_what_it_lost_to(store: Deployment, later: int, meaning: Use) -> None:
    _, session = started(store)
    with just_before(store.client, "UpdateItem", lambda: rotate(store, session, NOW)):
        assert rotate(store, session, NOW + later) is meaning
    _, stored = store.sessions.with_user(session.uid, session.session_id)
    assert stored is not None
    assert stored.generation == 2


def test_two_generations_behind_is_a_reuse_even_inside_the_window(store: Deployment) -> None:
    _, session = started(store)
    rotate(store, session)
    rotate(store, replace(session, generation=2))
    assert rotate(store, session) is Use.REUSE


def test_a_session_that_ends_while_it_is_refreshed_stays_ended(store: Deployment) -> None:
    _, session = started(store)
    with just_before(
        store.client, "UpdateItem", lambda: store.sessions.end(session.uid, session.session_id, why="logout")
    ):
        assert rotate(store, session) is Use.DEAD
    _, stored = store.sessions.with_user(session.uid, session.session_id)
    assert stored is not None
    assert (stored.ended, stored.generation) == ("logout", 1)


def test_an_expired_session_that_is_not_yet_swept_cannot_be_rotated(store: Deployment) -> None:
    _, session = started(store, expires_at=NOW)
    assert rotate(store, session) is Use.DEAD


def prolong(store: Deployment, session: Session, now: int = NOW) -> bool:
    return store.sessions.prolong(session, now=now, idle_seconds=IDLE)


def test_a_session_that_keeps_its_refresh_token_is_used_and_lives_longer(store: Deployment) -> None:
    _, session = started(store)
    assert prolong(store, session, NOW + 5) is True
    _, stored = store.sessions.with_user(session.uid, session.session_id)
    assert stored == replace(session, last_used_at=NOW + 5, expires_at=NOW + 5 + IDLE)
    assert prolong(store, replace(session, ends_at=NOW + 9), NOW + 6) is True
    _, stored = store.sessions.with_user(session.uid, session.session_id)
    assert stored is not None
    assert stored.expires_at == NOW + 9


def test_neither_an_ended_nor_an_expired_nor_a_rotated_session_lives_longer(store: Deployment) -> None:
    _, session = started(store)
    with just_before(
        store.client, "UpdateItem", lambda: store.sessions.end(session.uid, session.session_id, why="logout")
    ):
        assert prolong(store, session) is False
    _, expired = started(store, expires_at=NOW)
    assert prolong(store, expired) is False
    _, other = started(store)
    with just_before(store.client, "UpdateItem", lambda: rotate(store, other)):
        assert prolong(store, other) is False


def test_an_erased_session_cannot_be_rotated_back_into_being(store: Deployment) -> None:
    owner, session = started(store)
    with just_before(store.client, "UpdateItem", lambda: store.sessions.erase(owner.uid, but="")):
        assert rotate(store, session) is Use.DEAD
    assert store.sessions.of_user(owner.uid) == []


def test_a_session_ends_once(store: Deployment) -> None:
    _, session = started(store)
    assert store.sessions.end(session.uid, session.session_id, why="logout") is True
    assert store.sessions.end(session.uid, session.session_id, why="reuse") is False
    assert store.sessions.end(session.uid, uuid4().hex, why="logout") is False


def waiting(store: Deployment, **changes: Any) -> Session:
    """A grant whose code has not been redeemed."""
    bound = {"redirect_uri": "https://app.example/cb", "challenge": "c" * 43}
    return started(store, **{"generation": 0, "expires_at": NOW + 60, **bound, **changes})[1]


def begin(store: Deployment, code: Session, now: int = NOW, jkt: str = "") -> bool:
    return store.sessions.redeem_code(code, jkt=jkt, now=now, expires_at=now + IDLE)


def test_a_code_begins_its_session_once(store: Deployment) -> None:
    code = waiting(store)
    assert begin(store, code, NOW + 5, jkt="thumbprint") is True
    _, stored = store.sessions.with_user(code.uid, code.session_id)
    assert stored == replace(code, generation=1, last_used_at=NOW + 5, expires_at=NOW + 5 + IDLE, jkt="thumbprint")
    assert begin(store, code, NOW + 6) is False
    assert store.sessions.with_user(code.uid, code.session_id)[1] == stored


def test_of_two_that_redeem_a_code_at_the_same_moment_one_begins(store: Deployment) -> None:
    code = waiting(store)
    with just_before(store.client, "UpdateItem", lambda: begin(store, code, jkt="rival")):
        assert begin(store, code, jkt="ours") is False
    _, stored = store.sessions.with_user(code.uid, code.session_id)
    assert stored is not None
    assert stored.jkt == "rival"


def test_a_code_that_has_expired_ended_or_is_anothers_begins_nothing(store: Deployment) -> None:
    code = waiting(store)
    assert begin(store, code, NOW + 60) is False
    for name in ("client_id", "redirect_uri", "challenge", "jkt"):
        changed: dict[str, Any] = {name: "another"}
        assert begin(store, replace(code, **changed)) is False, name
    store.sessions.end(code.uid, code.session_id, why="logout")
    assert begin(store, code) is False
    assert store.sessions.with_user(code.uid, code.session_id)[1] == replace(code, ended="logout")


def test_what_is_bound_to_a_key_is_not_begun_as_if_it_were_not(store: Deployment) -> None:
    code = waiting(store, jkt="thumbprint")
    assert begin(store, replace(code, jkt="")) is False
    assert begin(store, code, jkt="") is True
    _, stored = store.sessions.with_user(code.uid, code.session_id)
    assert stored is not None
    assert stored.jkt == ""  # a confidential client's refresh tokens need no key


@pytest.mark.parametrize("verb", ["begin", "first", "create", "replace"])
def test_a_call_that_is_sent_again_because_its_answer_was_lost_knows_its_own_work(store: Deployment, verb: str) -> None:
    code, client = waiting(store), Client(client_id=uuid4().hex)
    if verb == "replace":
        store.clients.create(client)
    calls: dict[str, tuple[str, Any]] = {
        "begin": ("UpdateItem", lambda: begin(store, code)),
        "first": (
            "PutItem",
            lambda: store.once.put_if_absent(SpentProof(), code.session_id, expires_at=NOW + 60, now=NOW),
        ),
        "create": ("PutItem", lambda: store.clients.create(client)),
        "replace": ("PutItem", lambda: store.clients.replace(client, replace(client, version=2, client_name="New"))),
    }
    operation, call = calls[verb]
    with answer_lost(store.client, operation):
        assert call() is True
    assert call() is (verb in ("create", "replace"))  # to write the very same again is no conflict


def test_a_transaction_that_is_sent_again_because_its_answer_was_lost_is_done_once(
    store: Deployment, request: pytest.FixtureRequest
) -> None:
    if "moto" in request.node.callspec.params["store"]:
        pytest.skip("moto does not look at the token of a transaction")
    limit = Limit("kind", uuid4().hex, 1, 60)
    with answer_lost(store.client, "TransactWriteItems"):
        assert store.create_user(user(), "ann@example.com")
    with answer_lost(store.client, "TransactWriteItems"):
        assert store.attempts.spend([limit], now=NOW) is None
    assert store.attempts.spend([limit], now=NOW) == limit


def test_a_login_of_several_steps_begins_one_session_until_its_time_is_over(store: Deployment) -> None:
    owner, first = started(store)

    def begin(now: int) -> Outcome:
        finish = store.once.creation(FinishedLogin(), "an attempt", expires_at=NOW + 60, now=now)
        return store.create(a_session(owner), finish)

    assert [begin(NOW) for _ in range(3)] == [Outcome.DONE, Outcome.SPENT, Outcome.SPENT]
    assert len(store.sessions.of_user(owner.uid)) == 2
    assert first in store.sessions.of_user(owner.uid)
    assert [begin(NOW + 59), begin(NOW + 60)] == [Outcome.SPENT, Outcome.DONE]


def test_tokens_for_what_is_good_once_come_once_and_with_it(store: Deployment) -> None:
    owner, _ = started(store)
    deletion = store.once.deletion(store.keep("code", 1), now=NOW)
    session, second = a_session(owner), a_session(owner)
    assert store.create(session, deletion) is Outcome.DONE
    assert store.create(second, deletion) is Outcome.SPENT
    assert store.kept("code") is None
    assert {each.session_id for each in store.sessions.of_user(owner.uid)} >= {session.session_id}
    assert second not in store.sessions.of_user(owner.uid)


def test_who_took_part_in_a_browsers_session_is_kept_in_it_and_nowhere_else(store: Deployment) -> None:
    owner, browser = started(store, client_id="browser", scope=())
    for client_id, since in (("https://a#b", NOW), ("shop", NOW), ("shop", NOW), ("shop", NOW + 1), ("shop", None)):
        store.sessions.add_logout_participant(
            a_session(owner, client_id=client_id, client_since=since, browser=browser.session_id), by_session=False
        )
    _, stored = store.sessions.with_user(owner.uid, browser.session_id)
    assert stored == replace(
        browser, logout_participants=(f"https://a#b\n{NOW}", "shop", f"shop\n{NOW}", f"shop\n{NOW + 1}")
    )
    store.create(stored)
    assert store.sessions.with_user(owner.uid, browser.session_id) == (owner, stored)
    for by_session in (False, True):
        store.sessions.add_logout_participant(a_session(owner, browser=uuid4().hex), by_session=by_session)
    assert store.sessions.of_user(owner.uid) == [stored]


def test_of_a_clients_sessions_in_a_browser_the_first_fifty_are_kept_and_then_the_client_alone(
    store: Deployment,
) -> None:
    owner, browser = started(store, client_id="browser", scope=())
    sessions = [a_session(owner, client_id="shop", client_since=NOW, browser=browser.session_id) for _ in range(52)]
    for session in sessions:
        store.sessions.add_logout_participant(session, by_session=True)
    _, stored = store.sessions.with_user(owner.uid, browser.session_id)
    assert stored
    noted = {f"shop\n{NOW}\n{session.session_id}" for session in sessions[:50]}
    assert set(stored.logout_participants) == {*noted, f"shop\n{NOW}"}


@pytest.mark.parametrize(
    ("client_since", "client", "its_own"),
    [
        (NOW - 5, Client(client_id="shop", created_at=NOW - 5), True),
        (NOW - 5, Client(client_id="shop", created_at=NOW - 4), False),
        (NOW - 5, Client(client_id="shop", created_at=0), False),
        (NOW - 5, Client(client_id="another", created_at=NOW - 5), False),
        (0, Client(client_id="shop", created_at=0), True),
        # Written before it was kept: what began before the client was made is not its.
        (None, Client(client_id="shop", created_at=NOW), True),
        (None, Client(client_id="shop", created_at=NOW + 1), False),
        (None, Client(client_id="another", created_at=0), False),
    ],
)
def test_a_client_ends_its_own_sessions_and_not_those_of_another_that_had_its_id(
    store: Deployment, client_since: int | None, client: Client, its_own: bool
) -> None:
    owner, session = started(store, client_id="shop", client_since=client_since)
    assert store.sessions.with_user(owner.uid, session.session_id) == (owner, session)
    assert client.owns(session) is its_own
    assert store.sessions.end(owner.uid, session.session_id, why="logout", owner=client) is its_own


def test_a_session_asked_for_in_a_browser_begins_only_while_the_browsers_is_as_it_was(store: Deployment) -> None:
    owner, browser = started(store, client_id="browser")
    deletion = store.once.deletion(store.keep("code", 1), now=NOW)
    session = a_session(owner, client_id="tv", browser=browser.session_id)
    for stale in (replace(session, browser=uuid4().hex), replace(session, token_version=2)):
        assert store.create(stale, deletion) is Outcome.STALE
    with just_before(
        store.client, "TransactWriteItems", lambda: store.sessions.end(owner.uid, browser.session_id, why="logout")
    ):
        assert store.create(session, deletion) is Outcome.STALE
    assert store.kept("code") == 1
    other = a_session(owner, client_id="browser")
    store.create(other)
    assert store.create(replace(session, browser=other.session_id), deletion) is Outcome.DONE
    assert store.sessions.with_user(owner.uid, other.session_id) == (
        owner,
        replace(other, logout_participants=(f"tv\n\n{session.session_id}",)),
    )


@pytest.mark.parametrize("change", ["deleted", "disabled", "ended all sessions"])
def test_nothing_begins_for_a_user_who_is_no_longer_as_they_were_read(store: Deployment, change: str) -> None:
    owner, session = started(store)
    deletion = store.once.deletion(store.keep("code", 1), now=NOW)
    address = f"{owner.uid}@example.com"
    changes: dict[str, Any] = {
        "deleted": lambda: store.delete_user(owner, address, session),
        "disabled": lambda: store.users.disable(owner.uid),
        "ended all sessions": lambda: store.commit(store.users.end_of_other_sessions(owner, keep=session)),
    }
    before = {session} if change != "deleted" else set()
    with just_before(store.client, "TransactWriteItems", changes[change]):
        assert store.create(a_session(owner), deletion) is Outcome.STALE
    assert store.create(a_session(owner)) is Outcome.STALE
    assert store.clients.remember_consent(owner, "a", ("x",), since=0, now=NOW) is False
    assert {each.session_id for each in store.sessions.of_user(owner.uid)} == {each.session_id for each in before}
    assert store.clients.consent(owner.uid, "a", since=0) is None
    assert store.kept("code") == 1


def test_a_code_is_a_use_of_the_browsers_session_that_it_was_asked_for_in(store: Deployment) -> None:
    owner, browser = started(store, client_id="browser")
    code = a_session(owner, client_id="shop", browser=browser.session_id, generation=0, created_at=NOW + 7)
    assert store.create(code) is Outcome.DONE
    assert store.sessions.with_user(owner.uid, browser.session_id) == (owner, replace(browser, last_used_at=NOW + 7))
    store.sessions.end(owner.uid, browser.session_id, why="logout")
    assert store.create(replace(code, session_id=uuid4().hex)) is Outcome.STALE


def test_what_is_decided_in_a_browser_is_decided_only_while_its_session_is_as_it_was_read(store: Deployment) -> None:
    owner, browser = started(store, client_id="browser")
    change = store.once.replacement(store.keep("code", 1), SpentInteraction(until=2), now=NOW)
    with just_before(
        store.client, "TransactWriteItems", lambda: store.sessions.end(owner.uid, browser.session_id, why="logout")
    ):
        assert store.commit(store.sessions.use(browser, now=NOW + 7), change) is Outcome.STALE
    other = a_session(owner, client_id="browser")
    store.create(other)
    assert store.commit(store.sessions.use(other, now=NOW + 7), change) is Outcome.DONE
    assert store.sessions.with_user(owner.uid, other.session_id) == (owner, replace(other, last_used_at=NOW + 7))
    assert store.commit(store.sessions.use(other, now=NOW + 8), change) is Outcome.SPENT
    assert store.kept("code") == 2


def test_of_two_logins_again_at_the_same_moment_one_raises_the_browsers_session(store: Deployment) -> None:
    owner, browser = started(store, client_id="browser", logout_participants=("shop",))
    later: dict[str, Any] = {
        "auth_time": NOW + 5,
        "last_used_at": NOW + 5,
        "expires_at": NOW + 99,
        "ends_at": NOW + 999,
        "generation": 2,
    }
    raised, rival = replace(browser, amr=("pwd", "otp"), **later), replace(browser, amr=("rival",), **later)
    with just_before(store.client, "TransactWriteItems", lambda: store.log_in_again(rival)):
        assert store.log_in_again(raised) is Outcome.STALE
    assert store.sessions.with_user(owner.uid, browser.session_id) == (owner, rival)
    assert store.log_in_again(replace(raised, generation=3)) is Outcome.DONE
    assert store.sessions.with_user(owner.uid, browser.session_id) == (owner, replace(raised, generation=3))


def test_a_session_that_has_ended_or_whose_user_is_gone_is_not_raised(store: Deployment) -> None:
    owner, browser = started(store, client_id="browser")
    raised = replace(browser, generation=2)
    for stale in (replace(raised, token_version=2), replace(raised, generation=3)):
        assert store.log_in_again(stale) is Outcome.STALE
    with just_before(store.client, "TransactWriteItems", lambda: store.users.disable(owner.uid)):
        assert store.log_in_again(raised) is Outcome.STALE
    owner, browser = started(store, client_id="browser")
    with just_before(
        store.client, "TransactWriteItems", lambda: store.sessions.end(owner.uid, browser.session_id, why="logout")
    ):
        assert store.log_in_again(replace(browser, generation=2)) is Outcome.STALE
    assert store.sessions.with_user(owner.uid, browser.session_id)[1] == replace(browser, ended="logout")


def test_a_browsers_session_that_the_table_has_forgotten_begins_once_more_and_of_two_such_logins_one_does(
    store: Deployment,
) -> None:
    owner, browser = started(store, client_id="browser")
    store.sessions.erase(owner.uid)
    again, rival = replace(browser, generation=7, amr=("pwd",)), replace(browser, generation=8, amr=("rival",))
    with just_before(store.client, "TransactWriteItems", lambda: store.log_in_again(rival)):
        assert store.log_in_again(again) is Outcome.STALE
    assert store.sessions.with_user(owner.uid, browser.session_id) == (owner, rival)
    store.sessions.erase(owner.uid)
    with just_before(store.client, "TransactWriteItems", lambda: store.users.disable(owner.uid)):
        assert store.log_in_again(again) is Outcome.STALE
    assert store.sessions.with_user(owner.uid, browser.session_id)[1] is None


def test_a_transaction_that_others_were_in_the_way_of_is_tried_again_and_in_the_end_given_up(
    store: Deployment,
) -> None:
    owner, _ = started(store)
    conflict = wire.CONFLICT
    for times, outcome in ((dynamo.TRIES - 1, Outcome.DONE), (dynamo.TRIES, None)):
        pending = [conflict] * times

        def in_the_way(
            proceed: Transport, operation: str, request: Mapping[str, Any], pending: list[wire.Failure] = pending
        ) -> Any:
            return pending.pop()(operation) if pending else proceed(operation, request)

        with wire.intercepted(store.client, in_the_way):
            if outcome:
                assert store.create(a_session(owner)) is outcome
            else:
                with pytest.raises(TemporarilyUnavailable) as refusal:
                    store.create(a_session(owner))
                assert isinstance(refusal.value, dynamo.Contended)
        assert not pending


def test_what_is_good_once_is_first_once_until_it_has_expired(store: Deployment) -> None:
    def first(record: OnceRecord, text: str, now: int) -> bool:
        return store.once.put_if_absent(record, text, expires_at=now + 60, now=now)

    assert first(SpentInteraction(until=1), "text", NOW) is True
    assert first(SpentInteraction(until=2), "text", NOW + 59) is False
    assert first(SpentInteraction(until=4), "other text", NOW) is True
    assert first(UserCode(code_digest="of another kind"), "text", NOW) is True
    assert store.kept("text", NOW + 59) == 1
    assert store.kept("text", NOW + 60) is None
    assert first(SpentInteraction(until=3), "text", NOW + 60) is True
    assert store.kept("text", NOW + 60) == 3


def test_a_value_may_get_a_later_end_with_its_change(store: Deployment) -> None:
    item = store.keep("later", 1)
    changed = store.once.change(item, SpentInteraction(until=2), expires_at=NOW + 90, now=NOW)
    assert changed == store.once.read(SpentInteraction, "later", now=NOW + 89)
    assert store.kept("later", NOW + 89) == 2
    assert store.kept("later", NOW + 90) is None


def test_a_value_that_changed_meanwhile_is_neither_changed_nor_spent(store: Deployment) -> None:
    owner, _ = started(store)
    item, rival, ours = store.keep("text", 1), SpentInteraction(until=2), SpentInteraction(until=3)
    with just_before(store.client, "UpdateItem", lambda: store.once.change(item, rival, now=NOW)):
        assert store.once.change(item, ours, now=NOW) is None
    latest = store.once.read(SpentInteraction, "text", now=NOW)
    assert latest is not None
    assert store.once.change(latest, ours, now=NOW + 60) is None
    for deletion in (store.once.deletion(item, now=NOW), store.once.deletion(latest, now=NOW + 60)):
        assert store.create(a_session(owner), deletion) is Outcome.SPENT
    for change in (store.once.replacement(item, ours, now=NOW), store.once.replacement(latest, ours, now=NOW + 60)):
        assert store.create(a_session(owner), change) is Outcome.SPENT
    assert store.kept("text") == 2


def test_a_client_is_changed_only_as_it_was_read(store: Deployment) -> None:
    client = Client(
        client_id=f"https://a#b%{uuid4().hex}", client_name="One", redirect_uris=("https://app.example/cb",)
    )
    assert store.clients.create(client) is True
    assert store.clients.create(replace(client, client_name="Two")) is False
    newer = replace(client, client_name="Two", version=client.version + 1)
    with just_before(store.client, "PutItem", lambda: store.clients.replace(client, newer)):
        assert store.clients.replace(client, replace(newer, client_name="Three")) is False
    assert store.clients.read(client.client_id) == newer
    assert store.clients.delete(client.client_id, version=client.version) is False
    assert (store.clients.delete(client.client_id), store.clients.delete(client.client_id)) == (True, False)
    assert store.clients.create(client)
    deletions = [store.clients.delete(client.client_id, version=client.version) for _ in range(2)]
    assert deletions == [True, False]
    assert store.clients.replace(newer, replace(newer, version=9)) is False
    assert store.clients.read(client.client_id) is None


def test_a_client_is_kept_by_its_first_login_and_no_change_of_before_undoes_that(store: Deployment) -> None:
    client = Client(client_id=uuid4().hex, redirect_uris=("https://app.example/cb",), expires_at=NOW + 60)
    assert store.clients.create(client)
    assert store.clients.read(client.client_id) == client
    newer = replace(client, version=client.version + 1)
    with just_before(store.client, "PutItem", lambda: store.transactions.commit(store.clients.keep(client))):
        assert store.clients.replace(client, newer) is False
    kept = replace(client, expires_at=0)
    assert store.clients.read(client.client_id) == kept
    assert store.clients.keep(kept).parts == ()
    assert store.transactions.commit(store.clients.keep(client)) is None  # of two first logins, both
    assert store.clients.replace(kept, replace(kept, version=kept.version + 1))
    assert store.clients.delete(client.client_id)
    keep = store.clients.keep(client)
    owner, _ = started(store)
    assert store.transactions.commit(keep) is keep
    assert not store.clients.remember_consent(owner, client.client_id, ("x",), since=0, now=NOW, also=keep)
    assert store.clients.consent(owner.uid, client.client_id, since=0) is None
    assert store.clients.read(client.client_id) is None


def test_what_a_user_agreed_to_adds_up_for_each_client_and_is_forgotten_together(store: Deployment) -> None:
    owner, _ = started(store)
    for client_id, scopes in (("a", ("x", "y")), ("a", ("z",)), ("a", ()), ("b#c", ("x",)), ("d", ())):
        assert store.clients.remember_consent(owner, client_id, scopes, since=0, now=NOW) is True
    assert store.clients.consent(owner.uid, "a", since=0) == frozenset("xyz")
    assert store.clients.consent(owner.uid, "b#c", since=0) == frozenset("x")
    assert store.clients.consent(owner.uid, "d", since=0) == frozenset()
    assert store.clients.consent(uuid4().hex, "a", since=0) is None
    store.clients.delete_consents(owner.uid)
    assert [store.clients.consent(owner.uid, client_id, since=0) for client_id in ("a", "b#c", "d")] == [None] * 3
    assert store.users.read(owner.uid) == owner


def test_what_a_user_agreed_to_for_one_api_counts_for_no_other_and_all_of_it_is_forgotten(store: Deployment) -> None:
    owner, _ = started(store)
    apis = ("", "https://a.example", "https://b.example", f"https://a.example/{'long' * 500}")
    for at, scope in zip(apis, ("own", "a", "b", "l"), strict=True):
        store.clients.remember_consent(owner, "c", (scope,), resource=at, since=0, now=NOW)
    agreed = [store.clients.consent(owner.uid, "c", resource=at, since=0) for at in apis]
    assert agreed == [frozenset([scope]) for scope in ("own", "a", "b", "l")]
    assert store.clients.consent(owner.uid, "c", resource="https://c.example", since=0) is None
    store.clients.delete_consents(owner.uid)
    assert [store.clients.consent(owner.uid, "c", resource=at, since=0) for at in apis] == [None] * 4


def test_what_was_agreed_to_before_apis_were_told_apart_counts_for_our_own_alone(store: Deployment) -> None:
    owner, _ = started(store)
    item: dict[str, Any] = {
        "pk": {"S": f"user#{owner.uid}"},
        "sk": {"S": "consent#demo-app"},
        "agreed_at": {"N": str(NOW)},
        "scopes": {"SS": ["email"]},
    }
    store.client.call("PutItem", TableName=store.clients._users, Item=item)
    assert store.clients.consent(owner.uid, "demo-app", since=0) == frozenset(["email"])
    assert store.clients.consent(owner.uid, "demo-app", resource="https://a.example", since=0) is None


def test_what_was_agreed_to_for_an_earlier_client_of_the_same_id_does_not_count(store: Deployment) -> None:
    owner, _ = started(store)

    def agree(*scopes: str, since: int, now: int) -> frozenset[str] | None:
        assert store.clients.remember_consent(owner, "a", scopes, since=since, now=now) is True
        return store.clients.consent(owner.uid, "a", since=since)

    assert agree("x", "y", since=NOW, now=NOW) == frozenset("xy")
    assert store.clients.consent(owner.uid, "a", since=NOW + 1) is None
    assert agree("z", since=NOW + 1, now=NOW + 2) == frozenset("z")
    assert agree("y", since=NOW + 1, now=NOW + 3) == frozenset("yz")
    assert agree(since=NOW + 4, now=NOW + 4) == frozenset()


def test_disabling_closes_the_account_and_ends_every_session_in_one_write(store: Deployment) -> None:
    owner, session = started(store)
    disabled = store.users.disable(owner.uid)
    assert disabled == replace(owner, disabled=True, token_version=2)
    stored_user, stored = store.sessions.with_user(owner.uid, session.session_id)
    assert (stored_user, stored) == (disabled, session)


def test_a_new_password_takes_one_session_along(store: Deployment) -> None:
    owner, session = started(store)
    other = a_session(owner)
    store.create(other)
    assert store.change_password(owner, "$argon2id$y", session) is True
    changed, stored = store.sessions.with_user(owner.uid, session.session_id)
    assert changed == replace(owner, password_hash="$argon2id$y", token_version=2)
    assert stored == replace(session, token_version=2)
    assert store.sessions.with_user(owner.uid, other.session_id)[1] == other


def test_of_two_password_changes_at_the_same_moment_one_wins(store: Deployment) -> None:
    owner, session = started(store)
    with just_before(
        store.client,
        "TransactWriteItems",
        lambda: store.change_password(owner, "$argon2id$rival", session),
    ):
        assert store.change_password(owner, "$argon2id$ours", session) is False
    stored = store.users.read(owner.uid)
    assert stored is not None
    assert (stored.password_hash, stored.token_version) == ("$argon2id$rival", 2)


def test_a_session_that_has_ended_cannot_be_kept(store: Deployment) -> None:
    owner, session = started(store)
    store.sessions.end(session.uid, session.session_id, why="logout")
    assert store.change_password(owner, "$argon2id$y", session) is False
    assert store.commit(store.users.end_of_other_sessions(owner, keep=session)) is Outcome.STALE
    assert store.users.read(owner.uid) == owner


def test_a_disabled_account_cannot_change_its_password(store: Deployment) -> None:
    owner, session = started(store)
    with just_before(store.client, "TransactWriteItems", lambda: store.users.disable(owner.uid)):
        assert store.change_password(owner, "$argon2id$y", session) is False


def test_a_rehash_never_brings_an_old_password_back(store: Deployment) -> None:
    owner, session = started(store)
    store.change_password(owner, "$argon2id$new", session)
    store.users.rehash(owner, password_hash="$argon2id$old-password-stronger")
    stored = store.users.read(owner.uid)
    assert stored is not None
    assert stored.password_hash == "$argon2id$new"


def test_deleting_leaves_nothing_and_frees_the_address(store: Deployment) -> None:
    owner, session = started(store)
    for _ in range(30):  # more than one batch takes
        store.create(a_session(owner))
    store.sessions.erase(owner.uid, but=session.session_id)
    assert store.sessions.of_user(owner.uid) == [session]
    assert store.delete_user(owner, f"{owner.uid}@example.com", session) is True
    assert store.sessions.with_user(owner.uid, session.session_id) == (None, None)
    assert store.create_user(user(), f"{owner.uid}@example.com") is True


def test_an_account_that_changed_meanwhile_is_not_deleted(store: Deployment) -> None:
    owner, session = started(store)
    store.commit(store.users.end_of_other_sessions(owner, keep=session))
    assert store.delete_user(owner, f"{owner.uid}@example.com", session) is False
    assert store.users.find(f"{owner.uid}@example.com") == owner.uid


def test_an_attempt_counts_against_every_limit_or_against_none(store: Deployment) -> None:
    wide, narrow = Limit("wide", "ann", 5, 60), Limit("narrow", "ann", 2, 60)
    assert [store.attempts.spend([wide, narrow], now=NOW) for _ in range(4)] == [None, None, narrow, narrow]
    assert [store.attempts.spend([wide], now=NOW) for _ in range(4)] == [None, None, None, wide]


def test_a_limit_is_each_subjects_own_and_ends_with_its_window(store: Deployment) -> None:
    limit = Limit("kind", "ann", 1, 60)
    assert store.attempts.spend([limit], now=NOW) is None
    assert store.attempts.spend([limit], now=NOW) == limit
    assert store.attempts.spend([Limit("kind", "bob", 1, 60)], now=NOW) is None
    assert store.attempts.spend([limit], now=NOW + limit.wait(NOW)) is None


def test_an_attempt_that_is_taken_back_is_as_if_it_had_not_been(store: Deployment) -> None:
    wide, narrow = Limit("wide", uuid4().hex, 5, 60), Limit("narrow", uuid4().hex, 1, 60)
    for _ in range(7):
        assert store.attempts.spend([wide, narrow], now=NOW) is None
        assert store.attempts.spend([wide, narrow], now=NOW) == narrow
        store.attempts.give_back(Spent((wide, narrow), NOW), now=NOW)
    assert [store.attempts.spend([wide], now=NOW) for _ in range(6)] == [None] * 5 + [wide]


def test_what_is_taken_back_never_goes_below_nothing_nor_into_another_window(store: Deployment) -> None:
    limit = Limit("kind", uuid4().hex, 1, 60)
    spent = Spent((limit,), NOW)
    store.attempts.give_back(spent, now=NOW)
    assert store.attempts.spend([limit], now=NOW) is None
    for _ in range(3):
        store.attempts.give_back(spent, now=NOW)
    assert [store.attempts.spend([limit], now=NOW) for _ in range(2)] == [None, limit]
    later = NOW + limit.wait(NOW)
    assert store.attempts.refund(spent, now=later).parts == ()
    assert store.attempts.spend([limit], now=later) is None


def test_of_guesses_each_wait_is_twice_the_one_before_and_never_for_ever(store: Deployment) -> None:
    backoff, now = Backoff("guesses", uuid4().hex, 5, 900), NOW
    waits = []
    for number in range(20):
        assert store.attempts.spend([backoff], now=now) is None
        store.attempts.fail(Spent((backoff,), now), now=now)
        if number >= 4:
            forbidding = store.attempts.spend([backoff], now=now)
            assert forbidding
            waits.append(forbidding.wait(now))
            assert store.attempts.spend([backoff], now=now + waits[-1] - 1) == forbidding
            now += waits[-1]
    # Amazon Cognito's documented curve: 2^(n-5) seconds after n failures, to 15 minutes.
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900, 900, 900]


def test_guesses_are_forgotten_after_half_an_hour_without_one(store: Deployment) -> None:
    backoff = Backoff("guesses", uuid4().hex, 2, 900)

    def wrong(now: int) -> bool:
        permitted = store.attempts.spend([backoff], now=now) is None
        if permitted:
            store.attempts.fail(Spent((backoff,), now), now=now)
        return permitted

    assert [wrong(NOW) for _ in range(3)] == [True, True, False]
    assert [wrong(NOW + 1799) for _ in range(3)] == [True, False, False]
    assert [wrong(NOW + 1799 + 1800) for _ in range(3)] == [True, True, False]


def test_right_guesses_at_once_do_not_stand_in_each_others_way_and_wrong_ones_are_no_more_than_twice_the_free(
    store: Deployment,
) -> None:
    backoff = Backoff("guesses", uuid4().hex, 5, 900)
    spent = Spent((backoff,), NOW)

    def permitted() -> bool:
        return store.attempts.spend([backoff], now=NOW) is None

    for _ in range(3):
        assert [permitted() for _ in range(11)] == [True] * 10 + [False]
        for _ in range(10):
            store.attempts.give_back(spent, now=NOW)
    for _ in range(5):
        assert permitted()
        store.attempts.fail(spent, now=NOW)
    later = NOW + 1
    # One at a time, once there is a wait.
    assert store.attempts.spend([backoff], now=later) is None
    assert store.attempts.spend([backoff], now=later + 60) == backoff.blocked(failures=5, failed_at=NOW)
    store.attempts.give_back(spent, now=later)
    assert store.attempts.spend([backoff], now=later) is None


def test_a_guess_given_back_takes_no_wrong_one_with_it(store: Deployment) -> None:
    backoff = Backoff("guesses", uuid4().hex, 1, 900)
    spent = Spent((backoff,), NOW)
    assert store.attempts.spend([backoff], now=NOW) is None
    store.attempts.fail(spent, now=NOW)
    for _ in range(3):
        store.attempts.give_back(spent, now=NOW)
    assert store.attempts.spend([backoff], now=NOW) == backoff.blocked(failures=1, failed_at=NOW)
    assert store.attempts.refund(spent, now=NOW + 1800).parts == ()


def test_of_a_clients_refusals_the_latest_of_each_cause_is_kept_for_a_day(store: Deployment) -> None:
    store.refusals.keep("https://a.example/#1", "wrong secret", now=NOW)
    store.refusals.keep("https://a.example/#1", "wrong secret", now=NOW + 60)
    store.refusals.keep("https://a.example/#1", "no PKCE", now=NOW + 70)
    both = {"wrong secret": NOW + 60, "no PKCE": NOW + 70}
    assert store.refusals.read("https://a.example/#1", now=NOW + 80) == both
    assert store.refusals.read("https://a.example/#1", now=NOW + 60 + 86400) == {"no PKCE": NOW + 70}
    assert store.refusals.read("another", now=NOW) == {}


def events(*types: str, at: int = NOW) -> tuple[Event, ...]:
    """Events of these types, each another one."""
    return tuple(Event(id=uuid4().hex, type=name, at=at) for name in types)


def test_an_hour_of_an_account_takes_so_many_events_and_what_says_more_where_it_has_no_room_for_others(
    store: Deployment,
) -> None:
    uid, written = uuid4().hex, list[Event]()
    for most, event in (
        (50, Event(id="", type="logout", at=NOW)),
        (75, Event(id="", type="login", device="known", at=NOW)),
        (100, Event(id="", type="login", device="new", at=NOW)),
        (150, Event(id="", type="password_changed", at=NOW)),
    ):
        fresh = [msgspec.structs.replace(event, id=uuid4().hex) for _ in range(len(written), most)]
        for some in (tuple(fresh[:-1]), tuple(fresh[-1:])):
            assert store.commit(store.events.addition(uid, some, seconds=60, now=NOW)) is Outcome.DONE
        written += fresh
        spare = store.events.addition(uid, (msgspec.structs.replace(event, id="spare"),), seconds=60, now=NOW + 1)
        assert store.commit(spare) is Outcome.STALE
    # Another hour, and another account, have room of their own.
    assert store.commit(store.events.addition(uid, events("logout"), seconds=60, now=NOW + 3600)) is Outcome.DONE
    assert store.commit(store.events.addition(uuid4().hex, events("logout"), seconds=60, now=NOW)) is Outcome.DONE
    stored, _ = store.events.of_user(uid, before=NOW + 3600, since=0, least=1000)
    assert stored == [*reversed(written)]


def test_of_what_recurs_an_hour_takes_the_first_of_each_client_and_network_beside_all_others(
    store: Deployment,
) -> None:
    uid = uuid4().hex
    store.commit(store.events.addition(uid, events(*["password_changed"] * 150), seconds=60, now=NOW))
    beginnings = [
        Event(id=uuid4().hex, type="session_began", at=NOW + number, client=f"c{number % 5}", network=f"n{number // 5}")
        for number in range(25)
    ]
    for event in beginnings:
        again = msgspec.structs.replace(event, id=uuid4().hex, session="another", at=event.at + 1)
        for each in (event, event, again):
            assert store.commit(store.events.first(uid, each, seconds=60, now=NOW)) is Outcome.DONE
    late = msgspec.structs.replace(beginnings[0], client="late")
    assert store.commit(store.events.first(uid, late, seconds=60, now=NOW)) is Outcome.STALE
    assert store.commit(store.events.first(uid, beginnings[0], seconds=60, now=NOW)) is Outcome.DONE
    # Another hour, which has nothing else.
    assert store.commit(store.events.first(uid, late, seconds=60, now=NOW + 3600)) is Outcome.DONE
    assert store.events.of_user(uid, before=NOW + 7200, since=0, least=1)[0] == [late]
    stored, _ = store.events.of_user(uid, before=NOW + 3600, since=0, least=1000)
    assert [each for each in stored if each.type == "session_began"] == [*reversed(beginnings)]
    assert (len(stored), stored[-1].type) == (175, "password_changed")


def test_events_come_the_latest_first_in_whole_hours_until_there_are_enough(store: Deployment) -> None:
    uid, hour = uuid4().hex, NOW // 3600 * 3600
    by_hour = {at: events("login", "logout", at=at + 7) for at in (hour, hour - 3600, hour - 30 * 3600)}
    for at, pair in by_hour.items():
        assert store.commit(store.events.addition(uid, pair, seconds=60, now=at + 7)) is Outcome.DONE
    newest, middle, oldest = ([*reversed(pair)] for pair in by_hour.values())
    assert store.events.of_user(uid, before=hour + 3600, since=0, least=3) == ([*newest, *middle], hour - 3600)
    assert store.events.of_user(uid, before=hour - 3600, since=0, least=3) == (oldest, 0)
    assert store.events.of_user(uid, before=hour + 3600, since=hour + 7, least=9) == (newest, 0)
    assert store.events.of_user(uid, before=hour + 3600, since=hour + 8, least=9) == ([], 0)
    assert store.events.of_user(uid, before=0, since=hour, least=9) == ([], 0)


def test_an_event_that_was_written_twice_counts_once_and_all_are_erased_with_their_account(store: Deployment) -> None:
    uid, other = uuid4().hex, uuid4().hex
    (event,) = events("login")
    for each in (uid, uid, other):
        store.commit(store.events.addition(each, (event,), seconds=60, now=NOW))
    for hours in range(1, 40):
        store.commit(store.events.addition(uid, events("login"), seconds=60, now=NOW + 3600 * hours))
    stored, _ = store.events.of_user(uid, before=NOW + 3600, since=0, least=9)
    assert stored == [event]
    store.events.erase(uid)
    assert store.events.of_user(uid, before=NOW + 10**6, since=0, least=9) == ([], 0)
    assert store.events.of_user(other, before=NOW + 3600, since=0, least=9)[0] == [event]


def test_what_is_optional_is_left_out_with_the_reason_and_alone_it_is_written_or_not(store: Deployment) -> None:
    owner, _ = started(store)
    full, other = uuid4().hex, uuid4().hex
    store.commit(store.events.addition(full, events(*["logout"] * 50), seconds=60, now=NOW))
    addition = partial(store.events.addition, events=events("logout"), seconds=60, now=NOW)
    lost: dict[Write, str] = {}
    left_out, written = addition(full), addition(other)
    assert store.transactions.commit(store.users.presence(owner.uid), optional=[left_out, written], lost=lost) is None
    assert lost == {left_out: "ConditionalCheckFailed"}
    assert store.transactions.commit(optional=[left_out, addition(other)], lost=lost) is None
    assert len(store.events.of_user(other, before=NOW + 3600, since=0, least=9)[0]) == 1  # of the same id
    assert store.commit(store.users.presence(uuid4().hex), addition(other)) is Outcome.STALE


def test_a_session_begins_and_takes_its_attempt_back_or_begins_all_the_same(store: Deployment) -> None:
    owner, _ = started(store)
    limit = Limit("kind", uuid4().hex, 1, 60)
    refund = store.attempts.refund(Spent((limit,), NOW), now=NOW)
    assert store.attempts.spend([limit], now=NOW) is None
    for _ in range(2):  # the second time there is nothing to take back
        assert store.create(session := a_session(owner), optional=[refund]) is Outcome.DONE
        assert store.sessions.with_user(owner.uid, session.session_id)[1] == session
    assert [store.attempts.spend([limit], now=NOW) for _ in range(2)] == [None, limit]
    store.users.disable(owner.uid)
    assert store.create(a_session(owner), optional=[refund]) is Outcome.STALE
    assert store.attempts.spend([limit], now=NOW) == limit


def test_a_key_number_is_given_once(store: Deployment) -> None:
    with just_before(store.ssm, "PutParameter", lambda: store.keys.create_refresh(1, active_at=NOW)):
        assert store.keys.create_refresh(1, active_at=NOW + 1) is False
    assert [key.active_at for key in store.keys.read(NOW).refresh] == [NOW]


def test_more_keys_than_fit_one_page_are_all_read_in_order(store: Deployment) -> None:
    for number in range(12, 0, -1):
        store.keys.create_signing(number, algorithm="EdDSA", active_at=NOW + number)
    assert [key.number for key in store.keys.read(NOW).signing] == list(range(1, 13))
    store.keys.delete("signing", 1)
    store.keys.delete("signing", 1)
    assert [key.number for key in store.keys.read(NOW).signing] == list(range(2, 13))


def test_keys_are_read_again_when_it_is_time_and_sooner_only_in_a_hurry(store: Deployment) -> None:
    store.keys.create_signing(1, algorithm="EdDSA", active_at=NOW)
    assert len(store.keys.recent(NOW).signing) == 1
    store.keys.create_signing(2, algorithm="EdDSA", active_at=NOW)
    assert len(store.keys.recent(NOW + 599).signing) == 1
    assert len(store.keys.recent(NOW + 59, force_refresh=True).signing) == 1
    assert len(store.keys.recent(NOW + 60, force_refresh=True).signing) == 2
    store.keys.create_signing(3, algorithm="EdDSA", active_at=NOW)
    assert len(store.keys.recent(NOW + 60 + 600).signing) == 3


@pytest.mark.parametrize("part", ["a#b", "#"])
def test_no_part_of_a_key_may_hold_the_delimiter(part: str) -> None:
    with pytest.raises(ValueError, match="delimiter"):
        dynamo.key(("user", part), ("profile",))


def test_tables_can_be_ensured_again(operator: Any) -> None:
    names = {table: f"{table}-{uuid4().hex}" for table in ("users", "grants", "outbox")}
    tables.ensure(operator, **names)
    tables.ensure(operator, **names)
    for table in ("users", "grants", "outbox"):
        assert operator.describe_time_to_live(TableName=names[table])["TimeToLiveDescription"] == {
            "TimeToLiveStatus": "ENABLED",
            "AttributeName": "expires_at",
        }


def test_the_stream_of_the_outbox_has_the_keys_and_nothing_that_is_written_there(operator: Any) -> None:
    names = {table: f"{table}-{uuid4().hex}" for table in ("users", "grants", "outbox")}
    tables.ensure(operator, **names)
    described = {table: operator.describe_table(TableName=name)["Table"] for table, name in names.items()}
    assert described["outbox"]["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    assert not any("LatestStreamArn" in described[table] for table in ("users", "grants"))


def test_backups_are_asked_for_again_while_a_new_table_is_not_ready_for_them(operator: Any) -> None:
    names = {table: f"{table}-{uuid4().hex}" for table in ("users", "grants", "outbox")}
    refusals, pauses = [True, True], list[float]()
    unready = {"Error": {"Code": "ContinuousBackupsUnavailableException", "Message": "Backups are being enabled"}}

    def not_yet(**_: Any) -> Any:
        return (SimpleNamespace(status_code=400), unready) if refusals and refusals.pop() else None

    operator.meta.events.register("before-call.dynamodb.UpdateContinuousBackups", not_yet)
    tables.ensure(operator, pauses.append, **names)
    assert pauses == [1, 2]


def at_once(times: int, action: Any) -> list[Any]:
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(lambda _: action(), range(times)))


def test_of_many_rotations_at_once_one_wins_and_the_rest_are_retries(store: Deployment) -> None:
    for _ in range(5):
        _, session = started(store)
        uses = at_once(THREADS, lambda session=session: rotate(store, session))
        assert sorted(use.name for use in uses) == ["CURRENT", *["RETRY"] * (THREADS - 1)]


def test_of_many_sign_ups_at_once_one_wins(store: Deployment) -> None:
    for _ in range(3):
        address = f"{uuid4().hex}@example.com"
        assert at_once(THREADS, lambda address=address: store.create_user(user(), address)).count(True) == 1


def test_of_many_attempts_at_once_no_more_than_the_limit_pass(store: Deployment) -> None:
    limit = Limit("kind", uuid4().hex, 5, 60)
    assert at_once(THREADS, lambda: store.attempts.spend([limit], now=NOW)).count(None) == 5


# Remembered devices
def a_device(uid: str, **changes: Any) -> RememberedDevice:
    plain = RememberedDevice(
        uid=uid,
        device_id=uuid4().hex,
        token_version=1,
        factors=frozenset({"totp#a"}),
        created_at=NOW,
        last_used_at=NOW,
        expires_at=NOW + 100,
    )
    return replace(plain, **changes)


def test_a_device_is_remembered_until_it_is_forgotten(store: Deployment) -> None:
    uid = uuid4().hex
    first, second = (a_device(uid, device_id=each * 32) for each in "ab")
    for device in (first, second, a_device(uuid4().hex)):
        assert store.commit(store.remembered_devices.creation(device)) is Outcome.DONE
    assert store.remembered_devices.of_user(uid) == [first, second]
    assert store.commit(store.remembered_devices.use(first, now=NOW + 5)) is Outcome.DONE
    assert store.remembered_devices.read(uid, first.device_id) == replace(first, last_used_at=NOW + 5)
    for _ in range(2):
        store.remembered_devices.delete(uid, first.device_id)
    assert store.remembered_devices.read(uid, first.device_id) is None
    assert store.remembered_devices.of_user(uid) == [second]


def test_a_device_is_used_only_while_it_is_remembered_as_it_was_read(store: Deployment) -> None:
    device = a_device(uuid4().hex)
    assert store.commit(store.remembered_devices.use(device, now=NOW)) is Outcome.STALE
    for stored in (
        replace(device, created_at=NOW + 1),
        replace(device, token_version=2),
        replace(device, expires_at=NOW),
    ):
        assert store.commit(store.remembered_devices.creation(stored)) is Outcome.DONE
        assert store.commit(store.remembered_devices.use(device, now=NOW)) is Outcome.STALE
        assert store.remembered_devices.read(device.uid, device.device_id) == stored


# Factors
def a_factor(owner: User, kind: str = "totp", **changes: Any) -> EnrolledFactor:
    plain = EnrolledFactor(uid=owner.uid, kind=kind, id=uuid4().hex, name="A phone", created_at=NOW, record='{"v":1}')
    return replace(plain, **changes)


def enrolled(store: Deployment, owner: User, factor: EnrolledFactor) -> User:
    """The user with one factor more."""
    assert store.commit(store.factors.enrolment(owner, factor)) is Outcome.DONE
    now = store.users.read(owner.uid)
    assert now
    return now


def test_a_factor_is_the_account_s_from_its_enrolment_to_its_removal(store: Deployment) -> None:
    owner, _ = started(store)
    first, second = a_factor(owner), a_factor(owner, "recovery_code", codes=frozenset({"a", "b"}), created_at=NOW + 1)
    owner = enrolled(store, enrolled(store, owner, first), second)
    assert owner.factors == {first.entry, second.entry}
    assert store.factors.of_user(owner) == [first, second]
    assert store.factors.of_user(owner, "totp") == [first]
    assert store.factors.of_user(owner, "tot") == []
    assert store.factors.find(owner, second.entry) == second
    assert store.commit(store.factors.removal(owner, [first.entry])) is Outcome.DONE
    assert store.factors.find(owner, first.entry) is None  # by an account that was read before, too
    left = store.users.read(owner.uid)
    assert left
    assert left.factors == {second.entry}
    assert store.commit(store.factors.removal(left, [second.entry])) is Outcome.DONE
    none = store.users.read(owner.uid)
    assert none
    assert (none.factors, store.factors.of_user(owner)) == (frozenset(), [])


def test_a_factor_in_place_of_another_is_one_write(store: Deployment) -> None:
    owner, _ = started(store)
    old, new = a_factor(owner), a_factor(owner)
    owner = enrolled(store, owner, old)
    assert store.commit(store.factors.enrolment(owner, new, instead_of=[old.entry])) is Outcome.DONE
    now = store.users.read(owner.uid)
    assert now
    assert store.factors.of_user(now) == [new]


def test_the_factors_of_an_account_change_only_as_they_were_read(store: Deployment) -> None:
    owner, session = started(store)
    first, rival = a_factor(owner), a_factor(owner)
    owner = enrolled(store, owner, first)
    enrolled(store, owner, rival)
    for write in (
        store.factors.enrolment(owner, a_factor(owner)),
        store.factors.removal(owner, [first.entry]),
        store.users.deletion(owner, canonical_email=f"{owner.uid}@example.com", last=session),
    ):
        assert store.commit(write) is Outcome.STALE
    now = store.users.read(owner.uid)
    assert now
    assert now.factors == {first.entry, rival.entry}
    other = replace(now, factors=frozenset({first.entry, a_factor(owner).entry}))  # as many, but others
    assert store.commit(store.factors.removal(other, [first.entry])) is Outcome.STALE
    assert store.commit(store.factors.removal(replace(now, factors=frozenset()), [])) is Outcome.STALE


def test_whose_sessions_have_ended_or_who_is_disabled_gets_no_factor(store: Deployment) -> None:
    owner, session = started(store)
    assert store.commit(store.users.end_of_other_sessions(owner, keep=session)) is Outcome.DONE
    assert store.commit(store.factors.enrolment(owner, a_factor(owner))) is Outcome.STALE
    disabled = store.users.disable(owner.uid)
    assert disabled
    assert store.commit(store.factors.enrolment(disabled, a_factor(owner))) is Outcome.STALE


def test_a_step_is_used_once_and_so_are_all_before_it(store: Deployment) -> None:
    owner, _ = started(store)
    factor = a_factor(owner, counter=7)
    owner = enrolled(store, owner, factor)
    uses = [store.factors.use(factor, counter=step, now=NOW + step) for step in (6, 7, 9, 8, 9, 10)]
    assert uses == [False, False, True, False, False, True]
    used = store.factors.find(owner, factor.entry)
    assert used
    assert (used.counter, used.last_used_at) == (10, NOW + 10)


def test_of_many_who_use_a_step_at_once_one_does(store: Deployment) -> None:
    owner, _ = started(store)
    factor = a_factor(owner)
    enrolled(store, owner, factor)
    with ThreadPoolExecutor(THREADS) as pool:
        uses = list(pool.map(lambda _: store.factors.use(factor, counter=1, now=NOW), range(THREADS)))
    assert uses.count(True) == 1


def test_a_code_that_is_good_once_is_used_once_whoever_comes_at_the_same_time(store: Deployment) -> None:
    owner, _ = started(store)
    factor = a_factor(owner, "recovery_code", codes=frozenset({"a", "b"}))
    owner = enrolled(store, owner, factor)
    assert store.factors.use_code(factor, "c", now=NOW) is False
    with ThreadPoolExecutor(THREADS) as pool:
        uses = list(pool.map(lambda _: store.factors.use_code(factor, "a", now=NOW + 1), range(THREADS)))
    assert uses.count(True) == 1
    left = store.factors.find(owner, factor.entry)
    assert left
    assert (left.codes, left.last_used_at) == (frozenset({"b"}), NOW + 1)
    assert store.factors.use_code(factor, "b", now=NOW)
    assert store.factors.use_code(factor, "b", now=NOW) is False


@pytest.mark.parametrize("use", ["step", "code", "record"])
def test_a_use_whose_answer_was_lost_and_that_is_sent_again_is_known_as_the_same(store: Deployment, use: str) -> None:
    owner, _ = started(store)
    factor = a_factor(owner, codes=frozenset({"a"}))
    enrolled(store, owner, factor)
    with answer_lost(store.client, "UpdateItem"):
        if use == "step":
            assert store.factors.use(factor, counter=1, now=NOW)
        elif use == "record":
            assert store.factors.update_record(factor, '{"v":1,"n":2}', now=NOW)
        else:
            assert store.factors.use_code(factor, "a", now=NOW)


def test_a_factor_that_is_gone_is_neither_used_nor_named(store: Deployment) -> None:
    owner, _ = started(store)
    factor = a_factor(owner, codes=frozenset({"a"}))
    owner = enrolled(store, owner, factor)
    assert store.factors.rename(factor, "Mine")
    assert store.commit(store.factors.removal(owner, [factor.entry])) is Outcome.DONE
    assert not store.factors.rename(factor, "Mine")
    assert not store.factors.use(factor, counter=1, now=NOW)
    assert not store.factors.use_code(factor, "a", now=NOW)
    assert not store.factors.update_record(factor, '{"v":1}', now=NOW)
    assert store.factors.of_user(owner) == []


def test_what_a_use_leaves_of_a_factor_is_kept_with_its_time(store: Deployment) -> None:
    owner, _ = started(store)
    factor = a_factor(owner, "passkey")
    owner = enrolled(store, owner, factor)
    assert store.factors.update_record(factor, '{"v":1,"n":2}', now=NOW + 1)
    assert store.factors.find(owner, factor.entry) == replace(factor, record='{"v":1,"n":2}', last_used_at=NOW + 1)


def test_what_is_proved_in_a_session_is_kept_while_it_lives(store: Deployment) -> None:
    owner, session = started(store)
    assert store.commit(store.sessions.proof(session, amr=("pwd", "otp", "mfa"))) is Outcome.DONE
    (raised,) = store.sessions.of_user(owner.uid)
    assert raised == replace(session, amr=("pwd", "otp", "mfa"))
    store.sessions.end(owner.uid, session.session_id, why="logout")
    assert store.commit(store.sessions.proof(session, amr=())) is Outcome.STALE
