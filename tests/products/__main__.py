"""`make products`: runs the products of docs/clients.md that can be run here, and prints what came of each."""

import argparse
import os
import sys
from collections import defaultdict

import pytest

from cli import recipes
from cli.drawing import print_rows
from cli.errors import in_one_line
from cli.recipes import Recipe

HEADINGS = ("Product", "Version", "Outcome", "Seconds")


class Outcomes:
    """What came of the tests of each product: a plugin of pytest."""

    def __init__(self, products: list[Recipe]) -> None:
        self._products = products
        self._reports: dict[str, list[pytest.TestReport | pytest.CollectReport]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep how a test, its preparation or its end went."""
        self._keep(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep that a whole file was skipped or could not be read."""
        if not report.passed:
            self._keep(report)

    def _keep(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        for product in self._products:
            if report.nodeid.startswith(product.test):
                self._reports[product.name].append(report)

    def rows(self) -> list[tuple[str, ...]]:
        """Give a line for each product."""
        return [(each.title, each.version, *self._outcome(self._reports[each.name])) for each in self._products]

    def _outcome(self, reports: list[pytest.TestReport | pytest.CollectReport]) -> tuple[str, str]:
        calls = [each for each in reports if each.when == "call"]
        seconds = f"{sum(getattr(each, 'duration', 0) for each in reports):.0f}"
        if failed := [each for each in reports if each.failed]:
            return f"FAILED: {', '.join(each.nodeid.rpartition('::')[2] for each in failed)}", seconds
        for each in reports:
            if each.skipped and isinstance(each.longrepr, tuple):
                return f"left out: {each.longrepr[2].removeprefix('Skipped: ')}", "-"
        return (f"works, by {len(calls)} test{'s'[: len(calls) - 1]}" if calls else "left out: no test ran"), seconds


def main() -> int:
    """Run all products, or those that are named; return the exit status."""
    parser = argparse.ArgumentParser(prog="make products")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of cli/products (ONLY=; default: all)")
    names = parser.parse_args().names or recipes.names()
    chosen_recipes = [recipes.read(name) for name in names]
    outcomes = Outcomes([each for each in chosen_recipes if each.test])
    tests = dict.fromkeys(each.test for each in chosen_recipes if each.test)
    os.environ["PRODUCTS"] = "all"
    status = pytest.main(["-q", "-p", "no:cacheprovider", *tests], plugins=[outcomes]) if tests else 0
    print()
    print_rows(HEADINGS, outcomes.rows())
    written = [each.title for each in chosen_recipes if not each.test]
    if written:
        print(f"\nWritten from their documentation, run nowhere: {', '.join(written)}.")
    return int(status)


if __name__ == "__main__":
    with in_one_line():
        sys.exit(main())
