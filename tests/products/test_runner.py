"""The table of `make products`."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli import recipes
from tests.products.__main__ import Outcomes

NEEDS: tuple[str, ...] = ()
ROOT = Path(__file__).parents[2]


def report(outcome: str, longrepr: object = None, name: str = "test_it") -> pytest.TestReport:
    node = f"tests/products/flask_oidc/test_flask_oidc.py::{name}"
    return pytest.TestReport(node, ("", 0, ""), {}, outcome, longrepr, "call", duration=1.6)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reports", "outcome"),
    [
        ([report("passed"), report("passed")], ("works, by 2 tests", "3")),
        ([report("passed"), report("failed", name="test_that")], ("FAILED: test_that", "3")),
        (
            [report("skipped", ("file", 1, "Skipped: not installed here: go"))],
            ("left out: not installed here: go", "-"),
        ),
        ([], ("left out: no test ran", "0")),
    ],
)
def test_each_product_has_its_outcome_or_the_reason_why_there_is_none(
    reports: list[pytest.TestReport], outcome: tuple[str, str]
) -> None:
    product = recipes.read("flask-oidc")
    outcomes = Outcomes([product, recipes.read("dex")])
    for each in reports:
        outcomes.pytest_runtest_logreport(each)
    assert outcomes.rows()[0] == ("Flask-OIDC", product.version, *outcome)
    assert outcomes.rows()[1][2] == "left out: no test ran"


def test_what_is_written_from_documentation_is_said_and_a_misspelt_name_is_told() -> None:
    command = [sys.executable, "-m", "tests.products"]
    written = subprocess.run([*command, "grafana"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "run nowhere: Grafana." in written.stdout
    misspelt = subprocess.run([*command, "grafanna"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (misspelt.returncode, misspelt.stderr.partition(";")[2][:22]) == (1, " did you mean grafana?")
