"""The embedded AWS: what the keys and the tables rely on, and that it comes and goes cleanly."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from deploy import local_state
from local import aws

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


@contextmanager
def ssm(cloud: aws.EmbeddedAws) -> Iterator["SSMClient"]:
    client = boto3.client(
        "ssm",
        endpoint_url=cloud.endpoint,
        region_name=aws.REGION,
        aws_access_key_id=cloud.environment()["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=cloud.environment()["AWS_SECRET_ACCESS_KEY"],
        config=Config(max_pool_connections=16, retries={"max_attempts": 0}),
    )
    try:
        yield client
    finally:
        client.close()


def put(client: "SSMClient", name: str, value: str) -> bool:
    try:
        client.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=False)
    except client.exceptions.ParameterAlreadyExists:
        return False
    return True


def test_of_sixteen_that_create_one_parameter_at_once_exactly_one_wins_and_its_value_stays(
    cloud: aws.EmbeddedAws,
) -> None:
    start = threading.Barrier(16)
    won: list[str] = []

    def create(value: str) -> None:
        start.wait()
        if put(client, "/race/1", value):
            won.append(value)

    with ssm(cloud) as client:
        threads = [threading.Thread(target=create, args=(str(number),)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stored = client.get_parameter(Name="/race/1", WithDecryption=True)["Parameter"]["Value"]

    assert won == [stored]


def test_parameters_survive_a_clean_restart_and_still_cannot_be_created_again(tmp_path: Path) -> None:
    with aws.running(state=tmp_path) as first, ssm(first) as client:
        assert put(client, "/keys/signing/1", "secret")

    with aws.running(state=tmp_path) as second, ssm(second) as client:
        assert not put(client, "/keys/signing/1", "other")
        parameters = client.get_parameters_by_path(Path="/keys", Recursive=True, WithDecryption=True)["Parameters"]

    assert [(each["Name"], each["Value"]) for each in parameters] == [("/keys/signing/1", "secret")]


def test_a_taken_port_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(aws.CannotStart, match=rf"^port {port} of 127.0.0.1 is taken$"):
            aws.start(state=tmp_path, port=port)


def test_it_stops_cleanly_by_itself_when_whoever_started_it_is_gone(tmp_path: Path) -> None:
    cloud = aws.start(state=tmp_path)
    try:
        with ssm(cloud) as client:
            put(client, "/keys/signing/1", "secret")
        assert cloud.process is not None
        assert cloud.process.stdin is not None
        cloud.process.stdin.close()
        assert cloud.process.wait(aws.STOP_SECONDS) == 0
    finally:
        cloud.stop()
    assert "secret" in (tmp_path / "ssm.json").read_text()


def test_two_checkouts_have_two_state_folders_outside_both(tmp_path: Path) -> None:
    one, other = local_state.state_folder(tmp_path / "one"), local_state.state_folder(tmp_path / "other")
    assert one != other
    assert not one.is_relative_to(tmp_path)
