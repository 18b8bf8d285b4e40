"""`make cloud` as a developer runs it: it gives a user to try, and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.stages import PROJECT
from tests.local.test_serve import descendants, gone

PATIENCE_SECONDS = 240
LAST_LINE = "Ctrl-C stops it, and nothing of it stays.\n"

pytestmark = pytest.mark.xdist_group("cloud")


@contextmanager
def running(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "local.cloud"],
        cwd=PROJECT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    patience = threading.Timer(PATIENCE_SECONDS, process.kill)
    patience.start()
    try:
        with process:
            yield process
    finally:
        patience.cancel()


def check_that_nothing_is_left(folder: Path, started: set[int]) -> None:
    assert list(folder.glob("latchkey-cloud-*")) == []
    for pid in started:
        gone(pid)


@pytest.mark.skipif(not shutil.which("curl"), reason="the line that is printed calls curl")
def test_its_user_can_log_in_and_a_sigterm_leaves_neither_folder_nor_process(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        assert process.stdout is not None
        printed = ""
        while not printed.endswith(LAST_LINE):
            printed += process.stdout.readline()
            assert process.poll() is None, printed
        (line,) = [line for line in printed.splitlines() if line.startswith("curl")]
        output = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout  # noqa: S607
        assert '"access_token"' in output
        started = descendants(process.pid)
        assert started
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        check_that_nothing_is_left(tmp_path, started)


def test_a_sigterm_while_it_comes_up_leaves_nothing_either(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        while not (list(tmp_path.glob("latchkey-cloud-*/*")) and (started := descendants(process.pid))):
            assert process.poll() is None
            threading.Event().wait(0.02)  # to look all the while would take the time that it needs to come up
        process.send_signal(signal.SIGTERM)
        process.wait()
        check_that_nothing_is_left(tmp_path, started)
