"""`make bench`, or `python -m benchmarks guard start` for some of it."""

import argparse
from os import environ

from benchmarks import connections, endpoints, guard, passwords, routes, start
from benchmarks.rounds import HEADING

SUITES = {
    "guard": guard,
    "start": start,
    "endpoints": endpoints,
    "routes": routes,
    "connections": connections,
    "passwords": passwords,
}


def main() -> None:
    """Print one line a comparison."""
    # Never an account of the developer's: the calls go to this machine.
    for name in [name for name in environ if name.startswith(("AWS_", "LATCHKEY_"))]:
        del environ[name]
    environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench", AWS_DEFAULT_REGION="eu-central-1")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", choices=[[], *SUITES], help="default: all")
    print(HEADING)
    for name in parser.parse_args().suites or SUITES:
        for comparison in SUITES[name].measure():
            print(comparison, flush=True)


if __name__ == "__main__":
    main()
