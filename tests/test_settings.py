"""A wrong setting stops what starts with it, and the reason names the variable, the value and what is right."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import chalicelib.services
from app import app
from chalicelib.config import WrongSetting, load
from deploy import deployment, stages
from local import serve
from local.gateway import Gateway

ROOT = Path(__file__).parents[1]
GOOD = {"LATCHKEY_ISSUER": "https://id.example"}
WRONG = {
    "LATCHKEY_ISSUER": "id.example",
    "LATCHKEY_USERS_TABLE": "u",
    "LATCHKEY_GRANTS_TABLE": "the grants",
    "LATCHKEY_OUTBOX_TABLE": "the outbox",
    "LATCHKEY_KEYS_PATH": "latchkey/keys/",
    "LATCHKEY_MAIL_FROM": "Example login@example.com",
    "LATCHKEY_ALGORITHM": "HS256",
    "LATCHKEY_SCOPES": 'account "all"',
    "LATCHKEY_ORIGINS": "https://app.example/",
    "LATCHKEY_BRAND_LOGO": "http://example.com/logo.png",
    "LATCHKEY_BRAND_COLOUR": "red",
    "LATCHKEY_REGISTRATION": "yes",
    "LATCHKEY_CLIENT_DOCUMENTS": "yes",
    "LATCHKEY_SELF_REGISTERED_SCOPES": 'a"b',
    "LATCHKEY_SELF_REGISTERED_RESOURCES": "mcp.example",
    "LATCHKEY_UNUSED_REGISTRATION_DAYS": "0",
    "LATCHKEY_JWKS_URL": "/jwks.json",
    "LATCHKEY_SIGN_UP": "shut",
    "LATCHKEY_SECOND_FACTOR": "always",
    "LATCHKEY_AAL2_SCOPES": 'pay "all"',
    "LATCHKEY_ATTRIBUTES": "level:float:person",
    "LATCHKEY_MAIL_DOMAINS": "*.Example.com",
    "LATCHKEY_REFUSED_MAIL_DOMAINS": "@example.com",
    "LATCHKEY_APPLE_APPS": "com.example.app",
    "LATCHKEY_ANDROID_APPS": "com.example.app=14:6D",
    "LATCHKEY_PASSKEY_ORIGINS": "https://garden.example/login",
    "LATCHKEY_DAILY_HASHES": "many",
    "LATCHKEY_PROOF_OF_WORK": "sometimes",
    "LATCHKEY_PROOF_OF_WORK_BITS": "33",
    "LATCHKEY_PASSWORD_SCORE": "5",
    "LATCHKEY_PASSWORD_HISTORY": "4",
    "LATCHKEY_BREACHED_PASSWORDS_URL": "http://breached.example/range/",
    "LATCHKEY_NEW_DEVICE_MAIL": "yes",
    "LATCHKEY_REMEMBERED_DEVICE_DAYS": "366",
    "LATCHKEY_SESSIONS_PER_ACCOUNT": "-1",
    "LATCHKEY_LIMITS": "no-such-limit=5",
    "LATCHKEY_LOCAL": "yes",
    "LATCHKEY_AWS_CLIENT": "botocore",
}
every_wrong = pytest.mark.parametrize(("name", "value"), WRONG.items(), ids=WRONG.keys())


@every_wrong
def test_a_wrong_setting_is_told_with_its_name_and_its_value(name: str, value: str) -> None:
    with pytest.raises(WrongSetting) as error:
        load({**GOOD, name: value})
    assert name in str(error.value)
    assert any(word.partition("=")[0] in str(error.value) for word in value.split())


@pytest.mark.parametrize("sign_up", ["verified", "invitation"])
def test_sign_up_by_mail_needs_somebody_to_send_it(sign_up: str) -> None:
    with pytest.raises(WrongSetting, match="LATCHKEY_MAIL_FROM"):
        load({**GOOD, "LATCHKEY_SIGN_UP": sign_up})
    assert load({**GOOD, "LATCHKEY_SIGN_UP": sign_up, "LATCHKEY_MAIL_FROM": "login@id.example"}).sign_up == sign_up


def test_scopes_for_which_nobody_could_log_in_strongly_enough_are_wrong() -> None:
    with pytest.raises(WrongSetting, match="LATCHKEY_AAL2_SCOPES"):
        load({**GOOD, "LATCHKEY_AAL2_SCOPES": "pay", "LATCHKEY_SECOND_FACTOR": "off"})
    assert load({**GOOD, "LATCHKEY_AAL2_SCOPES": "pay send"}).aal2_scopes == {"pay", "send"}


def test_a_token_that_stands_where_its_digest_belongs_is_told_to_no_log() -> None:
    with pytest.raises(WrongSetting) as error:
        load({**GOOD, "LATCHKEY_REGISTRATION_TOKEN_SHA256": "the-token-itself"})
    assert "LATCHKEY_REGISTRATION_TOKEN_SHA256 must be" in str(error.value)
    assert "the-token-itself" not in str(error.value)


@pytest.mark.parametrize("module", ["app", "chalicelib.guard.functions", "chalicelib.web.jobs.key_rotation"])
@pytest.mark.parametrize("where", ["lambda", "elsewhere"])
def test_a_function_in_lambda_stops_when_it_starts_and_a_module_elsewhere_does_not(module: str, where: str) -> None:
    environment = {**os.environ, **GOOD, "LATCHKEY_ALGORITHM": "HS256"}
    if where == "lambda":
        environment["AWS_LAMBDA_FUNCTION_NAME"] = "latchkey-dev"
    run = [sys.executable, "-c", f"import {module}"]
    process = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    last = process.stderr.strip().rpartition("\n")[2]
    message = "chalicelib.config.values.WrongSetting: LATCHKEY_ALGORITHM must be RS256, ES256 or EdDSA, not 'HS256'"
    assert (last, process.returncode) == ((message, 1) if where == "lambda" else ("", 0))


def test_where_nothing_stopped_the_start_the_requests_log_line_says_which_setting_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chalicelib.services, "_of_this_container", [])
    monkeypatch.setenv("LATCHKEY_ISSUER", "id.example")
    answer = Gateway(app).handle("POST", "/login", {"Content-Type": "application/json"}, b"{}")
    assert answer.status == 500
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (fault,) = [line for line in lines if line.get("level") == "error"]
    assert "LATCHKEY_ISSUER must be" in fault["reason"]
    assert "'id.example'" in fault["reason"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout of an operator's own."""
    for folder in (".chalice", "chalicelib", "deploy", "cli"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "deploy*.json"))
    return tmp_path


@pytest.mark.parametrize(
    ("command", "function", "name", "value", "message"),
    [
        ("deploy", "api_handler", "LATCHKEY_ALGORITHM", "HS256", "api_handler of the stage dev would not start: "),
        ("deploy", "api_handler", "LATCHKEY_ORIGIN", "https://a.example", "did you mean LATCHKEY_ORIGINS?"),
        ("package", "guard", "LATCHKEY_JWKS_URL", "jwks.json", "guard of the stage dev would not start: "),
    ],
)
def test_nothing_is_deployed_with_a_wrong_or_an_unknown_setting(
    project: Path, command: str, function: str, name: str, value: str, message: str
) -> None:
    file = project / ".chalice" / "config.json"
    config = json.loads(file.read_text())
    config["stages"]["dev"]["lambda_functions"][function].setdefault("environment_variables", {})[name] = value
    file.write_text(json.dumps(config))
    run = [sys.executable, "-m", "cli", command, "--stage", "dev"]
    process = subprocess.run(run, cwd=project, env=os.environ, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout, len(process.stderr.splitlines())) == (1, "", 1)
    assert name in process.stderr
    assert message in process.stderr


def test_our_own_stages_have_no_wrong_setting() -> None:
    for name in stages.names():
        deployment.check_settings(stages.read(name))


def test_a_local_run_with_a_wrong_setting_says_so_in_one_line_before_it_starts_anything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LATCHKEY_ALGORITHM", "HS256")
    assert serve.main(["--state", str(tmp_path / "state")]) == 1
    message = capsys.readouterr().err
    assert message == "Cannot serve: LATCHKEY_ALGORITHM must be RS256, ES256 or EdDSA, not 'HS256'.\n"
    assert not (tmp_path / "state").exists()


def test_work_under_attack_needs_to_know_when_that_is() -> None:
    with pytest.raises(WrongSetting, match="LATCHKEY_DAILY_HASHES"):
        load({**GOOD, "LATCHKEY_PROOF_OF_WORK": "under_attack"})
    assert load({**GOOD, "LATCHKEY_PROOF_OF_WORK": "under_attack", "LATCHKEY_DAILY_HASHES": "5"}).daily_hashes == 5
