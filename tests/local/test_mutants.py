"""`make mutants`, on a small project of its own whose tests have a known gap."""

import subprocess
import tempfile
from pathlib import Path

import pytest

from deploy.stages import PROJECT
from local import mutants

# As ours: schemathesis' plugin takes half a second to import.
PYTEST = """[tool.pytest.ini_options]
pythonpath = ["."]
markers = ["slow: slow"]
addopts = "-p no:schemathesis"
"""
CODE = """
def of_age(years: int) -> bool:
    return years >= 18


def total(price: int, tax: int) -> int:
    return price + tax
"""
# Nobody asks about eighteen, the very age.
TESTS = """
from chalicelib.domain.rules import of_age, total


def test_children_are_not_of_age() -> None:
    assert not of_age(9)
    assert of_age(30)


def test_the_tax_is_added() -> None:
    assert total(100, 19) == 119
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    files = {
        "pyproject.toml": PYTEST,
        ".gitignore": "ignored/\n",
        "ignored/secret.txt": "x",
        "chalicelib/__init__.py": "",
        "chalicelib/domain/__init__.py": "",
        "chalicelib/domain/rules.py": CODE,
        "tests/conftest.py": "import hypothesis\nhypothesis.settings.register_profile('fast', max_examples=20)\n",
        "tests/domain/test_rules.py": TESTS,
    }
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)  # noqa: S607
    return project


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where copies are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_what_no_test_notices_is_shown_and_what_one_does_is_counted_and_nothing_is_left(
    project: Path, temporary: Path
) -> None:
    before = contents(project)
    report = mutants.run(project, sample=60, seed=1)
    *survivors, counts = report.split("\n\n")
    assert [survivor.splitlines()[-1] for survivor in survivors] == [
        "+    return years > 18",
        "+    return years >= 19",
    ]
    assert counts == "2 survived, 1 killed"
    assert contents(project) == before
    assert list(temporary.iterdir()) == []


def test_a_run_whose_tests_fail_by_themselves_says_so_and_leaves_nothing(project: Path, temporary: Path) -> None:
    (project / "tests/domain/test_rules.py").write_text("def test_wrong() -> None:\n    assert 1 == 2\n")
    before = contents(project)
    with pytest.raises(SystemExit, match="1 == 2"):
        mutants.run(project, sample=60, seed=1)
    assert contents(project) == before
    assert list(temporary.iterdir()) == []


def test_a_copy_has_what_git_would_take_and_nothing_that_it_ignores(project: Path) -> None:
    (project / "chalicelib/gone.py").write_text("")
    subprocess.run(["git", "add", "."], cwd=project, check=True)  # noqa: S607
    (project / "chalicelib/gone.py").unlink()
    (project / "chalicelib/new.py").write_text("")
    with mutants.temporary_copy(project) as copy:
        files = set(contents(copy))
    assert files == {name for name in contents(project) if not name.startswith((".git/", "ignored/"))}
    assert not copy.exists()


def test_a_seed_chooses_the_same_mutants_again_and_another_seed_others() -> None:
    every = [f"chalicelib.domain.rules.x_total__mutmut_{number}" for number in range(100)]
    first, again, other = (mutants.sampled(every, sample=10, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) == 10
    assert sorted(mutants.sampled(every, sample=1000, seed=1)) == sorted(every)


def test_the_test_that_is_left_out_is_there() -> None:
    path, _, name = mutants.UNFIT_TEST.partition("::")
    assert f"def {name}(" in (PROJECT / path).read_text()
