"""Environments of the benchmarks' own, one a peer, made where they are missing and kept in build/bench."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE = ROOT / "build" / "bench"
HERE = Path(__file__).parent


class CannotMake(Exception):
    """A toolchain is missing, or a package could not be had; the message says which."""


def python(folder: str) -> Path:
    """The interpreter of an environment with the `requirements.txt` of a folder of the benchmarks."""
    requirements = HERE / folder / "requirements.txt"
    made = MADE / Path(folder).name
    interpreter = made / "bin" / "python"
    if _is_old(made, requirements):
        shutil.rmtree(made, ignore_errors=True)
        print(f"Making {made.relative_to(ROOT)}.", file=sys.stderr)
        _run(sys.executable, "-m", "venv", str(made))
        pip = ("-m", "pip", "--disable-pip-version-check", "--quiet", "install")
        _run(str(interpreter), *pip, "--requirement", str(requirements))
        _is_made(made, requirements)
    return interpreter


def node(folder: str) -> Path:
    """A copy of a folder of the benchmarks with the packages that its lock file names; its program is run there."""
    program("node")
    source, made = HERE / folder, MADE / Path(folder).name
    lock = source / "package-lock.json"
    if _is_old(made, lock):
        shutil.rmtree(made, ignore_errors=True)
        print(f"Making {made.relative_to(ROOT)}.", file=sys.stderr)
        shutil.copytree(source, made)
        _run(
            program("npm"),
            "ci",
            "--prefix",
            str(made),
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        )
        _is_made(made, lock)
    shutil.copytree(source, made, dirs_exist_ok=True)
    return made


def maven(artifact: str, *, inside: str) -> Path:
    """The folder `inside` of a zip of Maven's, as `group:name:version`; unpacked once."""
    group, name, version = artifact.split(":")
    folder = MADE / name / inside
    if not folder.is_dir():
        print(f"Making {(MADE / name).relative_to(ROOT)}.", file=sys.stderr)
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
        _run(
            program("mvn"),
            "-q",
            "-B",
            goal,
            f"-Dartifact={group}:{name}:{version}:zip",
            f"-DoutputDirectory={MADE / name}",
        )
        _run(sys.executable, "-m", "zipfile", "-e", str(MADE / name / f"{name}-{version}.zip"), str(MADE / name))
    return folder


def program(name: str) -> str:
    """Where a toolchain's program is."""
    path = shutil.which(name)
    if path is None:
        raise CannotMake(f"there is no {name}")
    return path


def _run(*command: str) -> None:
    MADE.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout).strip().splitlines()[-1:]
        raise CannotMake(" ".join(last) or f"{command[0]} failed") from None


def _is_old(made: Path, pins: Path) -> bool:
    stamp = made / ".made"
    return not stamp.exists() or stamp.read_text() != _digest(pins)


def _is_made(made: Path, pins: Path) -> None:
    (made / ".made").write_text(_digest(pins))


def _digest(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes()).hexdigest()
