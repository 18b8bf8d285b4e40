"""Our client against an AWS that answers what a test has written down: what is sent, believed, and tried again."""

import json
import socket
import ssl
import string
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.errors import TemporarilyUnavailable
from chalicelib.store.aws.answers import Unanswered
from chalicelib.store.aws.client import AwsClient, AwsError, Seconds
from chalicelib.store.aws.http_transport import HttpTransport
from tests.support import internet
from tests.support.internet import Internet
from tests.support.scripted import Request, ScriptedAws, Step, answer, echo, error, http, scripted_aws, sent
from tests.support.signatures import by_botocore

NOW = 1_800_000_000
GET = {"TableName": "users", "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}}
ITEM = {"Item": {"pk": {"S": "a"}, "sk": {"S": "b"}}}
# Long enough for a busy machine to answer, short enough to wait for in vain.
SHORT = Seconds(connection=0.5, attempt=0.3, call=0.7)


@pytest.fixture
def aws() -> Iterator[ScriptedAws]:
    with scripted_aws() as running:
        yield running


def transport(aws: ScriptedAws, service: str = "dynamodb", **more: Any) -> HttpTransport:
    """Our client, which does not wait between its attempts."""
    usual: dict[str, Any] = {"environ": aws.environ, "now": lambda: NOW, "pause": lambda _: None, "jitter": lambda: 0.0}
    return HttpTransport(service, **({"trust": ssl.create_default_context} | usual | more))


# What is sent
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.builds(lambda text: {"S": text}, TEXTS)
    | st.builds(lambda number: {"N": str(number)}, st.integers())
    | st.builds(lambda truth: {"BOOL": truth}, st.booleans())
    | st.builds(lambda texts: {"SS": texts}, st.lists(TEXTS, min_size=1, max_size=3)),
    lambda inner: (
        st.builds(lambda each: {"L": each}, st.lists(inner, max_size=3))
        | st.builds(lambda each: {"M": each}, st.dictionaries(TEXTS, inner, max_size=3))
    ),
    max_leaves=5,
)
ITEMS = st.dictionaries(TEXTS, VALUES, max_size=4)
PUT = st.builds(lambda item: ("PutItem", {"TableName": "users", "Item": item}), ITEMS)
UPDATE = st.builds(
    lambda key, values, text: (
        "UpdateItem",
        {"TableName": "users", "Key": key, "UpdateExpression": text, "ExpressionAttributeValues": values},
    ),
    ITEMS,
    ITEMS,
    TEXTS,
)
BATCH = st.builds(
    lambda keys: ("BatchGetItem", {"RequestItems": {"users": {"Keys": keys, "ConsistentRead": True}}}),
    st.lists(ITEMS, min_size=1, max_size=3),
)
TRANSACTION = st.builds(
    lambda items, token: (
        "TransactWriteItems",
        {"TransactItems": [{"Put": {"TableName": "users", "Item": i}} for i in items], "ClientRequestToken": token},
    ),
    st.lists(ITEMS, min_size=1, max_size=3),
    st.from_regex("[a-z]{1,36}", fullmatch=True),
)
PARAMETER = st.builds(
    lambda name, value: ("PutParameter", {"Name": name, "Value": value, "Type": "SecureString", "Overwrite": False}),
    st.from_regex("/[a-z]{1,9}", fullmatch=True),
    TEXTS.filter(bool),
)
PATH = st.builds(lambda path: ("GetParametersByPath", {"Path": path, "Recursive": True}), st.from_regex("/[a-z]+"))
TOKENS = st.just("") | st.text(string.ascii_letters + "+/=", min_size=1, max_size=200)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[ScriptedAws, dict[str, Any]]]:
    with scripted_aws() as running:
        config = Config(retries={"total_max_attempts": 1})
        yield (
            running,
            {
                s: boto3.client(s, endpoint_url=running.environ["AWS_ENDPOINT_URL"], config=config)
                for s in ("dynamodb", "ssm")
            },
        )


@given(call=st.one_of(PUT, UPDATE, BATCH, TRANSACTION, PARAMETER, PATH), token=TOKENS, now=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_call_is_botocores_to_the_value_and_its_signature_too(
    both: tuple[ScriptedAws, dict[str, Any]], call: tuple[str, dict[str, Any]], token: str, now: int
) -> None:
    aws, clients = both
    operation, request = call
    service = "ssm" if "Parameter" in operation else "dynamodb"
    aws.requests.clear()
    environ = {**aws.environ, "AWS_SESSION_TOKEN": token}
    transport(aws, service, environ=environ, now=lambda: now)(operation, request)
    clients[service]._make_api_call(operation, request)
    ours, theirs = aws.requests
    assert json.loads(ours.body) == json.loads(theirs.body)
    for name in ("content-type", "host", "x-amz-target", "accept-encoding"):
        assert ours.headers[name] == theirs.headers[name]
    signed = ours.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"content-type", "host", "x-amz-date", "x-amz-target"} <= set(signed)
    assert ("x-amz-security-token" in signed) == bool(token)
    headers = {name: ours.headers[name] for name in signed}
    keys = ("AKIDEXAMPLE", "secret", token)
    assert ours.headers["authorization"] == by_botocore(headers, ours.body, keys, service, "eu-central-1")


def test_a_text_that_is_no_unicode_is_sent_to_nobody(aws: ScriptedAws) -> None:
    with pytest.raises(ValueError):
        transport(aws)("GetItem", {"TableName": "\ud800"})
    assert aws.requests == []


# What is believed
def test_calls_go_over_one_connection(aws: ScriptedAws) -> None:
    send = transport(aws)
    aws.steps[:] = [answer(members={"Item": {"n": {"N": str(number)}}}) for number in range(5)]
    assert [send("GetItem", GET)["Item"]["n"]["N"] for _ in range(5)] == ["0", "1", "2", "3", "4"]
    assert aws.connections == 1


def chunked(*chunks: bytes, trailer: bytes = b"") -> bytes:
    sizes = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + sizes + b"0\r\n" + trailer + b"\r\n"


BODY = json.dumps(ITEM).encode()
READABLE = {
    "whole": http(body=BODY),
    "with a checksum": http(body=BODY, x_amz_crc32=str(zlib.crc32(BODY))),
    "in chunks": chunked(BODY[:7], BODY[7:]),
    "in chunks with a trailer": chunked(BODY, trailer=b"x-checksum: 1\r\n"),
    "after a 100": b"HTTP/1.1 100 Continue\r\n\r\n" + http(body=BODY),
    "without a reason": http(body=BODY).replace(b"200 Any", b"200"),
    "of HTTP/1.0": http(body=BODY).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "and the end": http(body=BODY, Connection="close"),
    "with more behind it": http(body=BODY) + http(body=b'{"Item": {"pk": {"S": "of another call"}}}'),
}


@pytest.mark.parametrize("form", READABLE)
@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "a byte at a time"])
def test_an_answer_is_read_in_every_form_that_http_has_and_the_next_is_the_next(
    aws: ScriptedAws, form: str, bytewise: bool
) -> None:
    aws.steps[:] = [aws.drip(READABLE[form], pause=0) if bytewise else sent(READABLE[form]), answer(members={})]
    send = transport(aws)
    assert send("GetItem", GET) == ITEM
    assert send("GetItem", GET) == {}


MALFORMED = {
    "cut in the head": http(body=BODY)[:20],
    "cut in the body": http(body=BODY)[:-5],
    "cut in a chunk": chunked(BODY)[:-12],
    "cut before the last chunk": chunked(BODY)[: -len(b"0\r\n\r\n")],
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "of HTTP/2": http(body=BODY).replace(b"HTTP/1.1", b"HTTP/2"),
    "of no status": http(body=BODY).replace(b"200", b"+20"),
    "of a long status": http(body=BODY).replace(b"200", b"2000"),
    "of no length": http(body=BODY, Content_Length=""),
    "of two lengths": http(body=BODY, Content_length="2"),
    "of a length and in chunks": http(body=BODY, Transfer_Encoding="chunked"),
    "of a negative length": http(body=BODY, Content_Length="-1"),
    "of a length with a sign": http(body=BODY, Content_Length=f"+{len(BODY)}"),
    "of a length with an underscore": http(body=BODY, Content_Length="1_0"),
    "of a huge length": http(body=BODY, Content_Length="9" * 5000),
    "of more than is taken": http(body=BODY, Content_Length=str(9 * 2**20)),
    "in another coding": http(body=BODY, Transfer_Encoding="gzip, chunked", Content_Length=""),
    "a chunk of no size": chunked(BODY).replace(b"%x;" % len(BODY), b"0x%x;" % len(BODY)),
    "a chunk of a negative size": chunked(BODY).replace(b"%x;" % len(BODY), b"-1;"),
    "a chunk of a huge size": chunked(BODY).replace(b"%x;" % len(BODY), b"ffffffff;"),
    "a chunk of another size": chunked(BODY).replace(b"%x;" % len(BODY), b"3;"),
    "a folded header": http(body=BODY, X="1\r\n Content-Length: 2"),
    "a header with a space": http(body=BODY, Content_Length="").replace(b"\r\n\r\n", b"\r\nContent-Length : 9\r\n\r\n"),
    "a header without a name": http(body=BODY, X="1\r\n: 2"),
    "a header of no colon": http(body=BODY, X="1\r\nContent-Length"),
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 20_000,
    "a bare line feed in the status line": http(body=BODY).replace(b"200 Any", b"200 \nContent-Length: 2"),
    "a bare line feed behind a size": chunked(BODY).replace(b";ext=1", b";ext=\n"),
    "a bare line feed": http(body=BODY, X="1\nContent-Length: 2"),
}


@pytest.mark.parametrize("form", MALFORMED)
def test_what_is_cut_or_malformed_is_no_answer_and_nothing_more_is_read_from_there(aws: ScriptedAws, form: str) -> None:
    aws.steps[:] = [sent(MALFORMED[form], closed=True)] * 4
    send = transport(aws)
    with pytest.raises(TemporarilyUnavailable):
        send("GetItem", GET)
    assert aws.targets == ["GetItem"] * 4
    assert send("GetItem", GET) == {}
    assert aws.connections == 5


@given(st.binary(max_size=200) | st.integers(0, 400).map(lambda place: READABLE["in chunks with a trailer"][:place]))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_a_whole_answer_or_none(both: tuple[ScriptedAws, dict[str, Any]], data: bytes) -> None:
    aws, _ = both
    aws.steps[:] = [sent(data, closed=True)]
    send = transport(aws, seconds=Seconds(1, 1, 1), jitter=lambda: 0)
    assert send("GetItem", GET) in ({}, ITEM)
    aws.steps.clear()


def test_a_redirect_is_a_loud_refusal_and_not_followed(aws: ScriptedAws) -> None:
    aws.steps[:] = [sent(http(307, Location=f"http://127.0.0.1:{aws.port}/"))]
    with pytest.raises(AwsError, match="GetItem: 307"):
        transport(aws)("GetItem", GET)
    assert len(aws.requests) == 1


# What is tried again
def test_a_call_that_is_throttled_or_broken_is_sent_again_as_it_was(aws: ScriptedAws) -> None:
    waits: list[float] = []
    aws.steps[:] = [error("ThrottlingException"), answer(500), sent(b"", closed=True), answer(members=ITEM)]
    send = transport(aws, pause=waits.append, jitter=lambda: 0.5)
    assert send("GetItem", GET) == ITEM
    assert [request.body for request in aws.requests] == [aws.requests[0].body] * 4
    assert waits == [0.5, 0.025, 0.05]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (error("ThrottlingException"), "ThrottlingException"),
        (error("InternalServerError", 500), "InternalServerError"),
        (sent(http(503, b"<html>Service Unavailable</html>")), "503"),
        (sent(http(body=b"<html>")), "an answer that is no JSON object"),
        (answer(members=ITEM, x_amz_crc32="1"), "an answer of another CRC32"),
    ],
)
def test_what_goes_on_failing_is_temporarily_unavailable(aws: ScriptedAws, step: Step, reason: str) -> None:
    aws.steps[:] = [step] * 4
    with pytest.raises(TemporarilyUnavailable) as refusal:
        AwsClient(transport(aws)).call("GetItem", **GET)
    assert refusal.value.reason == reason
    assert len(aws.requests) == 4


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (error("ValidationException", message="no"), "ValidationException"),
        (error("AccessDeniedException"), "AccessDeniedException"),
        (sent(http(400, b"<html>Bad Request</html>")), "400"),
        (sent(http(413, b"")), "413"),
        (error("InvalidSignatureException"), "InvalidSignatureException"),
        (error("ExpiredTokenException"), "ExpiredTokenException"),
    ],
)
def test_a_fault_of_ours_is_loud_at_once(aws: ScriptedAws, step: Step, code: str) -> None:
    aws.steps[:] = [step]
    with pytest.raises(AwsError) as refusal:
        AwsClient(transport(aws)).call("GetItem", **GET)
    assert refusal.value.code == code
    assert len(aws.requests) == 1


def test_the_reasons_of_a_cancelled_transaction_come_with_their_items(aws: ScriptedAws) -> None:
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "no", "Item": ITEM["Item"]}]
    aws.steps[:] = [error("TransactionCanceledException", CancellationReasons=reasons)]
    with pytest.raises(AwsError) as refusal:
        transport(aws)("TransactWriteItems", {"TransactItems": []})
    assert refusal.value.reasons == reasons


def test_a_connection_that_died_while_idle_is_replaced_without_a_failure(aws: ScriptedAws) -> None:
    send = transport(aws)
    over = threading.Event()

    def then_close(sock: Any, _: Request) -> bool:
        sock.sendall(http(body=BODY))
        sock.shutdown(socket.SHUT_RDWR)
        over.set()
        return False

    for _ in range(3):
        aws.steps[:] = [then_close]
        assert send("GetItem", GET) == ITEM
        over.wait()
        over.clear()
    assert len(aws.requests) == 3


def test_what_comes_while_nobody_asks_is_the_answer_to_nothing(aws: ScriptedAws) -> None:
    send, late = transport(aws), threading.Event()

    def with_more(sock: Any, _: Request) -> bool:
        sock.sendall(http(body=BODY))
        late.wait()
        sock.sendall(http(body=b'{"Item": {"pk": {"S": "of nobody"}}}'))
        late.clear()
        return True

    aws.steps[:] = [with_more]
    assert send("GetItem", GET) == ITEM
    late.set()
    while late.is_set():
        pass
    assert send("GetItem", GET) == {}
    assert aws.connections == 2


def test_a_call_without_an_answer_is_given_up_in_time_and_its_connection_too(aws: ScriptedAws) -> None:
    aws.steps[:] = [aws.silent] * 9
    send = transport(aws, seconds=SHORT)
    with pytest.raises(Unanswered) as refusal:
        send("GetItem", GET)
    assert "TimeoutError" in refusal.value.reason
    assert 2 <= len(aws.requests) <= 3
    aws.steps.clear()
    assert send("GetItem", GET) == {}
    assert aws.connections == len(aws.requests)


def test_an_answer_that_comes_a_byte_at_a_time_does_not_prolong_a_call(aws: ScriptedAws) -> None:
    slowly = aws.drip(http(body=BODY), pause=0.05)  # some five seconds in all, and never long without a byte
    aws.steps[:] = [slowly] * 9
    with pytest.raises(Unanswered) as refusal:
        transport(aws, seconds=SHORT)("GetItem", GET)
    assert "TimeoutError" in refusal.value.reason


def test_a_wait_that_would_outlast_the_call_is_not_begun(aws: ScriptedAws) -> None:
    waits: list[float] = []
    aws.steps[:] = [error("ThrottlingException")] * 9
    with pytest.raises(AwsError, match="Throttling"):
        transport(aws, seconds=SHORT, pause=waits.append, jitter=lambda: 1.0)("GetItem", GET)
    assert waits == []


def test_where_nobody_listens_there_is_no_answer() -> None:
    with scripted_aws() as gone:
        environ = gone.environ
    with pytest.raises(Unanswered) as refusal:
        HttpTransport("dynamodb", trust=ssl.create_default_context, environ=environ, pause=lambda _: None)(
            "GetItem", GET
        )
    assert "ConnectionRefusedError" in refusal.value.reason


# Credentials and the clock
def test_credentials_that_have_changed_are_used_at_once(aws: ScriptedAws) -> None:
    environ = dict(aws.environ)
    send = transport(aws, environ=environ)
    send("GetItem", GET)
    environ.update(AWS_ACCESS_KEY_ID="AKIDNEW", AWS_SESSION_TOKEN="new")
    send("GetItem", GET)
    assert [request.credential for request in aws.requests] == ["AKIDEXAMPLE", "AKIDNEW"]


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
def test_credentials_that_were_refused_are_replaced_by_new_ones_of_the_environment_once(
    aws: ScriptedAws, code: str
) -> None:
    environ, refuse = dict(aws.environ), error(code)

    def while_they_are_replaced(sock: Any, request: Request) -> bool:
        environ["AWS_ACCESS_KEY_ID"] += "NEW"
        return refuse(sock, request)

    aws.steps[:] = [while_they_are_replaced]
    send = transport(aws, environ=environ)
    assert send("GetItem", GET) == {}
    assert [request.credential for request in aws.requests] == ["AKIDEXAMPLE", "AKIDEXAMPLENEW"]
    aws.steps[:] = [while_they_are_replaced] * 2
    with pytest.raises(AwsError, match=code):
        send("GetItem", GET)
    assert len(aws.requests) == 4


def test_a_clock_that_is_wrong_is_set_by_the_servers_date_once_and_stays_set(aws: ScriptedAws) -> None:
    skewed = error("InvalidSignatureException")
    date = "Fri, 15 Jan 2027 09:00:00 GMT"  # an hour after NOW
    early = answer(400, {"__type": "InvalidSignatureException"}, Date=date)
    aws.steps[:] = [early]
    send = transport(aws)
    assert send("PutItem", GET) == {}
    assert send("PutItem", GET) == {}
    dates = [request.headers["x-amz-date"] for request in aws.requests]
    assert dates == ["20270115T080000Z", "20270115T090000Z", "20270115T090000Z"]
    aws.steps[:] = [early, skewed]
    with pytest.raises(AwsError, match="InvalidSignature"):
        send("PutItem", GET)
    assert len(aws.requests) == 4


def test_a_call_that_was_under_way_when_another_set_the_clock_is_sent_again_too(aws: ScriptedAws) -> None:
    early = answer(400, {"__type": "InvalidSignatureException"}, Date="Fri, 15 Jan 2027 09:00:00 GMT")
    send = transport(aws, seconds=Seconds(5, 5, 5))

    def while_another_sets_it(sock: Any, request: Request) -> bool:
        send("GetItem", GET)
        return early(sock, request)

    aws.steps[:] = [while_another_sets_it, early, answer(), answer(members=ITEM)]
    assert send("GetItem", GET) == ITEM
    assert len(aws.requests) == 4


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 15 Jan 2027 08:03:00 GMT",
        "yesterday",
        "",
        "Fri, 99 Jan 2027 09:00:00 GMT",
        "Fri, 15 Jan 2027 09:00:00 +99999999999999999999",
    ],
)
def test_a_wrong_signature_while_the_clocks_agree_is_loud(aws: ScriptedAws, date: str) -> None:
    aws.steps[:] = [answer(400, {"__type": "InvalidSignatureException"}, Date=date)]
    with pytest.raises(AwsError, match="InvalidSignature"):
        transport(aws)("GetItem", GET)
    assert len(aws.requests) == 1


# Processes, threads and TLS
def test_a_process_that_was_forked_leaves_its_parents_connections_alone(
    aws: ScriptedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = transport(aws)
    send("GetItem", GET)
    monkeypatch.setattr("os.getpid", lambda: -1)
    send("GetItem", GET)
    send("GetItem", GET)
    assert [request.connection for request in aws.requests] == [1, 2, 2]


def test_threads_get_the_answers_to_their_own_calls(aws: ScriptedAws) -> None:
    aws.steps[:] = [echo] * 400
    send = transport(aws, seconds=Seconds(5, 5, 5))

    def ask(number: int) -> bool:
        return send("GetItem", {"TableName": str(number)}) == {"TableName": str(number)}

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(400)))
    assert aws.connections <= 8


@pytest.fixture
def certified(tmp_path: Path) -> Iterator[Internet]:
    """An authority that only this test's client trusts, and its certificate for localhost."""
    with internet.running(tmp_path, "localhost") as running:
        yield running


def over_tls(certified: Internet) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified.chain)
    return context


def test_calls_go_over_one_tls_connection_to_a_server_that_its_authority_vouches_for(certified: Internet) -> None:
    with scripted_aws(over_tls(certified)) as aws:
        environ = {**aws.environ, "AWS_ENDPOINT_URL": f"https://localhost:{aws.port}"}
        aws.steps[:] = [answer(members=ITEM)] * 6
        for send in (
            transport(aws, environ=environ, trust=lambda: certified.trust),
            transport(aws, environ={**environ, "AWS_CA_BUNDLE": str(certified.authority)}),
        ):
            assert [send("GetItem", GET) for _ in range(3)] == [ITEM] * 3
        assert len({request.connection for request in aws.requests}) == 2
        assert aws.requests[0].headers["host"] == f"localhost:{aws.port}"


def test_what_comes_over_tls_behind_an_answer_is_the_answer_to_nothing(certified: Internet) -> None:
    both_sent = threading.Event()

    def two_records(sock: Any, _: Request) -> bool:
        sock.sendall(http(body=BODY))
        sock.sendall(http(body=b'{"Item": {"pk": {"S": "of nobody"}}}'))
        both_sent.set()
        return True

    with scripted_aws(over_tls(certified)) as aws:
        environ = {**aws.environ, "AWS_ENDPOINT_URL": f"https://localhost:{aws.port}"}
        send = transport(aws, environ=environ, trust=lambda: certified.trust)
        aws.steps[:] = [two_records]
        assert send("GetItem", GET) == ITEM
        both_sent.wait()
        assert send("GetItem", GET) == {}


@pytest.mark.parametrize(("host", "trusted"), [("127.0.0.1", True), ("localhost", False)])
def test_a_server_of_another_name_or_authority_is_told_nothing(certified: Internet, host: str, trusted: bool) -> None:
    with scripted_aws(over_tls(certified)) as aws:
        environ = {**aws.environ, "AWS_ENDPOINT_URL": f"https://{host}:{aws.port}"}
        trust = (lambda: certified.trust) if trusted else ssl.create_default_context
        with pytest.raises(Unanswered) as refusal:
            transport(aws, environ=environ, trust=trust)("GetItem", GET)
        assert "CERTIFICATE_VERIFY_FAILED" in refusal.value.reason
        assert aws.requests == []
