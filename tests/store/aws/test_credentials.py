from pathlib import Path

import pytest

from chalicelib.domain.errors import TemporarilyUnavailable
from chalicelib.store.aws import credentials
from chalicelib.store.aws.credentials import Credentials, current

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture(autouse=True)
def another_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*KEYS, "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    credentials._session.cache_clear()


def test_those_of_the_environment_are_taken_as_they_are_now() -> None:
    environ = dict(KEYS)
    assert current(environ) == Credentials("AKIDEXAMPLE", "secret", "")
    environ.update(AWS_ACCESS_KEY_ID="AKIDNEW", AWS_SESSION_TOKEN="token")
    assert current(environ) == Credentials("AKIDNEW", "secret", "token")


def test_no_log_of_credentials_has_what_is_secret_of_them() -> None:
    credentials = Credentials("AKIDEXAMPLE", "secret", "token")
    assert repr(credentials) == str(credentials) == "Credentials('AKIDEXAMPLE', ...)"


def test_where_the_environment_has_none_botocore_has_those_of_a_profile(tmp_path: Path) -> None:
    (tmp_path / "AWS_SHARED_CREDENTIALS_FILE").write_text(
        "[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = other\naws_session_token = token\n"
    )
    assert current({}) == Credentials("AKIDFILE", "other", "token")


def test_where_there_are_none_at_all_the_reason_says_so() -> None:
    with pytest.raises(TemporarilyUnavailable) as refusal:
        current({})
    assert refusal.value.reason == "NoCredentialsError"
    assert "Unable to locate credentials" in str(refusal.value.__cause__)


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("end", ["\r\nx-injected: 1", "\n", "\x00"])
def test_what_would_end_a_header_is_refused_loudly(name: str, end: str) -> None:
    with pytest.raises(ValueError, match=name):
        current({**KEYS, name: f"value{end}"})
