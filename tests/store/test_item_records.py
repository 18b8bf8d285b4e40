"""The bytes of what lasts: written and read as they were pinned here; another version or shape is a loud defect."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.domain.accounts import attributes
from chalicelib.domain.accounts.events import Event
from chalicelib.domain.accounts.limits import Backoff, Limit, Spent
from chalicelib.domain.accounts.model import EnrolledFactor, Session, User
from chalicelib.domain.accounts.remembered_device import RememberedDevice
from chalicelib.domain.crypto import keyset
from chalicelib.domain.errors import UnreadableRecord
from chalicelib.domain.oauth.client import Client
from chalicelib.store import tables
from chalicelib.store.attempts import Attempts
from chalicelib.store.aws.client import AwsClient
from chalicelib.store.clients import Clients
from chalicelib.store.events import Events
from chalicelib.store.factors import Factors
from chalicelib.store.guests import Guests
from chalicelib.store.key_parameters import PARAMETERS
from chalicelib.store.keys import Keys
from chalicelib.store.refusals import Refusals
from chalicelib.store.remembered_devices import RememberedDevices
from chalicelib.store.sessions import Sessions
from chalicelib.store.transactions import Transactions
from chalicelib.store.user_items import to_item
from chalicelib.store.users import Users
from tests.support import aws

NOW = 1_800_000_000
UID, SID = "21b2efff062d43f2acc4ec61a8d22ea3", "3614e866d020405ba721370e5cbdb3b3"
ONE = {"N": "1"}

ANN = User(
    uid=UID,
    email="Ann@example.com",
    name="Ann Ä",
    password_hash="$argon2id$v=19$x",
    created_at=1_795_502_180,
    email_verified=True,
    token_version=3,
    roles=("admin", "support"),
)
PROFILE: dict[str, Any] = {
    "pk": {"S": f"user#{UID}"},
    "sk": {"S": "profile"},
    "v": ONE,
    "email": {"S": "Ann@example.com"},
    "name": {"S": "Ann Ä"},
    "password_hash": {"S": "$argon2id$v=19$x"},
    "token_version": {"N": "3"},
    "created_at": {"N": "1795502180"},
    "email_verified": {"BOOL": True},
    "disabled": {"BOOL": False},
    "roles": {"L": [{"S": "admin"}, {"S": "support"}]},
}
# What its user says besides has an attribute each, by the claim's name.
CLAIMS = {"given_name": "Ann", "locale": "en-GB", "picture": "https://a.example/ann.jpg"}
SAID: dict[str, Any] = {
    **PROFILE,
    **{name: {"S": value} for name, value in CLAIMS.items()},
    "updated_at": {"N": str(NOW)},
}
# What the deployment keeps of its users besides has one too, by another name than any member of the profile.
ATTRIBUTES: dict[str, attributes.Value] = {"team": "Größe", "seats": 3, "vip": True, "tags": ["a", "b"], "score": -1.5}
ATTRIBUTED: dict[str, Any] = {
    **PROFILE,
    "attribute#team": {"S": '{"v":1,"value":"Größe"}'},
    "attribute#seats": {"S": '{"v":1,"value":3}'},
    "attribute#vip": {"S": '{"v":1,"value":true}'},
    "attribute#tags": {"S": '{"v":1,"value":["a","b"]}'},
    "attribute#score": {"S": '{"v":1,"value":-1.5}'},
    "updated_at": {"N": str(NOW)},
}
ADDRESS: dict[str, Any] = {
    "pk": {"S": "email#ann%231@example.com"},
    "sk": {"S": "user"},
    "v": ONE,
    "uid": {"S": UID},
}
# One that its account has left, and the account as it is then.
RESERVED: dict[str, Any] = {**ADDRESS, "reserved_until": {"N": "1800604800"}}
MOVED: dict[str, Any] = {
    **PROFILE,
    "email": {"S": "new@example.com"},
    "email_changed_at": {"N": str(NOW)},
    "previous_email": {"S": "ann#1@example.com"},
    "previous_email_until": {"N": "1800604800"},
}
FACTOR = EnrolledFactor(
    uid=UID,
    kind="totp",
    id="0c9d5b0f6a1e4f7f8a52d8e2f1a7c3b4",
    name="Ann's phone",
    created_at=1_795_502_180,
    record='{"v":1}',
    last_used_at=1_795_506_987,
    counter=59_850_232,
    codes=frozenset({"01", "02"}),
)
FACTOR_ITEM: dict[str, Any] = {
    "pk": {"S": f"user#{UID}"},
    "sk": {"S": "factor#totp#0c9d5b0f6a1e4f7f8a52d8e2f1a7c3b4"},
    "v": ONE,
    "factor_name": {"S": "Ann's phone"},
    "factor_record": {"S": '{"v":1}'},
    "created_at": {"N": "1795502180"},
    "last_used_at": {"N": "1795506987"},
    "last_counter": {"N": "59850232"},
    "codes": {"SS": ["01", "02"]},
}
DEVICE = RememberedDevice(
    uid=UID,
    device_id="6b2f0c6f3a3c4d0e8d1a5d0c9b7e4f21",
    token_version=3,
    factors=frozenset({FACTOR.entry}),
    created_at=NOW,
    last_used_at=NOW + 1,
    expires_at=NOW + 2,
    browser="Firefox",
    system="Linux",
)
DEVICE_ITEM: dict[str, Any] = {
    "pk": {"S": f"user#{UID}"},
    "sk": {"S": f"device#{DEVICE.device_id}"},
    "v": {"N": "1"},
    "token_version": {"N": "3"},
    "factors": {"SS": [FACTOR.entry]},
    "created_at": {"N": "1800000000"},
    "last_used_at": {"N": "1800000001"},
    "expires_at": {"N": "1800000002"},
    "browser": {"S": "Firefox"},
    "system": {"S": "Linux"},
}
WITH_FACTOR: dict[str, Any] = {**PROFILE, "factors": {"SS": [FACTOR.entry]}}
BOUNCED = {**PROFILE, "email_problem": {"S": "bounce"}}
GUEST = {
    **PROFILE,
    "email": {"S": ""},
    "password_hash": {"S": ""},
    "email_verified": {"BOOL": False},
    "guest": {"BOOL": True},
    "expires_at": {"N": "1827042987"},
}
SESSION = Session(
    uid=UID,
    session_id=SID,
    client_id="demo-app",
    client_since=1_795_500_000,
    scope=("openid", "email"),
    token_version=3,
    amr=("pwd", "otp"),
    auth_time=1_795_506_986,
    created_at=1_795_506_987,
    last_used_at=1_795_506_988,
    expires_at=1_795_507_047,
    ends_at=1_827_042_987,
    generation=0,
    rotated_at=1_795_506_989,
    device="Demo app",
    ended="logout",
    redirect_uri="https://app.example/cb",
    challenge="CrlVwe1W",
    nonce="n1",
    resource="https://notes.example",
    jkt="thumbprint",
    unbound_until=2,
    browser="97b739dd1db547f38eb66a34575e5551",
    claims='{"id_token": ["email"]}',
    logout_participants=("shop\n1795500000", "tv"),
)
GRANT: dict[str, Any] = {
    "pk": {"S": f"user#{UID}"},
    "sk": {"S": f"grant#{SID}"},
    "v": ONE,
    "client_id": {"S": "demo-app"},
    "client_since": {"N": "1795500000"},
    "scope": {"S": "openid email"},
    "token_version": {"N": "3"},
    "amr": {"S": "pwd otp"},
    "auth_time": {"N": "1795506986"},
    "created_at": {"N": "1795506987"},
    "last_used_at": {"N": "1795506988"},
    "expires_at": {"N": "1795507047"},
    "ends_at": {"N": "1827042987"},
    "generation": {"N": "0"},
    "rotated_at": {"N": "1795506989"},
    "device": {"S": "Demo app"},
    "ended": {"S": "logout"},
    "redirect_uri": {"S": "https://app.example/cb"},
    "challenge": {"S": "CrlVwe1W"},
    "nonce": {"S": "n1"},
    "resource": {"S": "https://notes.example"},
    "jkt": {"S": "thumbprint"},
    "unbound_until": {"N": "2"},
    "browser": {"S": "97b739dd1db547f38eb66a34575e5551"},
    "claims": {"S": '{"id_token": ["email"]}'},
    "took_part": {"SS": ["shop\n1795500000", "tv"]},
}
OPTIONAL_OF_SESSION = {
    *("v", "client_since", "device", "ended", "redirect_uri", "challenge", "nonce"),
    *("resource", "jkt", "unbound_until", "browser", "claims", "took_part"),
}
SHOP = Client(client_id="shop", client_name="Shop", redirect_uris=("https://shop.example/cb",), version=7)
# All members of a client when versions began. More may come, each with a default; none may go or change its meaning.
CLIENT_TEXT = """
{"client_id":"shop","client_name":"Shop","token_endpoint_auth_method":"client_secret_basic","secrets":[],
"grant_types":["authorization_code"],"redirect_uris":["https://shop.example/cb"],"post_logout_redirect_uris":[],
"scopes":[],"resources":[],"application_type":"web","first_party":false,"require_pushed_authorization_requests":false,
"dpop_bound_access_tokens":false,"subject_type":"public","sector_identifier":"","jwks":{},"jwks_uri":"",
"backchannel_logout_uri":"","backchannel_logout_session_required":false,"introspects":false,"exchanges":[],
"client_uri":"","logo_uri":"","policy_uri":"","tos_uri":"","access_seconds":0,"refresh_idle_seconds":0,
"refresh_absolute_seconds":0,"operator_set":[],"registration_token":"","created_at":0,"version":7}
"""
CLIENT: dict[str, Any] = {
    "pk": {"S": "client#shop"},
    "sk": {"S": "client"},
    "v": ONE,
    "version": {"N": "7"},
}
CONSENT: dict[str, Any] = {
    "pk": {"S": f"user#{UID}"},
    "sk": {"S": "consent#shop"},
    "v": ONE,
    "agreed_at": {"N": "1800000000"},
    "scopes": {"SS": ["email", "openid"]},
}

REFUSALS: dict[str, Any] = {
    "pk": {"S": "client#shop"},
    "sk": {"S": "refusals"},
    "v": ONE,
    "expires_at": {"N": str(NOW + 24 * 3600)},
    "wrong secret": {"N": str(NOW)},
}

EVENT = Event(
    id="kZ0c5m1pQx8d",
    type="login",
    at=NOW,
    session="3614e866",
    client="latchkey",
    network="203.0.113.7",
    browser="Firefox",
    system="Linux",
    device="new",
    amr=("pwd",),
)
EVENT_TEXT = (
    '{"v": 1, "id": "kZ0c5m1pQx8d", "type": "login", "at": 1800000000, "session": "3614e866", "client": "latchkey", '
    '"network": "203.0.113.7", "browser": "Firefox", "system": "Linux", "device": "new", "amr": ["pwd"]}'
)
EVENTS_ITEM: dict[str, Any] = {
    "pk": {"S": f"user#{UID}"},
    "sk": {"S": "event#001800000000"},
    "v": ONE,
    "expires_at": {"N": str(NOW + 60)},
    "events": {"L": [{"S": EVENT_TEXT}]},
}


class Table:
    """Fresh tables with the store's verbs on them."""

    def __init__(self) -> None:
        self.client = client = AwsClient(aws.DYNAMODB)
        self.names = {"users": f"users-{uuid4().hex}", "grants": f"grants-{uuid4().hex}"}
        for definition in tables.definition(**self.names, outbox=f"outbox-{uuid4().hex}"):
            client.call("CreateTable", **definition)
        self.users = Users(client, **self.names)
        self.sessions = Sessions(client, **self.names)
        self.factors = Factors(client, users=self.names["users"])
        self.guests = Guests(users=self.names["users"])
        self.remembered_devices = RememberedDevices(client, grants=self.names["grants"])
        self.clients = Clients(client, users=self.names["users"])
        self.attempts = Attempts(client, grants=self.names["grants"])
        self.refusals = Refusals(client, grants=self.names["grants"])
        self.events = Events(client, grants=self.names["grants"])
        self.transactions = Transactions(client)

    def items(self, table: str) -> list[Mapping[str, Any]]:
        items = self.client.call("Scan", TableName=self.names[table])["Items"]
        return sorted(items, key=lambda item: item["sk"]["S"])

    def put(self, table: str, item: Mapping[str, Any]) -> None:
        self.client.call("PutItem", TableName=self.names[table], Item=item)


@pytest.fixture
def table() -> Table:
    """A deployment of this test's own."""
    return Table()


@pytest.fixture(scope="module")
def shared() -> Table:
    """One deployment, for tests that write each item anew."""
    return Table()


def test_what_lasts_is_written_as_it_is_pinned(table: Table) -> None:
    account = table.users.creation(ANN, canonical_email="ann#1@example.com")
    assert table.transactions.commit(account, table.sessions.creation_with_user(SESSION)) is None
    assert table.clients.create(SHOP)
    assert table.clients.remember_consent(ANN, "shop", ("email", "openid"), since=0, now=NOW)
    stored = {item["sk"]["S"]: item for item in table.items("users")}
    client = {**stored["client"]}
    text = client.pop("client")["S"]
    assert [stored["profile"], stored["user"], stored["consent#shop"], client] == [PROFILE, ADDRESS, CONSENT, CLIENT]
    assert json.loads(text).items() >= json.loads(CLIENT_TEXT).items()
    unused = replace(SHOP, client_id="unused", expires_at=1_802_592_000)
    assert table.clients.create(unused)
    (item,) = [item for item in table.items("users") if item["pk"] == {"S": "client#unused"}]
    assert item["expires_at"] == {"N": "1802592000"}  # beside the text, for the table's time to live
    assert json.loads(item["client"]["S"])["expires_at"] == 0
    assert table.items("grants") == [GRANT]


def test_passwords_that_are_remembered_are_written_as_they_are_pinned(table: Table) -> None:
    table.put("users", PROFILE)
    reset = table.users.password_reset(ANN, password_hash="new", remembered=(ANN.password_hash, "before"))
    assert table.transactions.commit(reset) is None
    item = {
        **PROFILE,
        "password_hash": {"S": "new"},
        "previous_password_hashes": {"L": [PROFILE["password_hash"], {"S": "before"}]},
        "email_verified": {"BOOL": True},
        "token_version": {"N": str(ANN.token_version + 1)},
    }
    assert table.items("users") == [item]
    user = table.users.read(UID)
    assert user
    assert user.previous_password_hashes == (ANN.password_hash, "before")
    assert to_item(user) == item


def test_an_address_that_waits_is_written_as_it_is_pinned_and_leaves_its_end_when_it_is_taken_back(
    table: Table,
) -> None:
    table.put("users", PROFILE)
    waiting = replace(ANN, pending_email="new@example.com", pending_email_until=NOW + 3600, pending_email_version=3)
    assert table.transactions.commit(table.users.email_change_request(ANN, waiting)) is None
    item = {
        **PROFILE,
        "pending_email": {"S": "new@example.com"},
        "pending_email_until": {"N": str(NOW + 3600)},
        "pending_email_version": {"N": "3"},
    }
    assert table.items("users") == [item]
    assert table.users.read(UID) == waiting
    assert to_item(waiting) == item
    assert table.transactions.commit(table.users.email_change_withdrawal(waiting, now=NOW + 9)) is None
    withdrawn = {**PROFILE, "pending_email_until": {"N": str(NOW + 9)}}
    assert table.items("users") == [withdrawn]
    user = table.users.read(UID)
    assert user
    assert to_item(user) == withdrawn


def test_a_wish_to_be_deleted_is_written_as_it_is_pinned_and_leaves_nothing_when_it_is_taken_back(table: Table) -> None:
    table.put("users", PROFILE)
    assert table.transactions.commit(table.users.deletion_request(ANN, delete_after=1_801_209_600)) is None
    item = {**PROFILE, "delete_after": {"N": "1801209600"}, "token_version": {"N": "4"}}
    assert table.items("users") == [item]
    user = replace(ANN, delete_after=1_801_209_600, token_version=4)
    assert table.users.read(UID) == user
    assert to_item(user) == item
    assert table.transactions.commit(table.users.deletion_withdrawal(user)) is None
    assert table.items("users") == [{**PROFILE, "token_version": {"N": "4"}}]


def test_a_change_of_address_is_written_as_it_is_pinned(table: Table) -> None:
    ann = replace(ANN, email="ann#1@example.com")
    moved = replace(
        ann,
        email="new@example.com",
        email_changed_at=NOW,
        previous_email=ann.email,
        previous_email_until=1_800_604_800,
    )
    assert table.transactions.commit(table.users.creation(ann, canonical_email=ann.email)) is None
    assert table.transactions.commit(table.users.address_change(ann, moved)) is None
    stored = {item["pk"]["S"]: item for item in table.items("users")}
    new = {**ADDRESS, "pk": {"S": "email#new@example.com"}}
    assert stored == {each["pk"]["S"]: each for each in (MOVED, RESERVED, new)}
    assert to_item(moved) == MOVED
    assert table.users.read(UID) == moved
    assert table.users.find(ann.email) is None


def test_a_factor_is_written_as_it_is_pinned(table: Table) -> None:
    table.put("users", PROFILE)
    assert table.transactions.commit(table.factors.enrolment(ANN, FACTOR)) is None
    assert table.items("users") == [FACTOR_ITEM, WITH_FACTOR]
    ann = table.users.read(UID)
    assert ann
    assert ann == replace(ANN, factors=frozenset({FACTOR.entry}))
    assert to_item(ann) == WITH_FACTOR
    assert table.factors.of_user(ann) == [table.factors.find(ann, FACTOR.entry)] == [FACTOR]


def test_a_remembered_device_is_written_as_it_is_pinned(table: Table) -> None:
    assert table.transactions.commit(table.remembered_devices.creation(DEVICE)) is None
    assert table.items("grants") == [DEVICE_ITEM]
    assert table.remembered_devices.of_user(UID) == [DEVICE]


def test_what_became_of_a_mail_is_written_as_it_is_pinned_and_gone_with_a_proof(table: Table) -> None:
    assert table.transactions.commit(table.users.creation(ANN, canonical_email=ANN.email)) is None
    bounced = table.users.note_email_problem(ANN, "bounce")
    assert bounced == replace(ANN, email_problem="bounce")
    profiles = [item for item in table.items("users") if item["sk"]["S"] == "profile"]
    assert profiles == [to_item(bounced)] == [BOUNCED]
    assert table.users.verify_email(bounced) == replace(ANN, email_verified=True)


def test_a_counter_is_written_as_it_is_pinned(table: Table) -> None:
    assert table.attempts.spend([Limit("kind", "ann", 5, 60)], now=NOW) is None
    digest = hashlib.sha256(f"kind\0ann\0{NOW // 60}".encode()).hexdigest()
    assert table.items("grants") == [
        {
            "pk": {"S": f"attempts#{digest}"},
            "sk": {"S": "count"},
            "v": ONE,
            "attempts": ONE,
            "expires_at": {"N": str(NOW + 60)},
        }
    ]


def test_guesses_are_written_as_they_are_pinned(table: Table) -> None:
    backoff = Backoff("guesses", "ann", 5, 900)
    assert table.attempts.spend([backoff], now=NOW) is None
    table.attempts.fail(Spent((backoff,), NOW), now=NOW)
    assert table.items("grants") == [
        {
            "pk": {"S": f"attempts#{hashlib.sha256(b'guesses' + bytes(1) + b'ann').hexdigest()}"},
            "sk": {"S": "guesses"},
            "v": ONE,
            "attempts": ONE,
            "failures": ONE,
            "failed_at": {"N": str(NOW)},
            "expires_at": {"N": str(NOW + 1800)},
        }
    ]


def test_what_a_user_says_is_written_as_it_is_pinned_and_read_again(table: Table) -> None:
    table.put("users", PROFILE)
    changed = table.users.change_profile(UID, {**CLAIMS, "gender": ""}, now=NOW)
    assert table.items("users") == [SAID]
    assert changed == table.users.read(UID) == replace(ANN, claims=CLAIMS, updated_at=NOW)
    assert to_item(changed) == SAID
    left = table.users.change_profile(UID, {"locale": "", "name": ""}, now=NOW)
    assert left
    assert (left.claims, left.name) == ({"given_name": "Ann", "picture": CLAIMS["picture"]}, "")


def test_a_users_attributes_are_written_as_they_are_pinned_and_read_again(table: Table) -> None:
    table.put("users", PROFILE)
    texts = {name: attributes.encode(value) for name, value in ATTRIBUTES.items()}
    changed = table.users.change_profile(UID, {}, now=NOW, attributes={**texts, "gone": ""})
    assert table.items("users") == [ATTRIBUTED]
    assert changed == table.users.read(UID) == replace(ANN, attributes=ATTRIBUTES, updated_at=NOW)
    assert to_item(changed) == ATTRIBUTED
    # One of a later release's is not read as something else, and keeps nobody from the rest.
    later = {"attribute#team": {"S": '{"v":2,"value":"x"}'}, "attribute#odd": {"S": "x"}}
    table.put("users", {**ATTRIBUTED, **later})
    user = table.users.read(UID)
    assert user
    assert user.attributes == {name: value for name, value in ATTRIBUTES.items() if name != "team"}


def test_the_refusals_of_a_client_are_written_as_they_are_pinned(table: Table) -> None:
    table.refusals.keep("shop", "wrong secret", now=NOW)
    assert table.items("grants") == [REFUSALS]


def test_events_are_written_as_they_are_pinned_and_read_as_they_were(table: Table) -> None:
    table.transactions.commit(table.events.addition(UID, (EVENT,), seconds=60, now=NOW))
    assert table.items("grants") == [EVENTS_ITEM]
    for stored in (EVENTS_ITEM, without(EVENTS_ITEM, "v")):
        table.put("grants", stored)
        assert table.events.of_user(UID, before=NOW + 3600, since=0, least=1) == ([EVENT], 1_800_000_000)


@pytest.mark.parametrize(
    "change",
    [
        {"v": {"N": "2"}},
        {"events": {"S": "x"}},
        {"events": {"L": [{"N": "1"}]}},
        {"events": {"L": [{"S": "x"}, {"S": "[]"}, {"S": EVENT_TEXT.replace('"v": 1', '"v": 2')}, {"S": "{}"}]}},
        {"events": {"L": [{"S": EVENT_TEXT.replace('"at": 1800000000', '"at": "x"')}]}},
    ],
    ids=str,
)
def test_events_that_cannot_be_read_are_as_good_as_absent(table: Table, change: dict[str, Any]) -> None:
    table.put("grants", {**EVENTS_ITEM, **change})
    assert table.events.of_user(UID, before=NOW + 3600, since=0, least=1) == ([], 0)


def without(item: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in names}


READERS: dict[str, tuple[str, dict[str, Any], Callable[[Table], object], object]] = {
    "profile": ("users", PROFILE, lambda table: table.users.read(UID), ANN),
    "address": ("users", ADDRESS, lambda table: table.users.find("ann#1@example.com"), UID),
    "session": ("grants", GRANT, lambda table: table.sessions.of_user(UID)[0], SESSION),
    "client": (
        "users",
        {**CLIENT, "client": {"S": CLIENT_TEXT}},
        lambda table: table.clients.read("shop"),
        SHOP,
    ),
    "factor": (
        "users",
        FACTOR_ITEM,
        lambda table: table.factors.find(replace(ANN, factors=frozenset({FACTOR.entry})), FACTOR.entry),
        FACTOR,
    ),
    "remembered device": (
        "grants",
        DEVICE_ITEM,
        lambda table: table.remembered_devices.read(UID, DEVICE.device_id),
        DEVICE,
    ),
    "consent": (
        "users",
        CONSENT,
        lambda table: table.clients.consent(UID, "shop", since=0),
        frozenset({"email", "openid"}),
    ),
    "refusals": ("grants", REFUSALS, lambda table: table.refusals.read("shop", now=NOW), {"wrong secret": NOW}),
}
OPTIONAL = {
    "refusals": {"v", "wrong secret"},
    "session": OPTIONAL_OF_SESSION,
    "consent": {"v", "scopes"},
    "factor": {"v", "codes"},
    "remembered device": {"v", "factors", "browser", "system"},
    "client": {"v", "version"},
}


@pytest.mark.parametrize("kind", READERS)
def test_a_pinned_item_is_read_with_its_version_and_as_it_was_written_before_there_were_versions(
    shared: Table, kind: str
) -> None:
    where, item, read, value = READERS[kind]
    for stored in (item, without(item, "v")):
        shared.put(where, stored)
        assert read(shared) == value


def test_a_session_of_the_first_releases_is_read(shared: Table) -> None:
    shared.put("grants", without(GRANT, *OPTIONAL_OF_SESSION))
    (session,) = shared.sessions.of_user(UID)
    assert (session.client_since, session.device, session.logout_participants) == (None, "", ())
    assert (session.scope, session.amr, session.ends_at) == (SESSION.scope, SESSION.amr, SESSION.ends_at)


@pytest.mark.parametrize("version", [{"N": "2"}, {"N": "0"}, {"S": "1"}, {"NULL": True}], ids=str)
@pytest.mark.parametrize("kind", READERS)
def test_an_item_of_another_version_is_a_defect_that_says_so(shared: Table, kind: str, version: dict[str, Any]) -> None:
    where, item, read, _ = READERS[kind]
    shared.put(where, {**item, "v": version})
    with pytest.raises(UnreadableRecord) as defect:
        read(shared)
    assert defect.value.reason.startswith(f"{kind}: version")
    assert defect.value.code == "server_error"


@pytest.mark.parametrize("kind", READERS)
def test_an_item_without_what_it_needs_or_with_another_type_is_a_defect_and_never_read_wrongly(
    shared: Table, kind: str
) -> None:
    where, item, read, value = READERS[kind]
    for name in set(item) - {"pk", "sk", "v"}:
        if name not in OPTIONAL.get(kind, set()):
            shared.put(where, without(item, name))
            with pytest.raises(UnreadableRecord, match="server_error"):
                read(shared)
        shared.put(where, {**item, name: {"B": b"x"}})
        if kind == "client" and name == "version":  # which is beside the text for the condition alone
            assert read(shared) == value
            continue
        with pytest.raises(UnreadableRecord):
            read(shared)


def test_a_client_without_the_members_that_came_later_has_their_defaults(shared: Table) -> None:
    shared.put("users", {**CLIENT, "client": {"S": '{"client_id":"shop","version":7}'}})
    assert shared.clients.read("shop") == Client(client_id="shop", version=7)


@pytest.mark.parametrize("text", ["", "x", "[]", '{"client_name": 1}', '{"client_id": "shop", "scopes": "a"}'])
def test_a_client_that_is_no_client_is_a_defect(shared: Table, text: str) -> None:
    shared.put("users", {**CLIENT, "client": {"S": text}})
    with pytest.raises(UnreadableRecord):
        shared.clients.read("shop")


def test_an_account_goes_with_a_session_that_cannot_be_read(table: Table) -> None:
    table.put("grants", {**GRANT, "v": {"N": "2"}})
    table.put("grants", {**GRANT, "sk": {"S": "grant#other"}})
    table.sessions.erase(UID, but="other")
    assert [item["sk"]["S"] for item in table.items("grants")] == ["grant#other"]
    table.sessions.erase(UID)
    assert table.items("grants") == []


PARAMETER_PINS = {
    "signing": '{"v": 1, "alg": "EdDSA", "active_at": 1800000000, "private_key": "PEM"}',
    "refresh": '{"v": 1, "active_at": 1800000000, "secret": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}',
    "pairwise": '{"v": 1, "secret": "__________________________________________8="}',
    "retired": '{"v": 1, "jwk": {"kty": "OKP", "kid": "k"}, "until": 1800000001}',
}
PEM = keyset.generate("EdDSA")


class Parameters:
    """A place for keys of this test's own, and what is in it."""

    def __init__(self) -> None:
        self.ssm = AwsClient(aws.SSM)
        self.path = f"/{uuid4().hex}/keys"
        self.keys = Keys(self.ssm, path=self.path, token_life=900)

    def put(self, name: str, value: str) -> None:
        value = value.replace('"PEM"', '"' + PEM.replace("\n", "\\n") + '"')
        parameter = {"Name": f"{self.path}/{name}", "Value": value, "Type": "SecureString"}
        self.ssm.call("PutParameter", **parameter, Overwrite=True)

    def value(self, name: str) -> str:
        answer = self.ssm.call("GetParameter", Name=f"{self.path}/{name}", WithDecryption=True)
        value: str = answer["Parameter"]["Value"]
        return value


@pytest.fixture
def parameters() -> Parameters:
    """A place for keys of this test's own."""
    return Parameters()


def test_every_kind_of_key_is_pinned() -> None:
    assert set(PARAMETER_PINS) == set(PARAMETERS)


@pytest.mark.parametrize("drop", ["", '"v": 1, '], ids=["versioned", "unversioned"])
def test_keys_are_read_as_they_are_pinned(parameters: Parameters, drop: str) -> None:
    for kind, value in PARAMETER_PINS.items():
        parameters.put(f"{kind}/1", value.replace(drop, ""))
    keyset = parameters.keys.read(NOW)
    assert [(key.number, key.algorithm, key.active_at) for key in keyset.signing] == [(1, "EdDSA", NOW)]
    assert [(key.number, key.active_at, key.secret) for key in keyset.refresh] == [(1, NOW, bytes(32))]
    assert [(key.jwk, key.until) for key in keyset.retired] == [({"kty": "OKP", "kid": "k"}, NOW + 1)]
    assert keyset.pairwise == parameters.keys.pairwise_alone() == b"\xff" * 32


def test_keys_are_written_as_they_are_pinned(parameters: Parameters) -> None:
    assert parameters.keys.create_signing(1, algorithm="EdDSA", active_at=NOW)
    assert parameters.keys.create_refresh(1, active_at=NOW)
    assert parameters.keys.create_pairwise()
    (key,) = parameters.keys.read(NOW).signing
    assert parameters.keys.create_retired(key, until=NOW + 1)
    values = {name: parameters.value(name) for name in ("signing/1", "refresh/1", "pairwise/1", f"retired/{key.kid}")}
    begins = [
        '{"v": 1, "alg": "EdDSA", "active_at": 1800000000, "private_key": "-----BEGIN',
        '{"v": 1, "active_at": 1800000000, "secret": "',
        '{"v": 1, "secret": "',
        '{"v": 1, "jwk": {"kty": "OKP"',
    ]
    assert [value.startswith(begin) for value, begin in zip(values.values(), begins, strict=True)] == [True] * 4
    assert values[f"retired/{key.kid}"].endswith('"}, "until": 1800000001}')


@pytest.mark.parametrize("kind", PARAMETER_PINS)
def test_a_key_of_another_version_or_shape_is_a_defect(parameters: Parameters, kind: str) -> None:
    pin = PARAMETER_PINS[kind]
    spoilt = [pin.replace('"v": 1', '"v": 2'), pin.replace("{", '{"more": 1, ', 1), '{"v": 1}', pin[:-1], "[]", "x"]
    spoilt += [pin.replace("180000000", '"').replace('"0', '"0"').replace('"1', '"1"')] if "180000000" in pin else []
    for value in spoilt:
        parameters.put(f"{kind}/1", value)
        with pytest.raises(UnreadableRecord):
            parameters.keys.read(NOW)


def test_a_guest_is_written_as_it_is_pinned_and_becomes_a_user_without_an_end(table: Table) -> None:
    guest = replace(ANN, email="", password_hash="", email_verified=False, guest=True)
    assert table.transactions.commit(table.guests.creation(guest, expires_at=1_827_042_987)) is None
    assert table.items("users") == [GUEST]
    assert table.users.read(UID) == guest
    assert table.transactions.commit(table.guests.promotion(guest, ANN, now=NOW)) is None
    profile, _ = table.items("users")
    assert profile == {**PROFILE, "email_changed_at": {"N": str(NOW)}}
    assert table.users.find("ann@example.com") == UID
