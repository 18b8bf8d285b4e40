"""The documents: their lines can be read beside the code, and what they point to is there."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST = 120
LISTED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
DOCUMENTS = LISTED.stdout.split()
URL_ALONE = re.compile(r"\s*<?https?://\S+")
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
ADDING = (ROOT / "docs" / "contributing.md").read_text().partition("\n## To add\n")[2].partition("\n## ")[0]
PARTS = dict(re.findall(r"^### (.+?)\n\n(.*?)(?=^### |\Z)", ADDING, re.MULTILINE | re.DOTALL))


def anchors(file: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", file.read_text()), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_line_of_a_document_is_too_long_to_be_read_beside_another(name: str) -> None:
    lines = enumerate((ROOT / name).read_text().split("\n"), 1)
    assert [number for number, line in lines if len(line) > LONGEST and not URL_ALONE.fullmatch(line)] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_link_to_a_file_or_a_heading_leads_there(name: str) -> None:
    page = ROOT / name
    for to, anchor in LINK.findall(BLOCK.sub("", page.read_text())):
        target = page.parent / to if to else page
        assert target.exists(), to
        assert not anchor or anchor in anchors(target), f"{to}#{anchor}"


@pytest.mark.parametrize("kind", PARTS)
def test_what_is_to_be_written_for_each_kind_of_thing_is_said_in_three_lines(kind: str) -> None:
    assert re.findall(r"^- (\w+): \S", PARTS[kind], re.MULTILINE) == ["Code", "Tests", "Documents"]
    assert [line for line in PARTS[kind].split("\n") if not line.startswith(("- ", "  ")) and line] == []


@pytest.mark.parametrize("kind", PARTS)
def test_each_file_and_each_name_in_it_that_a_part_gives_is_there(kind: str) -> None:
    text = " ".join(PARTS[kind].split())
    for path in re.findall(r"`([\w.][\w.*-]*/[\w./*-]+|\w+\.py)`", text):
        assert list(ROOT.glob(path)), path
    for name, path in re.findall(r"`(\w+)` of `([\w/]+\.py)`", text):
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text()), f"{name} of {path}"


def test_the_documents_and_the_kinds_of_things_to_add_are_found() -> None:
    assert {"README.md", "CHANGELOG.md", "docs/oauth.md", "examples/notes/README.md"} <= set(DOCUMENTS)
    assert {"a route", "a grant", "a setting"} <= set(PARTS)
