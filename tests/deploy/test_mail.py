"""Amazon SES as a deployment sets it up and looks at it, on the embedded AWS."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest

from deploy import mail, stages
from deploy.stages import Stage
from local import aws

DEV = stages.read("dev")


def sending(stage: Stage, **variables: str) -> Stage:
    """The stage as one that sends mail."""
    config = {**stage.environment(), "LATCHKEY_MAIL_FROM": "Example <login@mail.example>", **variables}
    return replace(stage, config={**stage.config, "environment_variables": config})


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[aws.EmbeddedAws]:
    services = ("ses", "sts", "iam", "events")
    with aws.running(state=tmp_path_factory.mktemp("ses"), services=services) as running:
        yield running


@pytest.fixture
def ses(embedded: aws.EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in embedded.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # which remembers the credentials that were there before
    return boto3.client("sesv2")


@pytest.mark.slow
def test_the_configuration_set_tells_the_account_s_bus_of_bounces_and_complaints(ses: Any) -> None:
    stage = sending(DEV)
    for _ in range(2):
        mail.ensure(stage)
        name = {"ConfigurationSetName": "latchkey-dev"}
        assert ses.list_configuration_sets()["ConfigurationSets"] == ["latchkey-dev"]
        (destination,) = ses.get_configuration_set_event_destinations(**name)["EventDestinations"]
        assert destination["Enabled"]
        assert destination["MatchingEventTypes"] == ["BOUNCE", "COMPLAINT"]
        bus = "arn:aws:events:us-east-1:000000000000:event-bus/default"
        assert destination["EventBridgeDestination"] == {"EventBusArn": bus}
    for _ in range(2):
        mail.delete(stage)
        assert ses.list_configuration_sets()["ConfigurationSets"] == []


@pytest.mark.slow
def test_a_stage_that_sends_no_mail_gets_none(ses: Any) -> None:
    mail.ensure(DEV)
    mail.delete(DEV)
    assert ses.list_configuration_sets()["ConfigurationSets"] == []


@pytest.mark.slow
@pytest.mark.usefixtures("ses")
def test_nobody_but_aws_says_what_became_of_a_mail() -> None:
    """EventBridge takes no event whose source begins with aws. from anybody, and the emulator does as it does."""
    entry = {"Source": "aws.ses", "DetailType": "Email Bounced", "Detail": "{}"}
    answer = boto3.client("events").put_events(Entries=[entry])
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
