"""The dependencies that ship: wheels for Lambda's machine from the hashed lock, pruned and compiled."""

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy import bytecode

# Lambda's Python 3.12 and later run on Amazon Linux 2023, which has glibc 2.34; 3.11 on its predecessor, with 2.26.
_GLIBC = ("2_34", "2_28", "2_17") if sys.version_info >= (3, 12) else ("2_26", "2_17")
_MACHINE = {"x86_64": "x86_64", "arm64": "aarch64"}
ARCHITECTURES = tuple(_MACHINE)
# Command-line scripts, type stubs and C sources: nothing that runs in Lambda.
_UNUSED = (
    "bin",
    "share",  # manual pages
    "**/*.pyi",
    "**/*.c",
    "**/*.h",
    "**/py.typed",
    "*.dist-info/REQUESTED",
    "*.dist-info/INSTALLER",
)


class CannotVendorError(Exception):
    """pip refused: no wheel for the machine, or a file that does not have the hash that the lock names."""


def of_this_machine() -> str:
    """Return the architecture on which the zip would run here; only Linux runs Lambda's wheels."""
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine())
    if machine is None or sys.platform != "linux":
        raise CannotVendorError("Lambda's wheels run on Linux, on x86_64 or arm64, and this machine is neither.")
    return machine


def build(requirements: Path, *, architecture: str, cache: Path) -> Path:
    """Return a folder with all that `requirements` names; made once for each content, machine and Python."""
    digest = hashlib.sha256(requirements.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:16]
    done = cache / f"{architecture}-{bytecode.TAG}-{digest}"
    if done.is_dir():
        return done
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="making-") as making:
        tree = Path(making) / "tree"
        _install(requirements, architecture=architecture, target=tree)
        _prune(tree)
        bytecode.compile_tree(tree)
        _move_into_place(tree, done)
    return done


def _move_into_place(tree: Path, done: Path) -> None:
    try:
        tree.rename(done)
    except OSError:
        # Another process built the same tree meanwhile; theirs is as good.
        if not done.is_dir():
            raise


def _install(requirements: Path, *, architecture: str, target: Path) -> None:
    major, minor = sys.version_info[:2]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "--no-compile", "--target", str(target)]
    command += ["--implementation", "cp", "--python-version", f"{major}.{minor}"]
    for abi in (f"cp{major}{minor}", "abi3", "none"):
        command += ["--abi", abi]
    for glibc in _GLIBC:
        command += ["--platform", f"manylinux_{glibc}_{_MACHINE[architecture]}"]
    pip = subprocess.run([*command, "-r", str(requirements)], capture_output=True, text=True, check=False)
    if pip.returncode != 0:
        raise CannotVendorError(pip.stderr.strip())


def _prune(tree: Path) -> None:
    for pattern in _UNUSED:
        for path in list(tree.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
