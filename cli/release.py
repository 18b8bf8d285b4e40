"""`make release VERSION=1.2.3`: what is unreleased in the changelog becomes the entry of that version, dated today."""

import argparse
import re
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from deploy.stages import PROJECT

# A first release may have its number before its date; afterwards what is unreleased has none yet.
UNRELEASED = re.compile(r"^## \[(?:Unreleased\]|[0-9.]+\] - unreleased)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
NUMBERED = re.compile(r"^## \[(\d+)\.(\d+)\.(\d+)\] - \d", re.MULTILINE)
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)
SET = re.compile(r'^__version__ = ".*"$', re.MULTILINE)


class CannotReleaseError(Exception):
    """No release can be made of it; the message says why."""


def entry(changelog: str, version: str, day: date) -> str:
    """The changelog with what is unreleased as the entry of a version; raises CannotReleaseError."""
    if not VERSION.fullmatch(version):
        raise CannotReleaseError(f"{version!r} is no version: give VERSION=1.2.3, three numbers.")
    newest = NUMBERED.search(changelog)
    if newest and tuple(map(int, version.split("."))) <= tuple(map(int, newest.groups())):
        raise CannotReleaseError(f"{version} does not come after {'.'.join(newest.groups())}, the newest release.")
    unreleased = UNRELEASED.search(changelog)
    if not unreleased or not unreleased[1].strip():
        raise CannotReleaseError("Nothing is unreleased: the changelog has no lines under [Unreleased].")
    made = f"## [Unreleased]\n\n## [{version}] - {day.isoformat()}\n{unreleased[1]}"
    return changelog[: unreleased.start()] + made + changelog[unreleased.end() :]


def release(root: Path, version: str, day: date) -> None:
    """Writes the entry and the version into a checkout, or raises CannotReleaseError and writes nothing."""
    changelog, package = root / "CHANGELOG.md", root / "chalicelib" / "__init__.py"
    made = entry(changelog.read_text(), version, day)
    changelog.write_text(made)
    package.write_text(SET.sub(f'__version__ = "{version}"', package.read_text()))


def main(arguments: list[str] | None = None, root: Path = PROJECT) -> None:
    """The command; it writes two files and leaves commit and tag to who called it."""
    parser = argparse.ArgumentParser(prog="make release VERSION=1.2.3", description=__doc__)
    parser.add_argument("version", nargs="?", default="")
    version = parser.parse_args(arguments).version
    try:
        release(root, version, datetime.now(UTC).date())
    except CannotReleaseError as error:
        sys.exit(str(error))
    print(f"CHANGELOG.md and chalicelib/__init__.py say {version}. Look at them, then:")
    print(f"git commit -a -m 'Release {version}' && git tag v{version}")


if __name__ == "__main__":
    main()
