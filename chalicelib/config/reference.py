"""What /docs has for people who read the API's description."""

from collections.abc import Mapping
from typing import Any

from . import values
from .apis import PACKAGE

SHIPPED = f"{PACKAGE}/reference"
# The renderer's files, as its distribution has them.
RENDERER = ("swagger-ui-bundle.js", "swagger-ui.css")
CLIENT = (r"[!-~]*", "the id of a client")


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """The folder of the renderer's files: that of the package, or one on a developer's machine; "" where there is none."""
    reference = values.text(
        environ, "LATCHKEY_REFERENCE", r"(on|off|/\S.*)?", "on, off or, on a developer's machine, a folder"
    )
    return {
        "reference": {"on": SHIPPED, "off": ""}.get(reference, reference),
        "reference_client": values.text(environ, "LATCHKEY_REFERENCE_CLIENT", *CLIENT),
    }
