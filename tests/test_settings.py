"""A wrong setting stops what starts with it, and the reason names the variable, the value and what is right."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import chalicelib.services
from app import app
from chalicelib.config import Settings, WrongSetting, load
from chalicelib.config.custom import OF_PROFILE
from chalicelib.domain.accounts.profile import CLAIMS
from deploy import custom, deployment, stages
from deploy.errors import CannotDeployError
from local import serve
from local.gateway import Gateway
from tests.support.resident import Resident, resident

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
    "LATCHKEY_REFERENCE": "yes",
    "LATCHKEY_REFERENCE_CLIENT": "demo docs",
    "LATCHKEY_BRAND_LOGO": "http://example.com/logo.png",
    "LATCHKEY_BRAND_COLOUR": "red",
    "LATCHKEY_BRAND_FAVICON": "/icon.png",
    "LATCHKEY_BRAND_PICTURE_ORIGINS": "https://images.example.com/",
    "LATCHKEY_BRAND_HELP": "help@example.com",
    "LATCHKEY_BRAND_PRIVACY": "example.com/privacy",
    "LATCHKEY_BRAND_TERMS": "http://example.com/terms",
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
    "LATCHKEY_DELETION_DAYS": "91",
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
    "LATCHKEY_HOOK_MILLISECONDS": "99",
    "LATCHKEY_SLOW_HOOK": "retry",
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


# What a document gives as the default of a setting, where it is a value: "- `LATCHKEY_SIGN_UP` (`open`)", "(30)", "(0, never)".
DEFAULT = re.compile(r"^- `(LATCHKEY_[A-Z0-9_]+)` \(`?([^`),;<]+)`?[),;]", re.MULTILINE)
NO_VALUES = re.compile(r"none|all\b|the issuer|the API's|those |a |as |unset|yours")


def members(settings: Settings) -> dict[str, Any]:
    return {each.name: getattr(settings, each.name) for each in fields(settings)}


def test_a_default_in_the_code_is_what_is_there_where_the_environment_says_nothing() -> None:
    loaded = members(load(GOOD))
    plain = {name: loaded[name] for name in ("issuer", "audience", "keys_path", "jwks_url", "hooks_file")}
    tables: dict[str, Any] = {f"{name}_table": table for name, table in load(GOOD).tables.items()}
    assert loaded == members(Settings(**plain, **tables))


@pytest.mark.parametrize(
    ("name", "default"),
    [pair for pair in DEFAULT.findall((ROOT / "docs" / "operations.md").read_text()) if not NO_VALUES.match(pair[1])],
)
def test_a_default_in_the_documents_is_what_is_there_where_the_environment_says_nothing(
    name: str, default: str
) -> None:
    assert members(load({**GOOD, name: default})) == members(load(GOOD))


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


STARTED = ["app", "chalicelib.guard.functions", "chalicelib.web.jobs.key_rotation"]


def start(*modules: str, **variables: str) -> tuple[str, int]:
    """Import modules with a wrong setting; return the last line of what was complained of, and the status."""
    environment = {**os.environ, **GOOD, "LATCHKEY_ALGORITHM": "HS256", **variables}
    run = [sys.executable, "-c", f"import {', '.join(modules)}"]
    process = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return process.stderr.strip().rpartition("\n")[2], process.returncode


@pytest.mark.parametrize("module", STARTED)
def test_a_function_in_lambda_stops_when_it_starts_with_a_wrong_setting(module: str) -> None:
    message = "chalicelib.config.values.WrongSetting: LATCHKEY_ALGORITHM must be RS256, ES256 or EdDSA, not 'HS256'"
    assert start(module, AWS_LAMBDA_FUNCTION_NAME="latchkey-dev") == (message, 1)


def test_a_module_elsewhere_does_not_stop_with_a_wrong_setting() -> None:
    assert start(*STARTED) == ("", 0)


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


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of an operator's own, with the byte code, which its commands would make anew otherwise."""
    project = tmp_path_factory.mktemp("project")
    for folder in (".chalice", "chalicelib", "deploy", "cli"):
        shutil.copytree(ROOT / folder, project / folder, ignore=shutil.ignore_patterns("deploy*.json"))
    return project


@pytest.fixture(scope="module")
def commands(project: Path) -> Iterator[Resident]:
    with resident(project) as commands:
        yield commands


@pytest.mark.parametrize(
    ("command", "function", "name", "value", "message"),
    [
        ("deploy", "api_handler", "LATCHKEY_ALGORITHM", "HS256", "api_handler of the stage dev would not start: "),
        ("deploy", "api_handler", "LATCHKEY_ORIGIN", "https://a.example", "did you mean LATCHKEY_ORIGINS?"),
        ("package", "guard", "LATCHKEY_JWKS_URL", "jwks.json", "guard of the stage dev would not start: "),
    ],
)
def test_nothing_is_deployed_with_a_wrong_or_an_unknown_setting(
    project: Path, commands: Resident, command: str, function: str, name: str, value: str, message: str
) -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    config["stages"]["dev"]["lambda_functions"][function].setdefault("environment_variables", {})[name] = value
    (project / ".chalice" / "config.json").write_text(json.dumps(config))
    done = commands.run(command, "--stage", "dev", environment=os.environ)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert name in done.stderr
    assert message in done.stderr


# Files of an operator's own that nothing could start with, and what is said of each.
WRONG_FILES = {
    "a syntax error": ("hooks.py", "def before_login(event:\n", "SyntaxError"),
    "a missing module": ("hooks.py", "import no_such_module\n", "no_such_module"),
    "an exit": ("hooks.py", "raise SystemExit\n", "SystemExit"),
    "an unknown name": ("hooks.py", "def before_logn(event): ...\n", "before_logn is no hook"),
    "no hook": ("hooks.py", "", "it has no hook"),
    "no argument": ("hooks.py", "def before_login(): ...\n", "before_login must take one argument"),
    "two arguments": ("hooks.py", "def before_login(event, context): ...\n", "must take one argument"),
    "a coroutine": ("hooks.py", "async def before_login(event): ...\n", "before_login is no plain function"),
    "no function": ("hooks.py", "before_login = 7\n", "before_login is no plain function"),
    "no JSON": ("claims.json", "{", "is no JSON"),
    "no object": ("claims.json", "[7]", "must be an object"),
    "another token": ("claims.json", '{"refresh_token": {}}', "refresh_token"),
    "a registered claim": ("claims.json", '{"access_token": {"sub": "ann"}}', "'sub'"),
    "one for a client": ("claims.json", '{"clients": {"a": {"id_token": {"roles": "x"}}}}', "'roles'"),
    "an unknown place": ("claims.json", '{"access_token": {"x": {"y": ["{password}"]}}}', "{password}"),
    "an undeclared attribute": ("claims.json", '{"access_token": {"x": "{attributes.plan}"}}', "{attributes.plan}"),
    "a stray brace": ("claims.json", '{"access_token": {"x": "{name"}}', "brace"),
    "more than a kilobyte": ("claims.json", json.dumps({"id_token": {"x": "x" * 1024}}), "1024 at most"),
    "too deep": ("claims.json", '{"id_token": {"x": [[[[["y"]]]]]}}', "deeper"),
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Where an operator's own files are looked for."""
    (tmp_path / "custom").mkdir()
    return tmp_path


@pytest.mark.parametrize(("name", "content", "message"), WRONG_FILES.values(), ids=WRONG_FILES.keys())
def test_nothing_is_deployed_with_a_file_that_could_not_be_used(
    checkout: Path, name: str, content: str, message: str
) -> None:
    (checkout / "custom" / name).write_text(content)
    with pytest.raises(CannotDeployError, match=re.escape(message)) as error:
        deployment.check_settings(stages.read("dev"), project=checkout)
    assert name in str(error.value)


@pytest.mark.parametrize(
    "name", ["a syntax error", "an unknown name", "a registered claim", "more than a kilobyte", "no hook"]
)
def test_nor_is_anything_started_here(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    file, content, message = WRONG_FILES[name]
    (checkout / "custom" / file).write_text(content)
    (checkout / ".chalice").symlink_to(ROOT / ".chalice")
    monkeypatch.setattr(serve, "ROOT", checkout)
    assert serve.main(["--state", str(checkout / "state")]) == 1
    assert message in capsys.readouterr().err
    assert not (checkout / "state").exists()


def test_files_that_can_be_used_are_what_a_deployment_starts_with(checkout: Path) -> None:
    folder = checkout / "custom"
    (folder / "hooks.py").write_text("from .plans import plan\ndef before_login(event): plan()\n")
    (folder / "plans.py").write_text("def plan(): ...\n")
    (folder / "claims.json").write_text('{"access_token": {"x": "{name}"}}')
    deployment.check_settings(stages.read("dev"), project=checkout)
    settings = load({**GOOD, "LATCHKEY_CUSTOM_FOLDER": str(folder)})
    assert settings.claims == {"": {"access_token": {"x": "{name}"}, "id_token": {}}}
    package = checkout / "package"
    package.mkdir()
    custom.copy(checkout, package)
    assert {file.name for file in (package / "custom").iterdir()} == {"hooks.py", "plans.py", "claims.json"}


def test_what_stands_for_a_claim_of_the_profile_is_what_there_is() -> None:
    assert tuple(CLAIMS) == OF_PROFILE


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
