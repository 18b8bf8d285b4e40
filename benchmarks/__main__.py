"""`make bench`, or `python -m benchmarks guard start` for some of it."""

import argparse
from collections.abc import Callable, Iterable
from functools import partial
from os import environ
from pathlib import Path

from benchmarks import cold, connections, endpoints, failures, flood, guard, passwords, plots, results, routes, start
from benchmarks.rounds import HEADING, Comparison, Table

Measure = Callable[[], Iterable[Comparison | Table]]


def suites(*, peers: str, before: Path | None) -> dict[str, Measure]:
    """What can be measured, by name, in the order that it is."""
    return {
        "guard": guard.measure,
        "start": start.measure,
        "cold": partial(cold.measure, before),
        "endpoints": partial(endpoints.measure, peers),
        "routes": routes.measure,
        "connections": connections.measure,
        "passwords": passwords.measure,
        "failures": failures.measure,
        "flood": flood.measure,
    }


def main() -> None:
    """Print the tables and a line a comparison; a whole run is kept, and drawn."""
    # Never an account of the developer's: the calls go to this machine.
    for name in [name for name in environ if name.startswith(("AWS_", "LATCHKEY_"))]:
        del environ[name]
    environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench", AWS_DEFAULT_REGION="eu-central-1")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", choices=[[], *suites(peers="", before=None)], help="default: all")
    parser.add_argument("--peers", choices=("none", "quick", "all"), default="quick", help="default: quick")
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="an older `make package`, for the cold starts")
    asked_for = parser.parse_args()
    everything = suites(peers=asked_for.peers, before=asked_for.before)
    run: list[Comparison | Table] = []
    print(HEADING)
    for name in asked_for.suites or everything:
        for figure in everything[name]():
            print(figure, flush=True)
            run.append(figure)
    if not asked_for.suites:
        print("\n".join(map(str, [results.write(run), *plots.draw(run)])))


if __name__ == "__main__":
    main()
