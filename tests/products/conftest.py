"""What the tests of all products share: a Latchkey on a port, and the product by its folder's name."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import recipes
from tests.interop.served import latchkey
from tests.products.product import Product

ROOM = Path(__file__).parent
BUILD = ROOM.parents[1] / "build" / "products"
IN_EVERY_RUN = {"node", "npm"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to `make products` what needs more than Python and Node, or more than its share of two minutes."""
    if os.environ.get("PRODUCTS") == "all":
        return
    left_out = [item for item in items if str(item.path).startswith(f"{ROOM}/") and not _in_every_run(item)]
    gone = {id(item) for item in left_out}
    items[:] = [item for item in items if id(item) not in gone]
    config.hook.pytest_deselected(items=left_out)


def _in_every_run(item: pytest.Item) -> bool:
    module = item.getparent(pytest.Module)
    assert module
    return set(module.obj.NEEDS) <= IN_EVERY_RUN and not getattr(module.obj, "LONG", False)


@pytest.fixture(scope="module")
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Have a module's product, connected to a server whose tokens are signed with the module's ALGORITHM."""
    module = request.module
    missing = [program for program in module.NEEDS if not shutil.which(program)]
    if missing:
        pytest.skip(f"not installed here: {', '.join(missing)}")
    name = getattr(module, "RECIPE", Path(module.__file__).parent.name.replace("_", "-"))
    folder = BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    settings = getattr(module, "SETTINGS", {})
    with latchkey(getattr(module, "ALGORITHM", "RS256"), tmp_path_factory.mktemp("served"), **settings) as served:
        yield Product(recipes.read(name), served, folder)
