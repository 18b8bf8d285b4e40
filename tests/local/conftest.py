"""What the tests of this room share: one embedded AWS, each test writing under its own names."""

from collections.abc import Iterator

import pytest

from local import aws


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[aws.EmbeddedAws]:
    """Have an embedded AWS on a free port until the session ends."""
    with aws.running(state=tmp_path_factory.mktemp("cloud")) as running:
        yield running
