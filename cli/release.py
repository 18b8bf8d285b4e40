"""`make release VERSION=1.2.3`: what is unreleased in the changelog becomes the entry of that version, dated today."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import click

from cli.errors import CannotRunError
from deploy.stages import PROJECT

# A first release may have its number before its date; afterwards what is unreleased has none yet.
UNRELEASED = re.compile(r"^## \[(?:Unreleased\]|[0-9.]+\] - unreleased)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
NUMBERED = re.compile(r"^## \[(\d+)\.(\d+)\.(\d+)\] - \d", re.MULTILINE)
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)
SET = re.compile(r'^__version__ = ".*"$', re.MULTILINE)


def entry(changelog: str, version: str, day: date) -> str:
    """The changelog with what is unreleased as the entry of a version; raises CannotRunError."""
    if not VERSION.fullmatch(version):
        raise CannotRunError(f"{version!r} is no version: give VERSION=1.2.3, three numbers.")
    newest = NUMBERED.search(changelog)
    if newest and tuple(map(int, version.split("."))) <= tuple(map(int, newest.groups())):
        raise CannotRunError(f"{version} does not come after {'.'.join(newest.groups())}, the newest release.")
    unreleased = UNRELEASED.search(changelog)
    if not unreleased or not unreleased[1].strip():
        raise CannotRunError("Nothing is unreleased: the changelog has no lines under [Unreleased].")
    text = f"## [Unreleased]\n\n## [{version}] - {day.isoformat()}\n{unreleased[1]}"
    return changelog[: unreleased.start()] + text + changelog[unreleased.end() :]


def release(root: Path, version: str, day: date) -> None:
    """Writes the entry and the version into a checkout, or raises CannotRunError and writes nothing."""
    changelog, package = root / "CHANGELOG.md", root / "chalicelib" / "__init__.py"
    text = entry(changelog.read_text(), version, day)
    changelog.write_text(text)
    package.write_text(SET.sub(f'__version__ = "{version}"', package.read_text()))


@click.command("release")
@click.argument("version", default="")
def command(version: str) -> None:
    """Date the unreleased entry of the changelog and set the version.

    It writes two files and leaves commit and tag to who called it.
    """
    release(click.get_current_context().find_object(Path) or PROJECT, version, datetime.now(UTC).date())
    print(f"CHANGELOG.md and chalicelib/__init__.py say {version}. Look at them, then:")
    print(f"git commit -a -m 'Release {version}' && git tag v{version}")
