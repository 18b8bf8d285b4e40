"""The renderer of /docs, for who asks for it: Swagger UI, as the pinned and hashed requirements-docs.txt brings it."""

import importlib.util
import shutil
from pathlib import Path

from chalicelib.config import WrongSetting
from chalicelib.config.reference import RENDERER

SETTING = "LATCHKEY_REFERENCE"
PACKAGE = "drf_spectacular_sidecar"
LICENCE = "swagger-ui-bundle.js.LICENSE.txt"
FOLDER = "static/drf_spectacular_sidecar/swagger-ui-dist"


def installed() -> Path | None:
    """The folder of the renderer's files in this environment; None where they are not installed."""
    # Without an import, for the package's own modules want Django.
    spec = importlib.util.find_spec(PACKAGE)
    folders = [Path(place) / FOLDER for place in (spec.submodule_search_locations or ())] if spec else []
    return next((folder for folder in folders if all((folder / name).is_file() for name in RENDERER)), None)


def settings_here(client_id: str) -> dict[str, str]:
    """The settings by which a developer's machine has the renderer, as far as it is installed."""
    return {SETTING: str(installed() or "off"), f"{SETTING}_CLIENT": client_id}


def ship(chalicelib: Path) -> None:
    """Put the renderer's files into a copy of the package, where the setting `on` has them looked for."""
    folder = installed()
    if folder is None:
        raise WrongSetting(f"{SETTING}=on needs what requirements-docs.txt names: install it, or say off")
    target = chalicelib / "reference"
    target.mkdir()
    for name in (*RENDERER, LICENCE):
        shutil.copyfile(folder / name, target / name)
