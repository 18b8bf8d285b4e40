from pathlib import Path

import boto3
import pytest

from chalicelib.config import Settings
from chalicelib.flows.platform import keys as flow
from chalicelib.services import Services, build
from tests.support.commands import run
from tests.support.phone import Clock

DAY = 24 * 3600


def rows_of(capsys: pytest.CaptureFixture[str], svc: Services, *arguments: str) -> list[list[str]]:
    run("keys", *arguments, on=svc)
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_listing_an_empty_account_makes_no_keys(svc: Services, capsys: pytest.CaptureFixture[str]) -> None:
    assert rows_of(capsys, svc, "list")[0][:2] == ["No", "keys"]
    assert not svc.keys.read(svc.now()).signing


def test_keys_are_listed_with_their_states(svc: Services, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    clock.seconds = 1_800_000_000  # 2027-01-15 08:00:00 UTC
    (kid,) = (jwk["kid"] for jwk in flow.published(svc))
    assert rows_of(capsys, svc, "list") == [
        ["signing", "1", "active", "2027-01-15", "08:00:00Z", "ES256", kid],
        ["refresh", "1", "active", "2027-01-15", "08:00:00Z"],
    ]


def test_rotating_says_when_nothing_is_due(svc: Services, capsys: pytest.CaptureFixture[str]) -> None:
    flow.ensure(svc)
    assert rows_of(capsys, svc, "rotate")[-1] == ["Nothing", "was", "due."]
    assert len(svc.keys.read(svc.now()).signing) == 1


def test_rotating_at_once_publishes_keys_that_sign_after_the_lead(
    svc: Services, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    flow.ensure(svc)
    lines = rows_of(capsys, svc, "rotate", "--at-once", "--lead", "600")
    assert [line[:3] for line in lines] == [
        ["signing", "1", "active"],
        ["signing", "2", "next"],
        ["refresh", "1", "active"],
        ["refresh", "2", "next"],
    ]
    clock.advance(600)
    assert [line[:3] for line in rows_of(capsys, svc, "list")] == [
        ["signing", "1", "retiring"],
        ["signing", "2", "active"],
        ["refresh", "1", "retiring"],
        ["refresh", "2", "active"],
    ]


def test_a_key_that_is_gone_is_listed_while_it_is_known(
    svc: Services, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    clock.seconds = 1_800_000_000  # 2027-01-15 08:00:00 UTC
    (kid,) = (jwk["kid"] for jwk in flow.published(svc))
    rows_of(capsys, svc, "rotate", "--at-once", "--lead", "0")
    clock.advance(DAY)
    lines = rows_of(capsys, svc, "rotate")
    assert [line[:3] for line in lines[:1]] == [["signing", "2", "active"]]
    assert lines[-1] == ["retired", "until", "2028-01-15", "08:00:00Z", "ES256", kid]


def test_the_lead_is_a_day_unless_said_otherwise(svc: Services, capsys: pytest.CaptureFixture[str]) -> None:
    flow.ensure(svc)
    rows_of(capsys, svc, "rotate", "--at-once")
    assert svc.keys.read(svc.now()).signing[-1].active_at == svc.now() + DAY


def test_no_private_key_is_printed(svc: Services, capsys: pytest.CaptureFixture[str]) -> None:
    keyset = flow.ensure(svc)
    run("keys", "rotate", "--at-once", on=svc)
    output = capsys.readouterr().out
    assert "PRIVATE" not in output
    assert not any(key.secret.hex() in output or str(key.secret) in output for key in keyset.refresh)


@pytest.mark.parametrize(
    "arguments", [[], ["rotate", "--lead", "-1"], ["rotate", "--lead", "soon"], ["list", "--at-once"]]
)
def test_a_command_that_makes_no_sense_is_refused(svc: Services, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("keys", *arguments, on=svc)
    assert ended.value.code == 2
    assert not svc.keys.read(svc.now()).signing


def test_a_stage_that_is_not_there_is_one_clear_line() -> None:
    with pytest.raises(SystemExit, match="no stage 'staging'"):
        run("keys", "list", "--stage", "staging")


def test_a_store_that_cannot_be_reached_is_one_clear_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # which keeps the credentials that it once had
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    svc = build(settings)
    with pytest.raises(SystemExit, match="Unable to locate credentials"):
        run("keys", "list", on=svc)
