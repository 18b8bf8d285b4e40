"""Each route that changes what protects an account has its event, or a reason to have none; and no event says too much."""

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib import import_module
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.accounts.events import EVENTS
from chalicelib.services import Services, use
from chalicelib.web.metadata.apis import operations
from local.gateway import Answer
from tests.support import counter
from tests.support.phone import PASSWORD, Clock, Phone, installed
from tests.web.http import test_fault_walk as fault_walk
from tests.web.http.test_fault_walk import DEEDS, NEW_PASSWORD
from tests.web.oauth.test_oauth_faults import World

ROOT = Path(__file__).parents[3]
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
# What each deed is an event of, by its route; of several each is there.
ROUTES: Mapping[str, set[str]] = {
    "POST /signup": {"signed_up"},
    "POST /signup/confirm": {"signed_up"},
    "POST /signup/passkey/confirm": {"signed_up"},
    "POST /signup/guest": {"guest_created"},
    "POST /authorize/signup": {"signed_up"},
    "POST /authorize/signup/passkey": {"signed_up"},
    "POST /account/sign-up": {"signed_up"},
    "POST /account/sign-up/passkey": {"signed_up"},
    "POST /me/upgrade": {"guest_upgraded"},
    "POST /me/upgrade/passkey/confirm": {"guest_upgraded"},
    "POST /login": {"login"},
    "POST /login/proof": {"login"},
    "POST /login/code/confirm": {"email_verified", "login"},
    "POST /login/enrolment/confirm": {"factor_added", "login"},
    "POST /oauth/authorize-challenge": {"login"},
    "POST /authorize/login": {"login"},
    "POST /authorize/mailed": {"email_verified", "login"},
    "POST /authorize/passkey": {"login"},
    "POST /authorize/proof": {"login"},
    "POST /authorize/enrol": {"factor_added", "step_up"},
    "POST /authorize/enrol/passkey": {"factor_added", "step_up"},
    "POST /logout": {"logout"},
    "POST /oauth/logout/confirm": {"logout"},
    "POST /oauth/revoke": {"session_ended"},
    # By a code that comes again, a device's or an assertion, and an exchange.
    "POST /oauth/token": {"session_ended", "session_began", "token_exchanged"},
    "POST /refresh": {"session_ended"},  # by a token that comes again
    "DELETE /me/sessions": {"other_sessions_ended"},
    "DELETE /me/sessions/{sid}": {"session_ended"},
    "POST /account/sessions": {"other_sessions_ended"},
    "POST /account/activity": {"other_sessions_ended"},
    "POST /account/end-session": {"session_ended"},
    "POST /me/password": {"password_changed"},
    "POST /account/password": {"password_changed"},
    "POST /password/reset/confirm": {"password_reset"},
    "POST /account/reset-password": {"password_reset"},
    "POST /me/email": {"email_change_requested"},
    "DELETE /me/email": {"email_change_cancelled"},
    "POST /account/email": {"email_change_requested"},
    "POST /me/email/confirm": {"email_changed"},
    "POST /account/change-email": {"email_changed"},
    "POST /account/undo-email-change": {"email_change_undone"},
    "POST /me/email/verification/code": {"email_verified"},
    "POST /account/verify-email": {"email_verified"},
    "POST /me/factors/confirm": {"factor_added"},
    "POST /me/factors/recovery-codes": {"recovery_codes_replaced"},
    "DELETE /me/factors/{factor_id}": {"factor_removed"},
    "POST /account/factors": {"recovery_codes_replaced"},
    "POST /account/add-factor": {"factor_added"},
    "POST /account/add-passkey": {"factor_added"},
    "DELETE /me/devices": {"device_forgotten"},
    "DELETE /me/devices/{device_id}": {"device_forgotten"},
    "POST /account/apps": {"consent_revoked"},
    "DELETE /me/consents/{consent_id}": {"consent_revoked"},
    "POST /device": {"consent_given"},
    "DELETE /me": {"account_erased"},
    "POST /account/delete": {"account_erased"},
    "POST /account/export": {"data_exported"},
}
NOTHING, MAIL, STEP = "changes nothing", "a mail is asked for", "a step of what has its event at the end"
# What has none, and why.
WITHOUT: Mapping[str, str] = {
    **dict.fromkeys(
        ["POST /verify", "POST /oauth/introspect", "POST /oauth/userinfo", "POST /authorize/work"], NOTHING
    ),
    **dict.fromkeys(["POST /login/code", "POST /authorize/mail", "POST /me/email/verification"], MAIL),
    **dict.fromkeys(["POST /password/reset", "POST /account/forgot-password"], f"{MAIL}: `deliver` has the event"),
    **dict.fromkeys(
        ["POST /login/challenge", "POST /login/passkey", "POST /login/enrolment", "POST /me/factors"], STEP
    ),
    **dict.fromkeys(["POST /signup/passkey", "POST /me/upgrade/passkey", "POST /password/reset/challenge"], STEP),
    **dict.fromkeys(["POST /authorize/continue", "POST /authorize/consent", "POST /oauth/authorize"], STEP),
    **dict.fromkeys(["POST /oauth/logout", "POST /oauth/device", "POST /oauth/par"], STEP),
    **dict.fromkeys(["PATCH /me", "POST /account"], "says who its user is, and protects nothing"),
    "POST /language": "which language pages are in",
    "PATCH /me/factors/{factor_id}": "a name for its owner's eyes",
    **dict.fromkeys(["POST /oauth/register", "PUT /oauth/register/{client_id}"], "of a client, and of no account"),
    "DELETE /oauth/register/{client_id}": "of a client, and of no account",
}
# What is secret in a body or an answer, by its name.
SECRET = re.compile(r"token|password|secret|code|answer|auth_session|email|address|attempt|challenge")
HARMLESS = re.compile(r"type|expires|error|methods?$|uri|verified|_codes?_left|descri")


def secrets_in(value: Any, name: str = "") -> Iterable[str]:
    """The texts in a JSON value that nobody may read in a log."""
    if isinstance(value, dict):
        for member, each in value.items():
            yield from secrets_in(each, member)
    elif isinstance(value, list):
        for each in value:
            yield from secrets_in(each, name)
    elif isinstance(value, str) and len(value) > 5 and SECRET.search(name) and not HARMLESS.search(name):
        yield value


class Listener(Phone):
    """Notes the secrets of all that is sent and answered."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.secrets: set[str] = set()

    def call(self, line: str, body: object = None, **more: Any) -> Answer:
        answer = super().call(line, body, **more)
        self.secrets |= {*secrets_in(body)}
        if answer.body.startswith(b"{"):
            self.secrets |= {*secrets_in(answer.json())}
        return answer


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def test_each_route_that_changes_something_has_its_event_or_a_reason_and_none_says_too_much(
    svc: Services, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    svc = fault_walk.with_everything(svc)
    phone, events, lines = Listener(clock), dict[str, set[str]](), list[dict[str, Any]]()
    with counter.installed(), installed(svc):
        phone.sign_up(name="Ann")
        flows = chain(fault_walk.acts_of_accounts(phone, svc, clock), fault_walk.acts_of_oauth(phone, svc, clock))
        for act in chain(_acts_of_deeds(phone, svc, clock), flows):
            capsys.readouterr()
            act()
            lines += written(capsys)
    for line in lines:
        if "route" in line and line["route"].partition(" ")[0] in UNSAFE:
            of_request = {
                each["event"] for each in lines if each["request_id"] == line["request_id"] and "event" in each
            }
            events.setdefault(line["route"], set()).update(of_request)
    assert {route: of_route for route, of_route in events.items() if of_route} == ROUTES
    assert {line["event"] for line in lines if "event" in line} <= {*EVENTS}
    unsafe = {f"{each.method} {each.path}" for each in operations() if each.method in UNSAFE}
    assert {*ROUTES} | {*WITHOUT} == unsafe
    assert not {*ROUTES} & {*WITHOUT}
    _says_too_much(svc, phone, lines)


def test_each_event_of_the_list_is_caused_somewhere() -> None:
    flows = "".join(path.read_text() for path in (ROOT / "chalicelib").rglob("*.py") if path.name != "events.py")
    oddities = {
        name for name in EVENTS if name.startswith("passkey_") and f'"{name.removeprefix("passkey_")}"' in flows
    }
    assert {name for name in EVENTS if f'"{name}"' in flows} | oddities == {*EVENTS}


def test_each_event_that_is_named_in_the_code_is_one_of_the_list() -> None:
    names = {name for path in (ROOT / "chalicelib").rglob("*.py") for name in _event_names(path)}
    assert len(names) > 35
    assert names - {*EVENTS} == set()


def _event_names(path: Path) -> Iterator[str]:
    """What a file's calls of `audit` have for an event's name, as text or by a constant; a parameter is somebody else's."""
    place = {"event": 1, "failures": 1, "report": 0}
    for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
        room, _, function = ast.unparse(call.func).rpartition(".")
        if room != "audit" or function not in place:
            continue
        argument = call.args[place[function]]
        if isinstance(argument, ast.Constant):
            yield str(argument.value)
        elif ast.unparse(argument).rpartition(".")[2].isupper():
            module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            yield attrgetter(ast.unparse(argument))(module)


def test_no_line_but_that_of_an_event_of_the_list_has_an_event() -> None:
    """An alarm on events would count whatever else says that it is one; what is no event of an account is a `failure`."""
    audit_trail = ROOT / "chalicelib" / "flows" / "platform" / "audit.py"
    members = {path: [*_members(path)] for path in (ROOT / "chalicelib").rglob("*.py")}
    assert [path for path, of_file in members.items() if "event" in of_file] == [audit_trail]
    assert "failure" in members[ROOT / "chalicelib" / "flows" / "accounts" / "cleanup.py"]


def _members(path: Path) -> Iterator[str]:
    """The members that a file's objects have by name: those of a text for a key, and those that a line is written with."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Dict):
            yield from (str(key.value) for key in node.keys if isinstance(key, ast.Constant))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("write", "write_line", "dict"):
            yield from (each.arg for each in node.keywords if each.arg)


def _acts_of_deeds(phone: Phone, svc: Services, clock: Clock) -> Iterator[Callable[[], Answer]]:
    for before, act in DEEDS.values():
        world = World(phone, svc, clock)
        before(world)
        yield partial(act, world)
        use(svc)  # some are done where others are demanded


def _says_too_much(svc: Services, phone: Listener, lines: list[dict[str, Any]]) -> None:
    stored = svc.users._client.call("Scan", TableName=svc.settings.grants_table)["Items"]
    records = [each["S"] for item in stored if item["sk"]["S"].startswith("event#") for each in item["events"]["L"]]
    assert {json.loads(each)["type"] for each in records} < {*EVENTS}
    text = json.dumps(lines) + "".join(records)
    assert len(phone.secrets) > 100
    assert [secret for secret in {*phone.secrets, PASSWORD, NEW_PASSWORD, "Ann"} if secret in text] == []
    assert "@" not in text
