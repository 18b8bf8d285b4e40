"""A process on a leash stops by itself, cleanly, when whoever started it is gone for whatever reason.

The other end of the leash is the pipe at the process's stdin. `python -P local/leash.py <file>` puts a program
on it: a terminal that is closed or a test that is killed leaves nothing running.
"""

import os
import runpy
import signal
import sys
import threading


def hold() -> None:
    """Send this process SIGTERM as soon as its stdin is closed at the other end."""
    threading.Thread(target=_leave_when_let_go, daemon=True).start()


def _leave_when_let_go() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock would be held when the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    del sys.argv[0]
    hold()
    runpy.run_path(sys.argv[0], run_name="__main__")
