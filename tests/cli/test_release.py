"""`make release`: the changelog's unreleased lines become an entry, and the version is said in one place."""

import re
import shutil
from datetime import date
from pathlib import Path

import pytest

import chalicelib
from chalicelib.web.metadata import openapi
from cli import release
from cli.errors import CannotRunError
from deploy.stages import PROJECT
from tests.support.commands import run

DAY = date(2031, 2, 3)
TOP = "# Changelog\n\n"
FIRST = TOP + "## [0.1.0] - unreleased\n\n### Added\n\n- A door.\n"
RELEASED = TOP + "## [Unreleased]\n\n## [0.1.0] - 2031-02-03\n\n### Added\n\n- A door.\n"
LATER = RELEASED.replace("## [Unreleased]\n", "## [Unreleased]\n\n### Fixed\n\n- A hinge.\n")


def test_the_changelog_s_newest_entry_is_of_the_version_that_the_package_says() -> None:
    newest = re.findall(r"^## \[(\d.*?)\]", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert newest == chalicelib.__version__


def test_the_openapi_document_says_the_version_of_the_package_which_stands_in_one_place() -> None:
    assert openapi.document("https://auth.example", [])["info"]["version"] == chalicelib.__version__
    files = [path for path in PROJECT.glob("chalicelib/**/*.py") if f'"{chalicelib.__version__}"' in path.read_text()]
    assert files == [PROJECT / "chalicelib" / "__init__.py"]


def test_the_first_release_dates_the_entry_that_waits_for_it() -> None:
    assert release.entry(FIRST, "0.1.0", DAY) == RELEASED


def test_a_later_release_stands_above_the_ones_before_and_leaves_them_as_they_are() -> None:
    assert release.entry(LATER, "0.1.1", date(2031, 3, 4)) == RELEASED.replace(
        "## [Unreleased]\n", "## [Unreleased]\n\n## [0.1.1] - 2031-03-04\n\n### Fixed\n\n- A hinge.\n"
    )


@pytest.mark.parametrize("version", ["", "1", "1.2", "v1.2.3", "1.2.3-rc1", "01.2.3", "1.2.3\n", "1.2.٣"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(CannotRunError, match="is no version"):
        release.entry(FIRST, version, DAY)


@pytest.mark.parametrize("version", ["0.1.0", "0.0.9", "0.0.10"])
def test_a_version_that_does_not_come_after_the_newest_release_is_refused(version: str) -> None:
    with pytest.raises(CannotRunError, match=r"does not come after 0\.1\.0"):
        release.entry(LATER, version, DAY)


@pytest.mark.parametrize("changelog", [RELEASED, RELEASED.replace("## [Unreleased]\n\n", ""), TOP])
def test_there_is_no_release_of_nothing(changelog: str) -> None:
    with pytest.raises(CannotRunError, match="Nothing is unreleased"):
        release.entry(changelog, "0.2.0", DAY)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "chalicelib").mkdir()
    shutil.copy(PROJECT / "chalicelib" / "__init__.py", tmp_path / "chalicelib")
    (tmp_path / "CHANGELOG.md").write_text(LATER)
    return tmp_path


def test_the_command_writes_the_entry_and_the_version(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (checkout / "chalicelib" / "__init__.py").read_text()
    run("release", "12.0.3", on=checkout)
    assert "## [Unreleased]\n\n## [12.0.3] - 2" in (checkout / "CHANGELOG.md").read_text()
    after = (checkout / "chalicelib" / "__init__.py").read_text()
    assert after == before.replace(f'"{chalicelib.__version__}"', '"12.0.3"')
    assert "git tag v12.0.3" in capsys.readouterr().out


def test_a_refused_release_writes_nothing_and_says_why_in_one_line(checkout: Path) -> None:
    before = [path.read_text() for path in sorted(checkout.rglob("*.*")) if path.is_file()]
    with pytest.raises(SystemExit) as refused:
        run("release", on=checkout)
    assert str(refused.value) == "'' is no version: give VERSION=1.2.3, three numbers."
    assert [path.read_text() for path in sorted(checkout.rglob("*.*")) if path.is_file()] == before
