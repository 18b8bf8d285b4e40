"""Whatever comes as an answer is read as what it says, or is no answer, or is a loud refusal: never anything else."""

import gzip
import json
import zlib
from contextlib import suppress
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import JSONParser
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.store.aws.answers import Unanswered, decode
from chalicelib.store.aws.client import AwsError
from chalicelib.store.aws.connection import MAX_BODY, Response

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)
STATUSES = st.integers(100, 599)


def response(status: int, body: bytes, **headers: str) -> Response:
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def crc(body: bytes) -> str:
    return str(zlib.crc32(body))


@given(OBJECTS)
def test_an_answer_is_its_members(members: dict[str, Any]) -> None:
    body = json.dumps(members).encode()
    assert decode("GetItem", response(200, body)) == members
    assert decode("GetItem", response(200, body, x_amz_crc32=crc(body), content_encoding="identity")) == members


@given(OBJECTS)
def test_an_answer_in_gzip_is_its_members_and_the_checksum_is_of_what_was_sent(members: dict[str, Any]) -> None:
    body = gzip.compress(json.dumps(members).encode())
    assert decode("GetItem", response(200, body, x_amz_crc32=crc(body), content_encoding="gzip")) == members


@given(STATUSES, st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_under_any_status_are_an_object_or_no_answer_or_a_refusal(status: int, body: bytes) -> None:
    if status == 200:
        with suppress(Unanswered):
            assert decode("GetItem", response(status, body)) == json.loads(body)
    else:
        with pytest.raises((AwsError, Unanswered)):
            decode("GetItem", response(status, body))


@given(OBJECTS, st.integers(0, 2**31), st.booleans())
def test_a_body_that_differs_in_one_bit_from_what_its_checksum_says_is_no_answer(
    members: dict[str, Any], bit: int, refused: bool
) -> None:
    body = json.dumps(members).encode()
    damaged = bytearray(body)
    damaged[bit // 8 % len(body)] ^= 1 << bit % 8
    with pytest.raises(Unanswered):
        decode("GetItem", response(400 if refused else 200, bytes(damaged), x_amz_crc32=crc(body)))


@pytest.mark.parametrize(
    "checksum", ["", "x", "-1", "9" * 5000, f"0{zlib.crc32(b'{}')}", f"{crc(b'{}')}, {crc(b'{}')}"]
)
def test_a_checksum_that_is_none_is_no_answer(checksum: str) -> None:
    with pytest.raises(Unanswered):
        decode("GetItem", response(200, b"{}", x_amz_crc32=checksum))


WHOLE = gzip.compress(b'{"Item": {}}', mtime=0)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        pytest.param("gzip", WHOLE[:-1], id="cut"),
        pytest.param("gzip", WHOLE[:-9], id="cut in the text"),
        pytest.param("gzip", WHOLE + b"x", id="with more"),
        pytest.param("gzip", WHOLE + WHOLE, id="twice"),
        pytest.param("gzip", b'{"Item": {}}', id="plain"),
        pytest.param("gzip", b"", id="empty"),
        pytest.param("gzip", gzip.compress(b" " * (MAX_BODY + 1) + b"{}", mtime=0), id="a bomb"),
        pytest.param("br", WHOLE, id="another"),
        pytest.param("gzip, gzip", WHOLE, id="two"),
    ],
)
def test_a_coding_that_is_unknown_or_cut_or_a_bomb_is_no_answer(coding: str, body: bytes) -> None:
    with pytest.raises(Unanswered):
        decode("GetItem", response(200, body, content_encoding=coding))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"Item"',
        b"{",
        b'{"Item": {}',
        b'{"Item": NaN}',
        b"\xff{}",
        b"{}{}",
        b"[" * 100_000,
        b'{"a":' * 9999,
    ],
)
def test_a_body_that_is_no_json_object_is_no_answer(body: bytes) -> None:
    with pytest.raises(Unanswered):
        decode("GetItem", response(200, body))


PARSER = JSONParser()
MODEL = ServiceModel(Loader().load_service_model("dynamodb", "service-2"), "dynamodb")
CODES = st.sampled_from(["ConditionalCheckFailedException", "ThrottlingException", "ValidationException", "Odd"])
TYPES = st.one_of(
    CODES,
    CODES.map(lambda code: f"com.amazonaws.dynamodb.v20120810#{code}"),
    CODES.map(lambda code: f"com.amazon.coral.service#{code}"),
    CODES.map(lambda code: f"{code}:http://internal.amazon.com/coral/com.amazon.coral.validate/"),
)
ITEMS = st.dictionaries(st.sampled_from(["pk", "sk", "n"]), st.fixed_dictionaries({"S": st.text()}))


@given(TYPES, st.text(), ITEMS, st.sampled_from([400, 413, 500, 503]), st.sampled_from(["message", "Message"]))
def test_a_refusal_has_the_code_the_message_and_the_item_that_botocore_reads(
    kind: str, message: str, item: dict[str, Any], status: int, member: str
) -> None:
    body = json.dumps({"__type": kind, member: message, "Item": item}).encode()
    shape = MODEL.operation_model("PutItem").output_shape
    assert shape is not None
    expected = PARSER.parse({"headers": {}, "body": body, "status_code": status}, shape)
    with pytest.raises(AwsError) as refusal:
        decode("PutItem", response(status, body))
    assert refusal.value.code == expected["Error"]["Code"]
    first_line = expected["Error"]["Message"].partition("\n")[0]
    assert str(refusal.value) == f"PutItem: {expected['Error']['Code']}: {first_line}"
    assert (refusal.value.item, refusal.value.status) == (item, status)


def test_a_wrong_signature_is_told_without_what_aws_says_was_to_be_signed() -> None:
    text = "The signature does not match.\n\nThe Canonical String for this request should have been\n'POST"
    members = {"__type": "InvalidSignatureException", "message": f"{text}\nx-amz-security-token:secret'"}
    with pytest.raises(AwsError) as refusal:
        decode("GetItem", response(400, json.dumps(members).encode()))
    assert str(refusal.value) == "GetItem: InvalidSignatureException: The signature does not match."


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b'{"code": "Odd"}', {}, "Odd"),
        (b"{}", {"x_amzn_errortype": "Odd:http://internal.amazon.com/"}, "Odd"),
        (b"<html>Too large</html>", {}, "413"),
        (b'{"__type": ""}', {}, "413"),
        (b'{"__type": 7}', {}, "7"),
    ],
)
def test_the_code_of_a_refusal_is_in_one_of_three_places_or_is_its_status(
    body: bytes, headers: dict[str, str], code: str
) -> None:
    with pytest.raises(AwsError) as refusal:
        decode("GetItem", response(413, body, **headers))
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "members",
    [
        {"Item": []},
        {"Item": "x"},
        {"CancellationReasons": {"a": 1}},
        {"CancellationReasons": ["None"]},
        {"CancellationReasons": 1},
    ],
)
def test_a_refusal_whose_item_or_reasons_are_none_is_no_answer(members: dict[str, Any]) -> None:
    body = json.dumps({"__type": "ConditionalCheckFailedException", **members}).encode()
    with pytest.raises(Unanswered):
        decode("PutItem", response(400, body))
