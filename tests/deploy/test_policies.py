"""The hand-written policies against the code, which is read for its calls.

A call without a right fails in AWS; a right without a call is a gift to whoever breaks in.
"""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.records.outbox import ErasedAccount, SessionCap
from chalicelib.flows.accounts import cleanup, deletion
from chalicelib.flows.sessions import session_cap
from chalicelib.services import Services
from deploy import outbox, stages
from deploy.stages import PROJECT
from tests.support import counter
from tests.support.browser import Browser, register
from tests.support.phone import Clock, Phone, installed
from tests.support.remembered import remember
from tests.support.wire import Wire, watched

STORE = PROJECT / "chalicelib" / "store"
# Making tables is the operator's, at deployment; no function does it.
SHIPPED = [path for path in STORE.rglob("*.py") if path.name != "tables.py"]
STAGES = ("dev", "prod")
TRANSACTION_PARTS = {"Put", "Update", "Delete", "ConditionCheck"}
# What a call of the store is made by; a transaction needs the rights of its parts.
CALLS, TRANSACTIONS = {"call", "pages", "conditionally"}, {"TransactWriteItems", "TransactGetItems"}

# An action and, for DynamoDB, the table that it touches.
Right = tuple[str, str]


def tables_in(node: ast.AST) -> set[str]:
    named = {n.attr.removeprefix("_") for n in ast.walk(node) if isinstance(n, ast.Attribute)}
    named |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return {table for table in ("users", "grants", "outbox") if table in named}


def called(node: ast.AST) -> Iterator[str]:
    """The DynamoDB or SSM operations that this very node stands for."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in CALLS:
        operations = {str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)}
        yield from operations - TRANSACTIONS
    if isinstance(node, ast.Dict):
        keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
        yield from (f"{part}Item" for part in sorted(TRANSACTION_PARTS & keys))


def rights_used(path: Path) -> set[Right]:
    """What a module of the store calls, with the tables that it names nearest to the call, or at all."""
    rights = set()
    tree = ast.parse(path.read_text())
    for function in [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]:
        calls = [n for n in ast.walk(function) if isinstance(n, ast.Call)]
        for node in ast.walk(function):
            for operation in called(node):
                around = [node, *(c for c in calls if any(node is inner for inner in ast.walk(c)))]
                nearest = min(around, key=lambda n: (not tables_in(n), len(ast.dump(n))))
                touched = tables_in(nearest) or tables_in(function) or tables_in(tree) or {""}
                rights |= {(operation, table) for table in touched}
    return rights


def table_of(resource: str) -> str:
    name = resource.partition(":table/")[2].replace("/stream/*", " stream")
    return name.rpartition("-")[2]


def statements(policy: str) -> list[dict[str, Any]]:
    document = json.loads((PROJECT / ".chalice" / policy).read_text())
    listing: list[dict[str, Any]] = document["Statement"]
    return listing


def resources(statement: dict[str, Any]) -> list[str]:
    named = statement["Resource"]
    return named if isinstance(named, list) else [named]


def rights_given(policy: str) -> set[Right]:
    """What a policy allows on tables and keys; logs and traces are not the code's own calls."""
    return {
        (action.partition(":")[2], table_of(resource))
        for statement in statements(policy)
        for action in statement["Action"]
        for resource in resources(statement)
        if action.startswith(("dynamodb:", "ssm:"))
    }


def all_calls() -> set[Right]:
    return set().union(*map(rights_used, SHIPPED))


def key_calls() -> set[Right]:
    return rights_used(STORE / "keys.py")


@pytest.mark.parametrize("stage", STAGES)
def test_the_routes_may_do_what_the_store_calls_and_nothing_else(stage: str) -> None:
    # A key is deleted by the scheduled function alone: see the next test. One single key is read by the guards alone.
    # Accounts are read one after another by another scheduled function alone.
    elsewhere = {("DeleteParameter", ""), ("GetParameter", ""), ("Scan", "users")}
    # What is in the outbox is read and deleted by the function that delivers it: see below.
    outbox = {right for right in all_calls() if right[1] == "outbox"} - {("PutItem", "outbox")}
    assert rights_given(f"policy-api_handler-{stage}.json") == all_calls() - elsewhere - outbox


@pytest.mark.parametrize("stage", STAGES)
def test_the_function_that_delivers_may_read_what_it_tells_of_and_change_what_it_fetches_and_counts(stage: str) -> None:
    assert rights_given(f"policy-deliver-{stage}.json") == {
        *(rights_used(STORE / "outbox.py") - {("Scan", "outbox")}),  # an operator's alone
        *((action, "outbox stream") for action in ("DescribeStream", "GetRecords", "GetShardIterator")),
        ("ListStreams", ""),
        # What an erased account has left goes here once more.
        *((action, "users") for action in ("ConditionCheckItem", "DeleteItem", "GetItem", "Query")),
        *((action, "grants") for action in ("BatchWriteItem", "DeleteItem")),
        *((action, "grants") for action in ("GetItem", "PutItem", "Query", "UpdateItem")),
        *((action, "") for action in ("GetParametersByPath", "PutParameter")),
    }


@pytest.mark.parametrize("stage", STAGES)
def test_the_function_that_delivers_makes_schedules_of_its_own_name_and_passes_on_one_role_to_the_scheduler(
    stage: str,
) -> None:
    by_sid = {statement["Sid"]: statement for statement in statements(f"policy-deliver-{stage}.json")}
    function = stages.read(stage).deployed_name(outbox.FUNCTION)
    assert by_sid["Retries"]["Resource"] == f"arn:aws:scheduler:*:*:schedule/default/{function}-*"
    assert by_sid["Scheduler"]["Resource"] == f"arn:aws:iam::*:role/{outbox.role_name(stages.read(stage))}"
    assert by_sid["Scheduler"]["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    # A name has 64 characters at most: the function's, 24 of the message's id, and the number of the try.
    assert len(f"{function}-{'0' * 24}-99") <= 64


def test_only_the_scheduled_function_reaches_the_deletion_of_keys() -> None:
    callers = {
        path.name
        for path in (PROJECT / "chalicelib" / "web").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "rotate" and ast.unparse(node.value) == "keys"
    }
    deleters = {
        (path.name, function.name)
        for path in (PROJECT / "chalicelib" / "flows").rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "svc.keys.delete"
    }
    assert callers == {"key_rotation.py"}
    assert deleters == {("keys.py", "rotate")}


@pytest.mark.parametrize("stage", STAGES)
def test_the_scheduled_function_may_only_handle_keys(stage: str) -> None:
    assert rights_given(f"policy-rotate_keys-{stage}.json") == key_calls() - {("GetParameter", "")}


@pytest.mark.parametrize("stage", STAGES)
def test_the_function_that_hears_of_mails_changes_accounts_and_reads_no_key(stage: str) -> None:
    assert rights_given(f"policy-mail_events-{stage}.json") == {("GetItem", "users"), ("UpdateItem", "users")}


@pytest.mark.parametrize("stage", STAGES)
def test_the_function_that_erases_accounts_reads_no_key_and_changes_none(stage: str) -> None:
    assert rights_given(f"policy-erase_unverified-{stage}.json") == {
        *((action, "users") for action in ("DeleteItem", "Query", "Scan")),
        *((action, "grants") for action in ("BatchWriteItem", "DeleteItem", "Query")),
        ("PutItem", "outbox"),
    }


def test_the_function_that_erases_accounts_makes_no_call_that_it_has_no_right_to(
    phone: Phone, svc: Services, clock: Clock
) -> None:
    """Of accounts that have something of everything: one that nobody has verified, and one whose user deleted it."""
    settings = replace(svc.settings, mail_from="x@id.example", unverified_account_seconds=1, deletion_seconds=1)
    svc = replace(svc, settings=settings)
    with installed(svc):
        app = register(svc, phone)
        for email in ("ann@example.com", "ben@example.com"):
            uid = phone.sign_up(email)["user"]["sub"]
            app.tokens(Browser(phone), email=email, scope="openid")
            counter.enrol(svc, uid)
            remember(svc, uid)
        user = svc.users.read(uid)
        assert user
        assert svc.users.verify_email(user)
        assert svc.transactions.commit(svc.users.deletion_request(user, delete_after=svc.now())) is None
        clock.advance(2)
        with watched(svc) as traffic:
            erased = [*cleanup.erase_unverified(svc), *cleanup.erase_scheduled(svc)]
    assert [user.email for user in erased] == ["ann@example.com", "ben@example.com"]
    rights = rights_needed(svc, traffic)
    assert rights <= rights_given("policy-erase_unverified-dev.json")
    assert ("PutItem", "outbox") in rights


def test_the_function_that_delivers_has_a_right_to_all_that_sweeps_an_erased_account(
    phone: Phone, svc: Services
) -> None:
    """Of one whose own sweep has failed, so that there is something of everything."""
    with installed(svc):
        uid = phone.sign_up()["user"]["sub"]
        register(svc, phone).tokens(Browser(phone), scope="openid")
        remember(svc, uid)
        with watched(svc) as traffic:
            assert deletion.sweep_again(svc, "", ErasedAccount(uid=uid)) == {}
    rights = rights_needed(svc, traffic)
    assert rights <= rights_given("policy-deliver-dev.json")
    assert {("BatchWriteItem", "grants"), ("DeleteItem", "grants"), ("DeleteItem", "users")} <= rights


def test_the_function_that_delivers_has_a_right_to_all_that_ends_a_session_too_many(
    phone: Phone, svc: Services
) -> None:
    """With its event, which is written for an account that is there."""
    svc = replace(svc, settings=replace(svc.settings, sessions_per_account=1))
    with installed(svc):
        user = svc.users.read(phone.sign_up()["user"]["sub"])
        assert user
        phone.log_in()
        with watched(svc) as traffic:
            session_cap.end_oldest(svc, "", SessionCap(uid=user.uid, network=""))
    rights = rights_needed(svc, traffic)
    assert rights <= rights_given("policy-deliver-dev.json")
    assert ("ConditionCheckItem", "users") in rights


def rights_needed(svc: Services, traffic: Wire) -> set[Right]:
    """What the calls that were watched need to be allowed."""
    by_name = {name: table for table, name in svc.settings.tables.items()}
    return {
        (action, by_name[table])
        for operation, request in zip(traffic.calls, traffic.requests, strict=True)
        for action, table in rights_of(operation, request)
    }


def rights_of(operation: str, request: Mapping[str, Any]) -> Iterator[Right]:
    """What one call needs to be allowed, by the names of tables."""
    for part in request.get("TransactItems", ()):
        ((kind, members),) = part.items()
        yield f"{kind}Item", members["TableName"]
    for table in request.get("RequestItems", ()):
        yield operation, table
    if "TableName" in request:
        yield operation, request["TableName"]


@pytest.mark.parametrize("stage", STAGES)
def test_the_function_that_delivers_sends_under_the_configuration_set_of_its_stage(stage: str) -> None:
    (mail,) = [each for each in statements(f"policy-deliver-{stage}.json") if each["Sid"] == "Mail"]
    name = stages.read(stage).environment()["LATCHKEY_SES_CONFIGURATION_SET"]
    assert resources(mail) == ["arn:aws:ses:*:*:identity/*", f"arn:aws:ses:*:*:configuration-set/{name}"]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("guard", stages.GUARDS)
def test_a_guard_reads_neither_tables_nor_keys(guard: str, stage: str) -> None:
    assert rights_given(f"policy-{guard}-{stage}.json") == set()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("guard", stages.GUARDS)
def test_a_guard_that_asks_for_sessions_reads_them_clients_and_the_one_secret_that_signs_nothing(
    guard: str, stage: str
) -> None:
    assert rights_given(f"policy-{guard}-sessions-{stage}.json") == {
        ("BatchGetItem", "users"),
        ("BatchGetItem", "grants"),
        ("GetItem", "users"),
        ("GetParameter", ""),
    }


@pytest.mark.parametrize("stage", STAGES)
def test_every_resource_is_this_stages_own(stage: str) -> None:
    facts = stages.read(stage)
    own = {*facts.tables.values(), *map(facts.log_group, facts.functions)}
    keys = facts.environment()["LATCHKEY_KEYS_PATH"]
    for policy in (PROJECT / ".chalice").glob(f"policy-*-{stage}.json"):
        for statement in statements(policy.name):
            # AWS has no resources for traces and for the list of streams; those of mail and retries are their own.
            if statement["Sid"] in ("Traces", "Streams", "Retries", "Scheduler", "Mail"):
                continue
            for resource in resources(statement):
                _, _, name = resource.partition("*:*:")
                kind, _, named = name.partition("/") if ":table/" in resource else name.partition(":")
                assert named.removesuffix(":*").removesuffix("/stream/*") in own or name in (
                    f"parameter{keys}",
                    f"parameter{keys}/*",
                    f"parameter{keys}/pairwise/1",
                ), f"{policy.name}: {kind} {resource}"


@pytest.mark.parametrize("stage", STAGES)
def test_every_function_has_its_own_policy_and_size_under_its_stage(stage: str) -> None:
    whole = json.loads((PROJECT / ".chalice" / "config.json").read_text())
    facts = stages.read(stage)
    assert "lambda_functions" not in whole
    assert set(facts.functions) == {
        "api_handler",
        "guard",
        "guard_request",
        "rotate_keys",
        "deliver",
        "mail_events",
        "erase_unverified",
    }
    for name, function in facts.config["lambda_functions"].items():
        assert function["lambda_memory_size"] > 128, "Chalice's default is a fourteenth of a processor"
        # Nobody waits for what reads a whole table.
        assert function["lambda_timeout"] <= (900 if name == "erase_unverified" else 60)
        assert function["iam_policy_file"] in (
            f"policy-{name}-{stage}.json",
            f"policy-{name}-sessions-{stage}.json",
        )


@pytest.mark.parametrize("stage", STAGES)
def test_the_settings_that_chalice_gets_wrong_are_left_alone(stage: str) -> None:
    text = json.dumps(stages.read(stage).config)
    assert "log_retention_in_days" not in text
    assert stages.read(stage).config["autogen_policy"] is False
