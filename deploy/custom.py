"""What an operator brings of their own: a folder that is no part of the project, checked and shipped with it."""

import shutil
from pathlib import Path

from chalicelib.config.custom import CLAIMS_FILE, HOOKS_FILE
from deploy import texts
from deploy.errors import CannotDeployError
from deploy.stages import PROJECT

TEXTS = "texts"
VARIABLE = "LATCHKEY_CUSTOM_FOLDER"
NEVER_SHIPS = shutil.ignore_patterns("__pycache__", ".*", "*.orig", "*.rej", "*~", "*.md")


def folder(project: Path = PROJECT) -> Path:
    """Where it is in a checkout; git passes it over, so that an upgrade does."""
    return project / "custom"


def check(project: Path = PROJECT) -> list[str]:
    """Say what texts are missing; raise CannotDeployError for hooks and texts that are wrong.

    The claims are checked where settings are read.
    """
    file = folder(project) / HOOKS_FILE
    if file.is_file():
        _check_hooks(file)
    return texts.check(folder(project) / TEXTS)


def _check_hooks(file: Path) -> None:
    from chalicelib.flows.platform.hooks import WrongHooks, load  # with them come all flows, and few have hooks

    try:
        load(str(file))
    except WrongHooks as error:
        raise CannotDeployError(f"{file} cannot be used: {error}") from None


def copy(project: Path, package: Path) -> None:
    """Put the folder into the package, if there is one."""
    if folder(project).is_dir():
        shutil.copytree(folder(project), package / "custom", ignore=NEVER_SHIPS)


def environment(project: Path = PROJECT) -> dict[str, str]:
    """What has a function on this machine look there."""
    files = (folder(project) / name for name in (HOOKS_FILE, CLAIMS_FILE, TEXTS))
    return {VARIABLE: str(folder(project))} if any(file.exists() for file in files) else {}
