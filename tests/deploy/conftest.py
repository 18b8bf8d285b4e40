"""Packages as `make package` makes them, once for each machine."""

from pathlib import Path

import pytest

from deploy import package, stages


@pytest.fixture(scope="session")
def build(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder of the tests' own."""
    folder = tmp_path_factory.mktemp("build")
    (folder / "vendor").symlink_to(wheels)
    return folder


@pytest.fixture(scope="session")
def sam_folder(build: Path) -> Path:
    """What `make package STAGE=dev` writes: arm64, as config.json says."""
    out = build / "sam"
    package.package(stages.read("dev"), form="sam", out=out, build=build)
    return out
