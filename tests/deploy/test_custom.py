"""What an operator brings of their own is in the package, byte code and all, and is what a function there starts with."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import bundle, stages, staging
from deploy.errors import CannotDeployError
from deploy.stages import PROJECT

FUNCTION = """
from chalicelib.config import load
from chalicelib.flows.platform import hooks
settings = load({"LATCHKEY_ISSUER": "https://id.example"})
print(settings.claims[""]["access_token"], hooks.load(settings.hooks_file)["before_login"](None))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with files of its operator's own."""
    project = tmp_path / "project"
    (project / "custom").mkdir(parents=True)
    for name in ("app.py", "chalicelib", ".chalice", "requirements.txt"):
        (project / name).symlink_to(PROJECT / name)
    (project / "custom" / "hooks.py").write_text("from .plans import plan\ndef before_login(_): return plan()\n")
    (project / "custom" / "plans.py").write_text("def plan(): return __file__.rpartition('/')[0]\n")
    (project / "custom" / "claims.json").write_text(json.dumps({"access_token": {"x": "{name}"}}))
    return project


def test_the_files_ship_and_are_used_there(project: Path, build: Path, tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "vendor").symlink_to((build / "vendor").resolve())
    (project / ".chalice").unlink()
    shutil.copytree(PROJECT / ".chalice", project / ".chalice")
    copy = staging.make(
        stages.read("dev"), architecture="arm64", environment={}, project=project, build=tmp_path / "build"
    )
    own = copy / "chalicelib" / "custom"
    names = {str(file.relative_to(own)) for file in own.rglob("*") if file.is_file()}
    sources = {"hooks.py", "plans.py"}
    assert names == {"claims.json", *sources, *map(bundle.pyc_of, sources)}
    for each in sources:  # byte code alone is enough
        (own / each).write_text("raise SystemExit('compiled once more')\n")
    command = [sys.executable, "-c", FUNCTION]
    process = subprocess.run(command, cwd=copy, env=os.environ, capture_output=True, text=True, check=False)
    assert process.stdout.strip() == f"{{'x': '{{name}}'}} {own}"


def test_hooks_that_could_not_be_called_are_not_packaged(project: Path, tmp_path: Path) -> None:
    (project / "custom" / "hooks.py").write_text("def before_logn(event): ...\n")
    with pytest.raises(CannotDeployError, match="before_logn is no hook"):
        staging.make(
            stages.read("dev"), architecture="arm64", environment={}, project=project, build=tmp_path / "build"
        )
