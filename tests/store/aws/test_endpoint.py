from typing import Any

import boto3
import pytest
from botocore.exceptions import NoRegionError
from botocore.loaders import Loader

from chalicelib.store.aws.endpoint import Endpoint, endpoint, parse, suffix

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
PARTITIONS = Loader().load_data("partitions")["partitions"]


def environ(**more: str) -> dict[str, str]:
    return {**KEYS, "AWS_DEFAULT_REGION": "eu-central-1", **more}


def test_the_names_of_every_region_end_as_botocore_has_it() -> None:
    ends = {
        region: each["outputs"]["dnsSuffix"]
        for each in PARTITIONS
        for region in each["regions"]
        if "global" not in region
    }
    assert len(ends) > 40
    assert {region: suffix(region) for region in ends} == ends


@pytest.mark.parametrize("region", ["eu-central-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1"])
@pytest.mark.parametrize("service", ["dynamodb", "ssm"])
def test_the_endpoint_of_each_partition_is_the_one_that_botocores_client_has(service: Any, region: str) -> None:
    client = boto3.client(service, region_name=region, aws_access_key_id="x", aws_secret_access_key="x")
    url = client.meta.endpoint_url
    assert f"https://{endpoint(service, environ(AWS_DEFAULT_REGION=region)).authority}" == url


def test_an_endpoint_of_the_environment_is_taken_and_the_services_own_first() -> None:
    general = environ(AWS_ENDPOINT_URL="http://127.0.0.1:4566")
    own = {**general, "AWS_ENDPOINT_URL_SSM": "https://ssm.example/"}
    assert endpoint("dynamodb", own) == Endpoint("eu-central-1", False, "127.0.0.1", 4566, "127.0.0.1:4566")
    assert endpoint("ssm", own) == Endpoint("eu-central-1", True, "ssm.example", 443, "ssm.example")


def test_an_address_of_ipv6_is_in_brackets_where_a_name_would_be() -> None:
    assert parse("http://[::1]:8000", "eu-central-1") == Endpoint("eu-central-1", False, "::1", 8000, "[::1]:8000")


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://x", "https://", "x", "http://x:y", "http://x:99999", "http://x/path", "http://user@x"),
        *("http://x?y", "http://x/#y", "http://x y", "http://x\x00", "http://\xe9.example"),
    ],
)
def test_what_is_no_endpoint_is_refused_loudly(url: str) -> None:
    with pytest.raises(ValueError):
        parse(url, "eu-central-1")


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("AWS_USE_FIPS_ENDPOINT", "dynamodb-fips.us-east-1.amazonaws.com"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "dynamodb.us-east-1.api.aws"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "dynamodb.us-east-1.amazonaws.com"),
    ],
)
def test_endpoints_that_only_botocore_knows_are_left_to_it(
    monkeypatch: pytest.MonkeyPatch, name: str, host: str
) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv(name, "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    if "IGNORE" in name:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert endpoint("dynamodb").authority == host


@pytest.mark.parametrize("region", ["evil.example/#", "evil.example?", "evil.example/", "x@evil.example", "x\x00"])
def test_a_region_that_leads_to_another_host_is_refused_loudly(region: str) -> None:
    with pytest.raises(ValueError):
        endpoint("dynamodb", environ(AWS_DEFAULT_REGION=region))


def test_without_a_region_anywhere_it_fails_as_botocore_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(NoRegionError):
        endpoint("dynamodb")
