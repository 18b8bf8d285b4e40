"""What is in the zip, for both machines of Lambda's."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from deploy import bundle, package, stages, staging, vendor
from deploy.stages import PROJECT

REQUIREMENTS = PROJECT / "requirements.txt"
NATIVE = {"cffi", "cryptography", "markupsafe", "msgspec"}
Entries = dict[str, bytes]
Spoil = Callable[[Callable[[Entries], object]], list[str]]


@pytest.fixture(scope="session")
def zips(build: Path, sam_folder: Path) -> dict[str, Path]:
    out = build / "x86_64"
    package.package(stages.read("dev"), form="sam", out=out, architecture="x86_64", build=build)
    return {"arm64": sam_folder / "deployment.zip", "x86_64": out / "deployment.zip"}


def problems(path: Path, architecture: str) -> list[str]:
    return bundle.problems(path, architecture=architecture, requirements=REQUIREMENTS)


@pytest.fixture(scope="module")
def whole(zips: dict[str, Path]) -> Entries:
    """All of the arm64 zip."""
    with ZipFile(zips["arm64"]) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def spoilt(whole: Entries, tmp_path: Path) -> Spoil:
    """Change the arm64 zip's entries and check it again."""

    def change(spoil: Callable[[Entries], object]) -> list[str]:
        entries = dict(whole)
        spoil(entries)
        path = tmp_path / "spoilt.zip"
        with ZipFile(path, "w") as changed:
            for name, content in entries.items():
                changed.writestr(name, content)
        return problems(path, "arm64")

    return change


@pytest.mark.parametrize("architecture", vendor.ARCHITECTURES)
def test_the_zip_is_whole_compiled_and_for_its_machine(zips: dict[str, Path], architecture: str) -> None:
    assert problems(zips[architecture], architecture) == []


@pytest.mark.parametrize("architecture", vendor.ARCHITECTURES)
def test_every_native_wheel_is_in_the_zip_with_its_machine_code(zips: dict[str, Path], architecture: str) -> None:
    with ZipFile(zips[architecture]) as archive:
        libraries = [name for name in archive.namelist() if name.endswith(".so")]
    assert len(libraries) == len(NATIVE)
    assert set(bundle.pinned(REQUIREMENTS)) > NATIVE


def test_a_zip_for_another_machine_is_refused(zips: dict[str, Path]) -> None:
    faults = problems(zips["x86_64"], "arm64")
    assert len(faults) == len(NATIVE)
    assert all("is not for arm64" in line for line in faults)


def test_a_dependency_that_was_left_out_is_noticed(
    spoilt: Spoil,
) -> None:
    def drop_cffi(entries: Entries) -> None:
        for name in [n for n in entries if n.startswith(("cffi", "_cffi"))]:
            del entries[name]

    assert spoilt(drop_cffi) == ["cffi is missing: Chalice or pip left it out"]


def test_a_dependency_without_its_machine_code_is_noticed(
    spoilt: Spoil,
) -> None:
    faults = spoilt(lambda entries: entries.pop("cryptography/hazmat/bindings/_rust.abi3.so"))
    assert faults == ["cryptography is here without its machine code"]


def test_a_source_file_without_byte_code_is_noticed(
    spoilt: Spoil,
) -> None:
    faults = spoilt(lambda entries: entries.pop(bundle.pyc_of("app.py")))
    assert faults == ["app.py has no byte code"]


def test_byte_code_that_the_zips_times_would_invalidate_is_noticed(
    spoilt: Spoil,
) -> None:
    pyc = bundle.pyc_of("chalice/app.py")

    def by_time(entries: Entries) -> None:
        entries[pyc] = importlib.util.MAGIC_NUMBER + bytes(4) + entries[pyc][8:]

    assert spoilt(by_time) == [f"{pyc} would be checked against the source's time, or is of another Python"]


@pytest.mark.parametrize(
    "stray", ["chalicelib/__pycache__/gone.cpython-313.pyc", "tests/test_x.py", ".env", "chalicelib/notes.md"]
)
def test_a_stray_file_is_noticed(spoilt: Spoil, stray: str) -> None:
    assert f"stray file {stray}" in spoilt(lambda entries: entries.update({stray: b""}))


def test_the_package_may_be_required_to_hold_the_public_keys(zips: dict[str, Path]) -> None:
    faults = bundle.problems(zips["arm64"], architecture="arm64", requirements=REQUIREMENTS, jwks=True)
    assert faults == ["chalicelib/jwks.json is missing: the guard would start without keys"]


def test_the_unpacked_zip_imports_by_its_byte_code_alone(zips: dict[str, Path], tmp_path: Path) -> None:
    with ZipFile(zips[vendor.of_this_machine()]) as archive:
        archive.extractall(tmp_path)
    # A broken source that is never read proves that the pyc is used.
    (tmp_path / "app.py").write_text("not python at all")
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import app; app.app",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


def test_a_wheel_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    lock = REQUIREMENTS.read_text().splitlines()
    pyjwt = next(i for i, line in enumerate(lock) if line.startswith("pyjwt=="))
    forged = tmp_path / "requirements.txt"
    forged.write_text(f"{lock[pyjwt]}\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(vendor.CannotVendorError, match="THESE PACKAGES DO NOT MATCH THE HASHES"):
        vendor.build(forged, architecture="arm64", cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_plain_chalice_package_makes_a_complete_zip_from_the_hashed_lock_file(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT / "chalicelib", project / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PROJECT / ".chalice", project / ".chalice", ignore=shutil.ignore_patterns("deploy*"))
    shutil.copy(PROJECT / "app.py", project)
    shutil.copy(REQUIREMENTS, project)
    # Chalice takes only what its host's architecture or a wheel offers; it reports a missing one as success.
    staging.run_chalice(project, "package", "--stage", "dev", str(tmp_path / "out"))
    faults = bundle.problems(
        tmp_path / "out" / "deployment.zip", architecture="arm64", requirements=REQUIREMENTS, compiled=False
    )
    assert [line for line in faults if not line.startswith("stray file")] == []
