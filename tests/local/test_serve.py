"""`make serve`, run as a developer runs it: on free ports, and stopped as a developer stops it."""

import base64
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.config import LIMITS
from deploy import local_state
from local import demo

pytestmark = pytest.mark.xdist_group("serve")

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 90
LAST_LINE = "Ctrl-C stops everything."


class Run:
    """One run of the program in a checkout, with what it printed at its start."""

    def __init__(
        self,
        root: Path,
        state: Path,
        *,
        ports: tuple[int, ...] = (0, 0, 0),
        options: tuple[str, ...] = (),
        until: str = LAST_LINE,
    ) -> None:
        places = [f"--port={ports[0]}", f"--notes-port={ports[1]}", f"--aws-port={ports[2]}", f"--state={state}"]
        self.state = state
        self.log = state.with_suffix(".log")
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local.serve", *places, *options],
                cwd=root,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.welcome = self.printed_until(until)
        listening = re.findall(r"^\w+ +http://(?:127\.0\.0\.1|localhost):(\d+)", self.welcome, re.MULTILINE)
        self.ports = tuple(int(port) for port in dict.fromkeys(listening))

    def printed_until(self, line: str) -> str:
        """Return what it prints up to a line; fail with its log if that line does not come."""
        assert self.process.stdout is not None
        printed = ""
        patience = threading.Timer(PATIENCE_SECONDS, self.process.terminate)
        patience.start()
        try:
            for each in self.process.stdout:
                printed += each
                if each.strip() == line:
                    return printed
        finally:
            patience.cancel()
        raise AssertionError(printed + self.log.read_text())

    def call(
        self,
        port: int,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
    ) -> Any:
        """Call one of its apps; return the status and what came back as JSON."""
        headers = dict(headers or {}) | ({} if token is None else {"Authorization": f"Bearer {token}"})
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body)
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            content_read = answer.read()
            return answer.status, json.loads(content_read) if content_read else None

    def post_form(self, path: str, fields: dict[str, str], *, user: tuple[str, str]) -> Any:
        """Post a form as a client that shows its secret; return what came back as JSON."""
        credentials = base64.b64encode(":".join(user).encode()).decode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {credentials}"}
        status, answer = self.call(self.ports[0], "POST", path, headers=headers, content=urlencode(fields))
        assert status == 200, answer
        return answer

    def log_in(self, **more: str) -> Any:
        """Return the tokens of the demo user."""
        who = {"email": demo.ADDRESS, "password": demo.PASSWORD, **more}
        status, tokens = self.call(self.ports[0], "POST", "/login", who)
        assert status == 200, tokens
        return tokens

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stop it as Ctrl-C would, and wait."""
        self.process.send_signal(number)
        status = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@contextmanager
def running(root: Path, state: Path, **how: Any) -> Iterator[Run]:
    run = Run(root, state, **how)
    try:
        yield run
    finally:
        if run.process.returncode is None:
            run.stop()


def copied(root: Path) -> Path:
    """Copy what is served, so that nobody's edits of the real files restart it in the midst of a test."""
    for name in ("chalicelib", "deploy", "cli", "local", "examples", ".chalice"):
        # With the byte code: it is as new as its source, whose time is copied too.
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("deployed"))
    for environment in (".venv", ".venv-aws"):
        (root / environment).symlink_to(ROOT / environment)
    for file in ("app.py", "latchkey"):
        shutil.copy(ROOT / file, root)
    return root


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("checkout"))


def descendants(pid: int) -> set[int]:
    """Return the processes below one."""
    table = subprocess.run(["ps", "-Ao", "pid=,ppid="], capture_output=True, text=True, check=True).stdout  # noqa: S607
    parents = {int(child): int(parent) for child, parent in map(str.split, table.splitlines())}
    tree: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in tree | {pid}} - tree:
        tree |= more
    return tree


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_free(port: int) -> bool:
    with socket.socket() as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taker.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass
class End:
    """How a run ended: how many processes it had, its status, which of those go on, and which of its ports are taken."""

    processes: int
    status: int
    left: list[int]
    ports_taken: list[int]


CLEAN = End(processes=4, status=0, left=[], ports_taken=[])


def stopped(run: Run, number: int) -> End:
    processes = descendants(run.process.pid)
    status = run.stop(number)
    return End(
        len(processes),
        status,
        left=[pid for pid in processes if exists(pid)],
        ports_taken=[port for port in run.ports if not is_free(port)],
    )


@dataclass
class Interrupted:
    """A run that Ctrl-C has stopped: its tokens of the demo user, its log at start and end, and how it ended."""

    run: Run
    tokens: dict[str, Any]
    logs: tuple[str, str]
    end: End


@pytest.fixture(scope="module")
def interrupted(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    """The first run on a state; several tests look at what is left of it."""
    with running(checkout, tmp_path_factory.mktemp("serve") / "state") as run:
        log, tokens = run.log.read_text(), run.log_in()
        end = stopped(run, signal.SIGINT)
        return Interrupted(run, tokens, (log, run.log.read_text()), end)


@pytest.fixture(scope="module")
def run(checkout: Path, interrupted: Interrupted) -> Iterator[Run]:
    """The second run on that state, at the same ports: whatever leaves its processes alone is asked of this one."""
    with running(checkout, interrupted.run.state, ports=interrupted.run.ports) as started:
        yield started


def put_where_it_is_looked_for(run: Run, checkout: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    usual = local_state.state_folder(checkout)
    usual.parent.mkdir()
    usual.symlink_to(run.state)


@pytest.mark.parametrize(
    ("command", "message"),
    [("clients show demo-app --local", '"client_name": "Demo app"'), ("keys list --local", "active"),
     ("clients create --local redirect_uris=http://localhost:3000/cb logo_uri=http://localhost:3000/x scopes=openid",
      "3000/x"),
     ("smoke --local", "answers as it should")],
)  # fmt: skip
def test_commands_find_the_run_by_themselves(
    run: Run, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, message: str
) -> None:
    put_where_it_is_looked_for(run, checkout, tmp_path, monkeypatch)
    bare = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", "cli", *command.split()],
        cwd=checkout,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert message in ended.stdout


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_nothing_is_deployed_into_the_run_nor_destroyed_in_it(run: Run, checkout: Path, command: str) -> None:
    there = json.loads((run.state / "environment.json").read_text())
    ended = subprocess.run(
        [sys.executable, "-m", "cli", command, "--stage", "dev"],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], **{name: value for name, value in there.items() if name.startswith("AWS_")}},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(
        r"What AWS_ENDPOINT_URL names knows no accounts: the AWS of `make serve` [^\n]+\n", ended.stderr
    )
    run.log_in()


def test_the_demo_clients_are_there_and_are_told(run: Run) -> None:
    for client in (demo.APP, demo.SERVICE):
        assert client in run.welcome
    with closing(http.client.HTTPConnection("127.0.0.1", run.ports[0], timeout=60)) as connection:
        fields = {"grant_type": "client_credentials", "scope": "notes:read"}
        credentials = base64.b64encode(f"{demo.SERVICE}:{demo.SERVICE_SECRET}".encode()).decode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {credentials}"}
        connection.request("POST", "/oauth/token", urlencode(fields), headers)
        answer = connection.getresponse()
        tokens = json.loads(answer.read())
        assert answer.status == 200, tokens
        request = {
            "client_id": demo.APP,
            "redirect_uri": "http://127.0.0.1:5555/callback",
            "response_type": "code",
        }
        request |= {"code_challenge": "x" * 43, "code_challenge_method": "S256", "scope": "openid notes:read"}
        connection.request("GET", f"/oauth/authorize?{urlencode(request)}")
        page = connection.getresponse()
        assert page.status == 200
        assert b'type="password"' in page.read()
    assert run.call(run.ports[1], "GET", "/notes", token=tokens["access_token"])[0] == 200


def test_a_test_suite_against_the_run_is_not_stopped_by_a_limit(run: Run) -> None:
    most, _ = LIMITS["password_account_network"]
    wrong = {"email": demo.ADDRESS, "password": "not the password"}
    assert {run.call(run.ports[0], "POST", "/login", wrong)[0] for _ in range(most + 1)} == {401}
    run.log_in()


def mails(run: Run, to: str) -> list[dict[str, Any]]:
    status, answer = run.call(run.ports[0], "GET", "/_local/outbox.json")
    assert status == 200
    return [mail for mail in answer["mails"] if mail["to"] == to]


def test_mail_is_there_as_its_reader_would_see_it_and_for_test_suites_once_the_request_is_answered(run: Run) -> None:
    account = {"email": "ann@example.com", "password": demo.PASSWORD}
    status, tokens = run.call(run.ports[0], "POST", "/signup", account)
    assert status == 201
    (mail,) = mails(run, "ann@example.com")
    assert mail["from"] == f"Latchkey <{demo.SENDER}>"
    (code,) = re.findall(r"^[0-9]{6}$", mail["text"], re.MULTILINE)
    assert code in mail["html"]
    with urllib.request.urlopen(f"http://127.0.0.1:{run.ports[0]}/_local/outbox", timeout=60) as page:
        content = unescape(page.read().decode())
    assert mail["subject"] in content
    assert mail["html"] in content
    token = tokens["access_token"]
    assert run.call(run.ports[0], "POST", "/me/email/verification/code", {"code": code}, token)[0] == 204
    assert run.call(run.ports[0], "GET", "/me", token=token)[1]["email_verified"] is True


def test_nothing_is_logged_but_what_was_asked_for(interrupted: Interrupted) -> None:
    before, after = interrupted.logs
    assert before == ""
    assert re.fullmatch(r"[0-9:]{8} latchkey: POST /login 200 \d+ ms\n", after)


@pytest.mark.skipif(not shutil.which("curl"), reason="the lines that are printed call curl")
def test_the_lines_that_it_prints_do_what_they_say(run: Run) -> None:
    lines = run.welcome.partition("without its scope.\n")[2].rpartition(LAST_LINE)[0]
    script = "\n".join(f"{line}; echo" for line in lines.splitlines() if line)
    printed = subprocess.run(["sh", "-eu"], input=script, capture_output=True, text=True, check=True).stdout  # noqa: S607
    tokens, me, refreshed, notes, refused = [json.loads(line) for line in printed.splitlines() if line]

    assert tokens["token_type"] == "Bearer"
    assert me["email"] == demo.ADDRESS
    assert refreshed["refresh_token"] != tokens["refresh_token"]
    assert notes == {"notes": []}
    assert refused["error"] == "insufficient_scope"


def test_the_example_keeps_the_notes_of_each_user_apart_and_obeys_scopes(run: Run) -> None:
    notes = run.ports[1]
    mine = run.log_in()["access_token"]
    someone = {"email": "someone@example.com", "password": demo.PASSWORD}
    other = run.call(run.ports[0], "POST", "/signup", someone)[1]["access_token"]

    status, note = run.call(notes, "POST", "/notes", {"text": "hello"}, mine)
    assert (status, note["text"]) == (201, "hello")
    path = f"/notes/{note['id']}"
    assert run.call(notes, "GET", path, token=mine) == (200, note)
    assert run.call(notes, "GET", path, token=other)[0] == 404
    assert run.call(notes, "DELETE", path, token=other)[0] == 404
    reader = run.log_in(scope="notes:read")["access_token"]
    assert run.call(notes, "GET", path, token=reader)[0] == 200
    assert run.call(notes, "DELETE", path, token=reader)[1]["error"] == "insufficient_scope"
    assert run.call(notes, "GET", path)[1]["error"] == "invalid_token"
    assert run.call(notes, "DELETE", path, token=mine) == (204, None)
    assert run.call(notes, "GET", "/notes", token=mine) == (200, {"notes": []})


def test_after_a_clean_restart_yesterday_s_tokens_are_still_good(interrupted: Interrupted, run: Run) -> None:
    tokens = interrupted.tokens
    assert run.call(run.ports[0], "GET", "/me", token=tokens["access_token"])[1]["email"] == demo.ADDRESS
    assert run.call(run.ports[0], "POST", "/refresh", {"refresh_token": tokens["refresh_token"]})[0] == 200


def parts(run: Run) -> dict[str, int]:
    """Return the processes that it started, by what they are."""
    pids = {}
    for pid in descendants(run.process.pid):
        command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        programs = {"embedded.py": "aws", "function.py": "app", "latchkey": "latchkey", "notes": "notes"}
        known = [part for part in command if Path(part).name in programs]
        pids[programs[Path(known[0]).name]] = pid
    return pids


def test_a_killed_process_is_replaced_with_nothing_lost_that_was_answered_and_sighup_ends_all(
    checkout: Path, tmp_path: Path
) -> None:
    with running(checkout, tmp_path / "state") as run:
        assert sorted(parts(run)) == ["app", "aws", "latchkey", "notes"]
        for name, text in {
            "aws": "The embedded AWS had ended: started anew, with all that it had answered.",
            "latchkey": "The process of latchkey had ended: started anew.",
            "notes": "The process of notes had ended: started anew.",
            "app": "The process of notes had ended: started anew.",
        }.items():
            who = {"email": f"{name}@example.com", "password": demo.PASSWORD}
            token = run.call(run.ports[0], "POST", "/signup", who)[1]["access_token"]
            assert mails(run, who["email"])  # also of an AWS that is another one by now
            os.kill(parts(run)[name], signal.SIGKILL)
            run.printed_until(text)
            assert run.call(run.ports[0], "POST", "/login", who)[0] == 200
            assert run.call(run.ports[1], "GET", "/notes", token=token)[0] == 200
        tokens = run.log_in()
        started = descendants(run.process.pid)
        run.stop(signal.SIGKILL)
        for pid in started:
            gone(pid)
    with running(checkout, tmp_path / "state", ports=run.ports) as again:
        refresh = {"refresh_token": tokens["refresh_token"]}
        assert again.call(again.ports[0], "POST", "/refresh", refresh)[0] == 200
        assert stopped(again, signal.SIGHUP) == CLEAN


def gone(pid: int) -> None:
    """Wait for the end of a process that is nobody's child any more."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], PATIENCE_SECONDS)[0], f"{pid} goes on"
    finally:
        os.close(descriptor)


def test_ctrl_c_leaves_no_process_behind_and_the_ports_free(interrupted: Interrupted) -> None:
    assert interrupted.end == CLEAN


def test_plain_chalice_local_works_beside_it_with_the_environment_that_the_manual_gives(
    run: Run, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    put_where_it_is_looked_for(run, checkout, tmp_path, monkeypatch)
    manual = (ROOT / "docs" / "local.md").read_text().partition("## Plain")[2].replace("8010", str(port))
    script = "\n".join(line.strip() for line in manual.splitlines() if line.startswith("    "))
    programs = Path(sys.executable).parent
    script = script.replace(".venv/bin/", f"{programs}/").replace(f"{programs}/chalice", f"exec {programs}/chalice")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCHKEY_"))}
    chalice = subprocess.Popen(
        ["sh", "-euc", f"{script} --no-autoreload"],  # noqa: S607
        cwd=checkout,
        env=inherited | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with chalice:
        try:
            assert chalice.stdout is not None
            assert any(line.startswith("Serving on") for line in chalice.stdout)
            tokens = run.call(port, "POST", "/login", {"email": demo.ADDRESS, "password": demo.PASSWORD})[1]
            assert run.call(port, "GET", "/me", token=tokens["access_token"])[1]["email"] == demo.ADDRESS
        finally:
            chalice.terminate()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("name", ["127.0.0.1", "[::1]"])
def test_a_browser_is_led_to_the_issuer_from_whatever_name_of_this_machine(run: Run, address: str, name: str) -> None:
    port = run.ports[0]
    with closing(http.client.HTTPConnection(address, port, timeout=60)) as connection:
        connection.request(
            "GET", "/authorize/login?to=a%2Fb", headers={"Accept": "text/html", "Host": f"{name}:{port}"}
        )
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.getheader("Location")) == (
            307,
            f"http://localhost:{port}/authorize/login?to=a%2Fb",
        )
        connection.request("GET", "/authorize/login", headers={"Accept": "text/html", "Host": f"localhost:{port}"})
        page = connection.getresponse()
        assert (page.status, b"<form" in page.read()) == (200, True)


def test_programs_are_answered_under_whatever_name_of_this_machine(run: Run) -> None:
    status, metadata = run.call(run.ports[0], "GET", "/.well-known/openid-configuration")
    assert (status, metadata["issuer"]) == (200, f"http://localhost:{run.ports[0]}")


def test_a_port_that_somebody_has_in_the_other_family_is_reported_as_taken(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET6) as holder:
        holder.bind(("::1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        text = refusal(f"--state={tmp_path}", f"--port={port}", "--notes-port=0", "--aws-port=0")
    assert text.startswith(f"Cannot serve: port {port} of [::1] is taken; choose others with PORT=")


def refusal(*options: str) -> str:
    """Return what it says when it does not start."""
    command = [sys.executable, "-m", "local.serve", *options]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


@pytest.mark.parametrize("option", ["--port", "--notes-port", "--aws-port"])
def test_a_taken_port_is_told_in_one_line(tmp_path: Path, option: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        ports = {"--port": 0, "--notes-port": 0, "--aws-port": 0, option: port}
        text = refusal(f"--state={tmp_path}", *(f"{name}={value}" for name, value in ports.items()))
    assert re.fullmatch(
        rf"Cannot serve: port {port} of 127.0.0.1 is taken; choose others with PORT=, NOTES_PORT=, AWS_PORT=, API_PORT=\.\n",
        text,
    )


def test_a_second_run_on_the_same_state_is_refused(run: Run) -> None:
    state = run.log.with_suffix("")
    text = refusal(f"--state={state}", "--port=0", "--notes-port=0", "--aws-port=0")
    assert text == f"Cannot serve: another one runs on the same state, {state}.\n"


def test_an_edit_is_served_a_broken_one_only_until_the_next_and_sigterm_ends_all(tmp_path: Path) -> None:
    root = copied(tmp_path / "checkout")
    app = (root / "app.py").read_text()
    with running(root, tmp_path / "state") as run:
        assert run.call(run.ports[0], "GET", "/edited")[0] == 404
        (root / "app.py").write_text("not python")
        run.printed_until("It does not start, see above; it is tried again at the next edit.")
        (root / "app.py").write_text(app + '\napp.route("/edited")(lambda: {"edited": True})\n')
        run.printed_until("Edited: started anew.")
        assert run.call(run.ports[0], "GET", "/edited") == (200, {"edited": True})
        assert run.call(run.ports[1], "GET", "/notes")[0] == 401  # the example is there again too
        assert stopped(run, signal.SIGTERM) == CLEAN
