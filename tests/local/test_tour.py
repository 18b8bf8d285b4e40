"""The README's minute and the tour, typed as they stand into a shell beside `make serve`: what is promised comes."""

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from local.preparation import APP
from tests.local.test_serve import ROOT, Run, copied, running

README = (ROOT / "README.md").read_text()
TOUR = (ROOT / "docs" / "tour.md").read_text()
STEP = re.compile(r"```bash\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
STATUS = re.compile(r"^(\d{3})$\n?", re.MULTILINE)
END = "--- end of step ---\n"
# Random: ids, the codes that a device shows, and those that it keeps.
CHANCE = re.compile(r"[0-9a-f]{32}|\b[B-Z]{4}-[B-Z]{4}\b|^[A-Za-z0-9_-]{43}$")
FIRST_TIMESTAMP = 10**9
TOKEN_LENGTH = 60


def steps() -> list[tuple[str, str]]:
    """Return each block of commands with the answer that is pasted below it, empty where there is none."""
    return STEP.findall(README) + STEP.findall(TOUR)


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
    """Return a body with its identifiers, times and tokens struck out."""
    if isinstance(value, dict):
        # What is sealed has no beginning that is always the same, as other tokens have.
        return {name: "…" if name == "device_token" else without_chance(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_chance(each) for each in value]
    if isinstance(value, str):
        return f"{value[:4]}…" if is_token(value) else CHANCE.sub("<id>", value)
    return "<time>" if type(value) is int and value > FIRST_TIMESTAMP else value


def is_token(text: str) -> bool:
    """Tell a token, whole or cut short as the pages have it, from a sentence."""
    return "…" in text or (" " not in text and len(text) > TOKEN_LENGTH)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    root = copied(tmp_path_factory.mktemp("checkout"))
    with running(root, tmp_path_factory.mktemp("serve") / "state") as run:
        yield run


def at_the_documented_ports(text: str, served: Run) -> str:
    for documented, real in zip((8000, 8001, 8002), served.ports, strict=True):
        text = re.sub(rf"(127\.0\.0\.1|localhost):{real}\b", rf"\1:{documented}", text)
    return text


def test_the_first_screen_is_the_one_that_is_shown(served: Run) -> None:
    block = TOUR.partition("that trusts Latchkey's guard:\n")[2].partition("A taken port")[0]
    printed = at_the_documented_ports(served.welcome, served).partition("State ")[0]
    assert [line.strip() for line in printed.split("\n")] == [line.strip() for line in block.rstrip().split("\n")] + [
        ""
    ]


def page(address: str) -> str:
    """Open an address as a browser would, and return the page."""
    with urllib.request.urlopen(urllib.request.Request(address, headers={"Accept": "text/html"}), timeout=60) as answer:
        assert answer.headers.get_content_type() == "text/html"
        text: str = answer.read().decode()
    return text


def test_the_first_screen_names_a_page_on_which_a_person_can_log_in(served: Run) -> None:
    match = re.search(r"^Log in at +(\S+)", served.welcome, re.MULTILINE)
    assert match
    assert 'type="password"' in page(match[1])
    match = re.search(r"^Latchkey +(\S+)", served.welcome, re.MULTILINE)
    assert match
    assert "<h1" in page(match[1])


@pytest.mark.skipif(not (ROOT / "tests" / "interop" / "node_modules").exists(), reason="openid-client is not installed")
def test_openid_client_s_lines_lead_to_the_page_on_which_a_person_logs_in(served: Run) -> None:
    (script,) = re.findall(r"```js\n(.*?)```", TOUR, re.DOTALL)
    address = subprocess.run(
        ["node", "--input-type=module", "-"],  # noqa: S607
        input=script.replace("localhost:8000", f"localhost:{served.ports[0]}"),
        cwd=ROOT / "tests" / "interop",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    html = page(address)
    assert APP.client_name in html
    assert 'type="password"' in html


@pytest.fixture(scope="module")
def printed(served: Run) -> list[str]:
    script = "".join(f"{commands}\necho -n '{END}'\n" for commands, _ in steps())
    for documented, real in zip((8000, 8001), served.ports, strict=False):
        script = re.sub(rf"(127\.0\.0\.1|localhost):{documented}\b", rf"\1:{real}", script)
    return [at_the_documented_ports(part, served) for part in run(script)]


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="the tour is for bash with curl")
def test_each_command_of_the_readme_and_the_tour_answers_what_they_say(printed: list[str]) -> None:
    pasted = [answer for _, answer in steps()]
    assert len(STEP.findall(README)) == 1
    assert len(pasted) > 10
    assert [answers(part) for part in printed[:-1]] == [answers(part) for part in pasted]


def test_the_readme_is_a_page() -> None:
    assert README.count("\n") <= 80
