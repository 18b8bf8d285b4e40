"""The renderer of /docs is in a package that asks for it, and in no other."""

from pathlib import Path

import pytest

from chalicelib.config import WrongSetting, load
from chalicelib.config.reference import RENDERER
from deploy import reference, stages, staging


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what ships, without its dependencies' weight."""
    (tmp_path / "chalicelib").mkdir()
    return tmp_path / "chalicelib"


def test_the_files_are_where_the_setting_looks_for_them(project: Path) -> None:
    reference.ship(project)
    settings = load({"LATCHKEY_ISSUER": "https://id.example", "LATCHKEY_REFERENCE": "on"})
    assert Path(settings.reference).parent.name == project.name
    assert {each.name for each in (project / Path(settings.reference).name).iterdir()} == {*RENDERER, reference.LICENCE}


def test_who_asks_for_it_without_having_it_installed_is_told_before_anything_is_deployed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "PACKAGE", "no_such_package")
    with pytest.raises(WrongSetting, match="requirements-docs"):
        reference.ship(project)


@pytest.mark.parametrize(("environment", "shipped"), [({}, False), ({"LATCHKEY_REFERENCE": "on"}, True)])
def test_a_copy_has_it_if_the_stage_asks_for_it(
    wheels: Path, tmp_path: Path, environment: dict[str, str], *, shipped: bool
) -> None:
    (tmp_path / "vendor").symlink_to(wheels)
    copy = staging.make(stages.read("dev"), architecture="arm64", environment=environment, build=tmp_path)
    assert (copy / "chalicelib" / "reference").exists() == shipped
    assert (copy / "chalicelib" / "web" / "pages" / "static" / "reference.js").exists()
