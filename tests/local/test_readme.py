"""The README's tour, typed as it stands into a shell beside `make serve`: what it promises is what comes."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.local.test_serve import ROOT, copied, running

README = (ROOT / "README.md").read_text()
STEP = re.compile(r"```bash\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
STATUS = re.compile(r"^(\d{3})$\n?", re.MULTILINE)
END = "--- end of step ---\n"
# Random: ids, the codes that a device shows, and those that it keeps.
CHANCE = re.compile(r"[0-9a-f]{32}|\b[B-Z]{4}-[B-Z]{4}\b|^[A-Za-z0-9_-]{43}$")
FIRST_TIMESTAMP = 10**9
TOKEN_LENGTH = 60


def steps() -> list[tuple[str, str]]:
    """Return each block of commands with the answer that is pasted below it, empty where there is none."""
    return STEP.findall(README)


def run(script: str) -> list[str]:
    """Return what each step printed; one shell for all, as in the reader's terminal."""
    shell = subprocess.run(["bash", "-u"], input=script, capture_output=True, text=True, timeout=120, check=True)  # noqa: S607
    assert shell.stderr == ""
    return shell.stdout.split(END)


def answers(printed: str) -> list[Any]:
    """Return bodies and statuses in turn, less what differs from run to run."""
    return [likeness(part) for part in STATUS.split(printed) if part.strip()]


def likeness(part: str) -> Any:
    try:
        return without_chance(json.loads(part))
    except ValueError:
        return part.strip()


def without_chance(value: Any) -> Any:
    """Return a body with its identifiers, times and tokens struck out, lists in an order of their own."""
    if isinstance(value, dict):
        return {name: without_chance(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return sorted(map(without_chance, value), key=json.dumps)
    if isinstance(value, str):
        return f"{value[:4]}…" if is_token(value) else CHANCE.sub("<id>", value)
    return "<time>" if type(value) is int and value > FIRST_TIMESTAMP else value


def is_token(text: str) -> bool:
    """Tell a token, whole or cut short as the README has it, from a sentence."""
    return "…" in text or (" " not in text and len(text) > TOKEN_LENGTH)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    root = copied(tmp_path_factory.mktemp("checkout"))
    with running(root, tmp_path_factory.mktemp("serve") / "state") as served:
        script = "".join(f"{commands}\necho -n '{END}'\n" for commands, _ in steps())
        ports = [
            (f"127.0.0.1:{port}", f"127.0.0.1:{real}") for port, real in zip((8000, 8001), served.ports, strict=False)
        ]
        for documented, real in ports:
            script = script.replace(documented, real)
        parts = run(script)
        for documented, real in ports:
            parts = [part.replace(real, documented) for part in parts]
        yield parts


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="the tour is for bash with curl")
def test_each_command_of_the_tour_answers_what_the_readme_says(printed: list[str]) -> None:
    pasted = [answer for _, answer in steps()]
    assert len(pasted) > 10
    assert [answers(part) for part in printed[:-1]] == [answers(part) for part in pasted]


@pytest.mark.parametrize(
    "file", sorted(path.relative_to(ROOT).as_posix() for path in (ROOT, ROOT / "docs") for path in path.glob("*.md"))
)
def test_each_link_from_one_page_to_another_leads_somewhere(file: str) -> None:
    page = ROOT / file
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
