"""The engines that the store's tests run on."""

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
