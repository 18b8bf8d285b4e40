"""What the tests of this room share: Latchkey on a port, for the length of a module."""

from collections.abc import Iterator

import pytest

from tests.interop.served import Served, latchkey


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Have a server whose tokens are signed with the module's ALGORITHM."""
    with latchkey(request.module.ALGORITHM, tmp_path_factory.mktemp("served")) as running:
        yield running
