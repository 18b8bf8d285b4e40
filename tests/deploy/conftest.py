"""Packages as `make package` makes them, once in a run for each machine."""

import fcntl
from pathlib import Path

import pytest

from deploy import package, stages

DEV = stages.read("dev")


@pytest.fixture(scope="session")
def build(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder of the tests' own."""
    folder = tmp_path_factory.mktemp("build")
    (folder / "vendor").symlink_to(wheels)
    return folder


@pytest.fixture(scope="session")
def packages(build: Path, wheels: Path) -> Path:
    """What `make package STAGE=dev` writes: arm64, as config.json says; the forms are folders, of one staging copy."""
    folder = wheels.with_name("packages")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker that asks meanwhile waits until they are there
        if not folder.exists():
            making = folder.with_suffix(".making")
            package.package(DEV, form="sam", out=making / "sam", build=build)
            package.write(DEV, build / "dev", form="terraform", out=making / "terraform")
            making.rename(folder)
    return folder


@pytest.fixture(scope="session")
def sam_folder(packages: Path) -> Path:
    """For SAM and CloudFormation."""
    return packages / "sam"
