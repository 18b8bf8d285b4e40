"""Where commands work: a stage's account, or the local run; and what they say where there is neither."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.store.aws.client import PATIENT, USUAL
from chalicelib.store.aws.http_transport import HttpTransport
from cli.target import Target
from deploy import local_state
from deploy.stages import PROJECT
from tests.support.commands import run

LOCAL = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:0",  # its port is each test's own
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "run's own",
    "AWS_DEFAULT_REGION": "us-east-1",
    "LATCHKEY_ISSUER": "http://127.0.0.1:8000",
    "LATCHKEY_KEYS_PATH": "/of/the/local/run",
}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a local run that tells of itself, for this test alone; what a command changes is put back."""
    before = dict(os.environ)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = local_state.state_folder()
    folder.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setitem(LOCAL, "AWS_ENDPOINT_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        yield folder
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(("stage", "path"), [("dev", "/latchkey/dev/keys"), ("prod", "/latchkey/prod/keys")])
def test_a_stage_has_its_own_tables_and_keys(stage: str, path: str) -> None:
    settings = Target(stage).services().settings
    assert (settings.keys_path, settings.users_table) == (path, f"latchkey-{stage}-users")


@pytest.mark.usefixtures("aws")
def test_a_command_waits_for_aws_longer_than_a_request_may() -> None:
    svc = Target().services()
    for client in (svc.users._client, svc.keys._client):
        assert isinstance(client.transport, HttpTransport)
        assert client.transport._seconds == PATIENT
    assert min(PATIENT) > max(USUAL)


def test_the_local_run_is_found_without_anything_exported(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another account")
    local_state.remember(state, {**LOCAL, "HOME": "/home/ann"})
    svc = Target(local=True).services()
    assert (svc.settings.keys_path, svc.settings.issuer) == ("/of/the/local/run", "http://127.0.0.1:8000")
    assert {name: value for name, value in os.environ.items() if name.startswith("AWS_")} == {
        name: value for name, value in LOCAL.items() if name.startswith("AWS_")
    }


def test_what_is_remembered_is_for_its_owner_alone_and_nothing_else_of_the_shell(state: Path) -> None:
    local_state.remember(state, {**LOCAL, "HOME": "/home/ann"})
    assert local_state.of_local_run() == LOCAL
    assert (state / "environment.json").stat().st_mode & 0o777 == 0o600


def test_other_programs_get_it_as_lines_for_their_shell(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    local_state.remember(state, LOCAL)
    run("environment")
    shell = subprocess.run(
        ["/bin/sh", "-c", capsys.readouterr().out + 'printf %s "$AWS_SECRET_ACCESS_KEY"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout == "run's own"


def test_where_nothing_runs_the_way_to_start_it_is_told(state: Path) -> None:
    local_state.remember(state, LOCAL)
    local_state.forget(state)
    local_state.forget(state)  # twice is as good as once
    with pytest.raises(SystemExit, match="make serve"):
        run("clients", "show", "demo-app", "--local")


def test_a_run_that_was_killed_is_no_run(state: Path) -> None:
    with socket.socket() as holder:  # nobody listens on it
        holder.bind(("127.0.0.1", 0))
        local_state.remember(state, {**LOCAL, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{holder.getsockname()[1]}"})
        with pytest.raises(SystemExit, match="make serve"):
            run("keys", "list", "--local")


def test_a_local_run_is_no_stage() -> None:
    with pytest.raises(SystemExit) as ended:
        run("keys", "list", "--local", "--stage", "prod")
    assert ended.value.code == 2


@pytest.mark.parametrize("command", ["clients show shop", "keys list", "keys rotate", "deploy", "destroy"])
@pytest.mark.parametrize(("variable", "message"), [("AWS_DEFAULT_REGION", "No region"), ("AWS_ACCESS", "No AWS cred")])
def test_a_shell_without_an_account_is_told_what_it_lacks_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, variable: str, message: str
) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_ACCESS", "AWS_SECRET", "AWS_SESSION", variable))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SystemExit, match=f"^{message}") as ended:
        run(*command.split(), "--stage", "prod")
    assert "\n" not in str(ended.value)


@pytest.mark.parametrize("command", ["clients show shop", "keys list"])
def test_an_aws_that_is_not_there_is_named_in_one_line(command: str) -> None:
    with socket.socket() as holder:  # nobody listens on it
        holder.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{holder.getsockname()[1]}/"
        shell = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "eu-central-1"}
        ended = subprocess.run(
            [sys.executable, "-m", "cli", *command.split()],
            cwd=PROJECT,
            env={**os.environ, **shell, "AWS_ENDPOINT_URL": url},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (ended.returncode, ended.stdout) == (1, "")
    where = url.removeprefix("http://").rstrip("/")
    assert ended.stderr == f"AWS does not answer: {where}: ConnectionRefusedError: [Errno 111] Connection refused\n"
