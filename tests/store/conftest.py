"""The engines that the store's tests run on."""

import logging
from collections.abc import Iterator

import pytest

from local import aws as embedded


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where an atomic engine answers, and to which key."""
    with embedded.running(state=tmp_path_factory.mktemp("aws")) as running:
        here = running.environment()
        yield {
            "endpoint_url": here["AWS_ENDPOINT_URL"],
            "aws_access_key_id": here["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": here["AWS_SECRET_ACCESS_KEY"],
        }


@pytest.fixture(scope="session")
def served_moto(aws: None) -> Iterator[dict[str, str]]:  # noqa: ARG001 - its calls are made one after the other
    """Where moto answers over HTTP, and to which key: to any."""
    import boto3
    from moto.server import ThreadedMotoServer

    boto3.client("ssm").get_parameters_by_path(Path="/")  # its first call reads files for seconds, longer than we wait
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a call, which nobody reads, is a tenth of the call
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "endpoint_url": f"http://{host}:{port}",
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
    }
    server.stop()
