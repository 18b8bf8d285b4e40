"""docs/conformance.md names tests; each of them exists, and no module of the plan is left out."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "conformance.md").read_text()
SOURCES = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
TESTS = {name for source in SOURCES for name in re.findall(r"^def (test_\w+)\(", source, re.MULTILINE)}


def test_every_test_that_the_document_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", DOCUMENT))
    assert len(named) > 60
    assert named - TESTS == set()


def test_every_module_of_the_plan_is_in_the_table_with_the_test_of_its_name() -> None:
    rows = dict(re.findall(r"^\| (oidcc-[a-z0-9-]+) \|.*`(test_\w+)` \|$", DOCUMENT, re.MULTILINE))
    assert len(rows) == 38
    shared = "test_oidcc_scope_address_and_phone"
    for module, test in rows.items():
        assert test == f"test_{module.replace('-', '_')}" or test == shared, module
    assert {name for name in TESTS if name.startswith("test_oidcc_")} == set(rows.values())


def test_every_file_that_the_document_names_exists() -> None:
    for path in re.findall(r"`(tests/[\w/]+\.py)`", DOCUMENT):
        assert (ROOT / path).is_file(), path
