"""A whole run as JSON, one file a day, with what it ran on."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.rounds import Comparison, Table

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks" / "results"
LIBRARIES = ("boto3", "botocore", "chalice", "cryptography", "msgspec", "PyJWT")


def write(run: Iterable[Comparison | Table]) -> Path:
    """Write the run down; gives the file."""
    now = datetime.now(UTC)
    figures = list(run)
    content: dict[str, Any] = {
        "at": now.isoformat(timespec="seconds"),
        "commit": _git("describe", "--always", "--dirty", "--exclude=*"),
        "machine": {"processors": os.cpu_count(), "model": _model(), "system": platform.platform()},
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "comparisons": [{**asdict(each), "met": each.met} for each in figures if isinstance(each, Comparison)],
        "tables": [asdict(each) for each in figures if isinstance(each, Table)],
    }
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{now.date()}.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return path


def _git(*command: str) -> str:
    done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return done.stdout.strip()


def _model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
