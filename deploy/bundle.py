"""The check of a finished zip: deploying runs it, and so do the tests."""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# AWS: 50 MB for a direct upload, 250 MB unpacked.
ZIP_LIMIT = 50_000_000
UNPACKED_LIMIT = 250_000_000
_ELF_MACHINE = {"x86_64": 62, "arm64": 183}
_TAG = sys.implementation.cache_tag
# PEP 552: the second four bytes are flags; 1 is "by hash, and never look at the source".
_UNCHECKED_PYC = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")
_OURS = {".py", ".html", ".css", ".js", ".svg", ".json", ".txt"}


@dataclass(frozen=True)
class Wheel:
    """A dependency as it lies in the zip: does it hold machine code, and which files did its wheel have?"""

    native: bool
    files: frozenset[str]


@dataclass
class Bundle:
    """An open zip, read once."""

    archive: ZipFile
    names: frozenset[str]
    wheels: dict[str, Wheel] = field(default_factory=dict)


def problems(
    path: Path, *, architecture: str, requirements: Path, compiled: bool = True, jwks: bool = False
) -> list[str]:
    """Return what is wrong with the zip, in words; an empty list if it may be deployed."""
    with ZipFile(path) as archive:
        bundle = Bundle(archive, frozenset(n for n in archive.namelist() if not n.endswith("/")))
        bundle.wheels = dict(_wheels(bundle))
        reasons = [*_too_large(path, bundle), *_missing_wheels(bundle, requirements)]
        reasons += [*_wrong_machine(bundle, architecture), *_strays(bundle)]
        if compiled:
            reasons += _not_compiled(bundle)
        if jwks and "chalicelib/jwks.json" not in bundle.names:
            reasons.append("chalicelib/jwks.json is missing: the guard would start without keys")
    return reasons


def _wheels(bundle: Bundle) -> Iterator[tuple[str, Wheel]]:
    for name in bundle.names:
        folder, _, last = name.partition("/")
        if last == "WHEEL" and folder.endswith(".dist-info"):
            project = canonicalize_name(folder.split("-")[0])
            facts = bundle.archive.read(name).decode()
            record = bundle.archive.read(f"{folder}/RECORD").decode().splitlines()
            files = frozenset(line.rsplit(",", 2)[0].strip('"') for line in record)
            yield project, Wheel(native="Root-Is-Purelib: false" in facts, files=files)


def _too_large(path: Path, bundle: Bundle) -> Iterator[str]:
    unpacked = sum(entry.file_size for entry in bundle.archive.infolist())
    for what, size, limit in (
        ("zip", path.stat().st_size, ZIP_LIMIT),
        ("unpacked", unpacked, UNPACKED_LIMIT),
    ):
        if size > limit:
            yield f"too large: {what} {size:,} bytes of {limit:,}"


def pinned(requirements: Path) -> list[str]:
    """Return the names that the lock file pins for Lambda's platform."""
    lines = [line.split(" \\")[0] for line in requirements.read_text().splitlines()]
    specifiers = [Requirement(line) for line in lines if line and line[0] not in " #-"]
    return [canonicalize_name(each.name) for each in specifiers if each.marker is None or each.marker.evaluate()]


def _missing_wheels(bundle: Bundle, requirements: Path) -> Iterator[str]:
    for name in pinned(requirements):
        wheel = bundle.wheels.get(name)
        if wheel is None:
            yield f"{name} is missing: Chalice or pip left it out"
        elif wheel.native and not any(f.endswith(".so") and f in bundle.names for f in wheel.files):
            yield f"{name} is here without its machine code"


def _wrong_machine(bundle: Bundle, architecture: str) -> Iterator[str]:
    for name in sorted(n for n in bundle.names if n.endswith(".so")):
        header = _head(bundle, name, 20)
        machine = int.from_bytes(header[18:20], "little")
        if header[:4] != b"\x7fELF" or machine != _ELF_MACHINE[architecture]:
            yield f"{name} is not for {architecture} (ELF machine {machine})"
        if ".cpython-" in name and f".{_TAG}-" not in name:
            yield f"{name} is not for {_TAG}"


def _head(bundle: Bundle, name: str, size: int) -> bytes:
    with bundle.archive.open(name) as entry:
        return entry.read(size)


def pyc_of(name: str) -> str:
    """Return where Python looks for the byte code of a source file."""
    path = PurePosixPath(name)
    return str(path.parent / "__pycache__" / f"{path.stem}.{_TAG}.pyc")


def _not_compiled(bundle: Bundle) -> Iterator[str]:
    for name in sorted(n for n in bundle.names if n.endswith(".py")):
        pyc = pyc_of(name)
        if pyc not in bundle.names:
            yield f"{name} has no byte code"
        elif _head(bundle, pyc, 8) != _UNCHECKED_PYC:
            yield f"{pyc} would be checked against the source's time, or is of another Python"


def _strays(bundle: Bundle) -> Iterator[str]:
    known = {"app.py", "chalice/app.py", "chalice/__init__.py"}.union(*(w.files for w in bundle.wheels.values()))
    known |= {n for n in bundle.names if n.startswith("chalicelib/") and PurePosixPath(n).suffix in _OURS}
    known |= {pyc_of(n) for n in known if n.endswith(".py") and n in bundle.names}
    for name in sorted(bundle.names - known):
        yield f"stray file {name}"
