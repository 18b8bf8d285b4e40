"""Signatures against AWS's own test suite, and against botocore's."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.store.aws.credentials import Credentials
from chalicelib.store.aws.signature import Signer
from tests.support.signatures import by_botocore

# The values are those of the AWS Signature Version 4 Test Suite, as botocore's repository has it.
SUITE = json.loads((Path(__file__).parent / "sigv4_vectors.json").read_text())


@pytest.mark.parametrize("name", SUITE["requests"])
def test_the_requests_of_awss_test_suite_have_its_signatures(name: str) -> None:
    request = SUITE["requests"][name]
    headers = {name.lower(): value for name, value in request["headers"]}
    signer = Signer(SUITE["service"], SUITE["region"])
    credentials = Credentials(SUITE["access_key"], SUITE["secret_key"])
    assert signer.authorization(headers, request["body"].encode(), credentials) == request["authorization"]


KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
DATES = st.datetimes().map(lambda moment: f"{moment:%Y%m%dT%H%M%SZ}".rjust(16, "0"))


@given(
    body=st.binary(max_size=300),
    keys=st.lists(st.tuples(KEYS, KEYS, st.just("") | KEYS), min_size=1, max_size=3),
    dates=st.lists(DATES, min_size=1, max_size=3),
    operation=st.from_regex("[A-Z][A-Za-z]{1,20}", fullmatch=True),
    service=st.sampled_from(["dynamodb", "ssm"]),
    region=st.sampled_from(["eu-central-1", "cn-north-1", "us-gov-west-1"]),
)
def test_a_signature_is_botocores_whatever_was_signed_before(
    body: bytes, keys: list[tuple[str, str, str]], dates: list[str], operation: str, service: str, region: str
) -> None:
    signer = Signer(service, region)
    for access_key, secret_key, token in keys:
        for date in dates:
            headers = {
                "host": f"{service}.{region}.amazonaws.com",
                "content-type": "application/x-amz-json-1.0",
                "x-amz-date": date,
                "x-amz-target": f"X.{operation}",
                **({"x-amz-security-token": token} if token else {}),
            }
            expected = by_botocore(headers, body, (access_key, secret_key, token), service, region)
            assert signer.authorization(headers, body, Credentials(access_key, secret_key, token)) == expected
