"""A process that stops by itself, cleanly, when whoever started it is gone for whatever reason.

Its parent holds the other end of the pipe at its stdin. `python -P local/exit_with_parent.py <file>` runs a program
so: a terminal that is closed or a test that is killed leaves nothing running.
"""

import os
import runpy
import signal
import sys
import threading


def watch() -> None:
    """Send this process SIGTERM as soon as its stdin is closed at the other end."""
    threading.Thread(target=_exit_when_closed, daemon=True).start()


def _exit_when_closed() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock would be held when the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    del sys.argv[0]
    watch()
    runpy.run_path(sys.argv[0], run_name="__main__")
