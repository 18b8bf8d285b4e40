"""A Django project on loopback for the libraries that are configured in its settings."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.served import free_port
from tests.products.product import Product

COMMON = Path(__file__).parent / "django"


@contextmanager
def serving(product: Product, here: Path, **metadata: str) -> Iterator[str]:
    """Serves the project of a folder with the recipe's settings beside it; gives its URL."""
    python = product.python(COMMON / "requirements.txt")
    url = f"http://localhost:{free_port()}"
    product.connect(url, **metadata).write(product.folder)
    for file in (COMMON / "common.py", here / "project.py", here / "urls.py"):
        shutil.copy(file, product.folder)
    (product.folder / "db.sqlite3").unlink(missing_ok=True)
    manage = [str(python), "-m", "django"]
    environment = {"DJANGO_SETTINGS_MODULE": "project", "PYTHONPATH": str(product.folder)}
    subprocess.run([*manage, "migrate", "-v0"], cwd=product.folder, env=environment, check=True)
    serve = [*manage, "runserver", "--noreload", url.removeprefix("http://")]
    with product.running(serve, ready=url, env=environment):
        yield url
