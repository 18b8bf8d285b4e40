"""Which files a local run watches, and when each was last changed."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from deploy import custom

ROOT = Path(__file__).parents[1]
WATCHED = (ROOT / "app.py", ROOT / "chalicelib", custom.folder(ROOT))
NOT_WATCHED = {"__pycache__", "venv", "node_modules"}


def snapshot(watched: Iterable[Path]) -> dict[Path, int]:
    """When each file of these places was last changed."""
    times = {}
    for file in (file for path in watched for file in _files(path)):
        with suppress(FileNotFoundError):  # editors save by renaming
            times[file] = file.stat().st_mtime_ns
    return times


def _files(path: Path) -> Iterator[Path]:
    """Return a file, or all below a folder; of an app of somebody's its code alone, beside which it may write."""
    if path.is_file():
        yield path
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if name not in NOT_WATCHED and not name.startswith(".")]
        yield from (Path(folder, name) for name in files if path in WATCHED or name.endswith(".py"))
