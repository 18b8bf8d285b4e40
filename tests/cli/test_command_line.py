"""`./latchkey` itself: from whatever folder, quick to help, and the same list of commands everywhere."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import COMMANDS
from deploy.registered_apis import Register
from deploy.stages import PROJECT
from tests.support.commands import run

SCRIPT = PROJECT / "latchkey"


def called(*arguments: str, script: Path = SCRIPT, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([script, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_the_script_runs_from_another_folder_whose_modules_it_does_not_take_for_ours(tmp_path: Path) -> None:
    for name in ("cli.py", "json.py", "click.py"):
        (tmp_path / name).write_text("raise SystemExit('a stranger')")
    done = called("apis", "list", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_script_runs_by_a_link_and_names_itself_as_the_documents_do(tmp_path: Path) -> None:
    (tmp_path / "latchkey").symlink_to(SCRIPT)
    done = called("keys", "--help", script=tmp_path / "latchkey", folder=tmp_path)
    assert done.stdout.startswith("Usage: ./latchkey keys ")


def test_a_file_is_looked_for_where_the_command_is_typed(tmp_path: Path) -> None:
    (tmp_path / "scopes.json").write_text("[]")
    api = ("--id", "abc123", "--name", "notes", "--file", "scopes.json", "--revocation", "strict")
    done = called("apis", "add", *api, folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "scopes.json is neither a scope map nor an OpenAPI document.\n")


def test_without_an_environment_the_script_says_in_one_line_what_makes_it(tmp_path: Path) -> None:
    copy = tmp_path / "latchkey"
    copy.write_bytes(SCRIPT.read_bytes())
    copy.chmod(0o755)
    done = called("keys", "list", script=copy, folder=PROJECT)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path} has no .venv yet: run `make .venv/.made` there.\n"


HELP = """
import atexit, os, sys
from cli.main import COMMANDS, latchkey

for words in [[], *([name] for name in COMMANDS)]:
    if not os.fork():
        atexit.register(lambda: print("LOADED", *sorted({"boto3", "botocore", "rich"} & sys.modules.keys())))
        latchkey([*words, "--help"], prog_name="./latchkey")
    os.wait()
"""


@pytest.fixture(scope="module")
def helps() -> dict[str, tuple[str, str]]:
    """What each command's help is and what was loaded for it, each in a process that has the list of commands alone."""
    command = [sys.executable, "-c", HELP]
    output = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    answers = re.findall(r"(?ms)(.*?)^LOADED(.*?)\n", output)
    return dict(zip(["", *COMMANDS], answers, strict=True))


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_is_there_for_every_command_and_waits_neither_for_boto_nor_for_rich(
    helps: dict[str, tuple[str, str]], name: str
) -> None:
    text, loaded = helps[name]
    assert text.startswith(f"Usage: ./latchkey {name}".rstrip())
    assert loaded == ""


def test_every_file_of_the_list_is_there_and_every_command_is_named_as_it_is_listed() -> None:
    named = {name: __import__(module, fromlist=["command"]).command.name for name, module in COMMANDS.items()}
    assert named == {name: name for name in COMMANDS}


def test_the_manual_lists_the_commands() -> None:
    manual = (PROJECT / "docs" / "operations.md").read_text().partition("\n## Commands\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", manual, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("words", [["kees"], ["keys", "lst"], ["clients", "show"], ["apis", "add", "--id", "x"]])
def test_a_command_that_does_not_exist_or_lacks_something_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*words)
    assert ended.value.code == 2


def test_a_fault_of_ours_keeps_its_traceback(tmp_path: Path) -> None:
    register = Register(tmp_path)
    register.file.parent.mkdir()
    register.file.write_text("[]")
    with pytest.raises(AttributeError):
        run("apis", "list", on=register)


def test_on_a_terminal_rows_have_headings_and_an_id_is_shown_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "chalicelib" / "apis.json"
    file.parent.mkdir()
    file.write_text('{"a1": {"name": "[red]notes", "revocation": "strict", "answer": "policy", "scopes": {}}}')
    ours, theirs = pty.openpty()
    program = (
        f"from pathlib import Path; from deploy.registered_apis import Register; from tests.support.commands import run;"
        f"run('apis', 'list', on=Register(Path({str(tmp_path)!r})))"
    )
    done = subprocess.Popen(
        [sys.executable, "-c", program], cwd=PROJECT, stdout=theirs, env={**os.environ, "TERM": "dumb"}
    )
    os.close(theirs)
    drawn = os.read(ours, 10_000).decode()
    assert done.wait(60) == 0
    os.close(ours)
    assert [re.split(" {2,}", line.strip()) for line in drawn.splitlines()] == [
        ["Id", "Name", "Revocation", "Answer", "Routes"],
        ["a1", "[red]notes", "strict", "policy", "0 routes"],
    ]
