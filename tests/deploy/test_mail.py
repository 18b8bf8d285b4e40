"""Amazon SES as a deployment sets it up and looks at it, on the embedded AWS."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from deploy import doctor, mail, stages
from deploy.stages import Stage
from local import aws
from tests.support.commands import run

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


def account(**changes: Any) -> dict[str, Any]:
    """What GetAccount answers of an account that may send."""
    quota = {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 10.0}
    healthy = {"ProductionAccessEnabled": True, "SendingEnabled": True, "EnforcementStatus": "HEALTHY"}
    return {**healthy, "SendQuota": quota, **changes}


def identity(**changes: Any) -> dict[str, Any]:
    """What GetEmailIdentity answers of a domain that is ready."""
    dkim = {"SigningEnabled": True, "Status": "SUCCESS", "Tokens": ["a1", "b2"]}
    return {"IdentityType": "DOMAIN", "VerifiedForSendingStatus": True, "DkimAttributes": dkim, **changes}


def destination(**changes: Any) -> dict[str, Any]:
    """An event destination as `mail.ensure` makes it."""
    bus = {"EventBusArn": "arn:aws:events:eu-west-1:123456789012:event-bus/default"}
    made = {"Name": "problems", "Enabled": True, "MatchingEventTypes": ["BOUNCE", "COMPLAINT"]}
    return {**made, "EventBridgeDestination": bus, **changes}


class Answers:
    """Amazon SES with the answers of a test, each checked by botocore against the service's own model."""

    def __init__(self, client: Any) -> None:
        self.stub = Stubber(client)

    def give(
        self,
        of_account: dict[str, Any],
        of_domain: dict[str, Any] | None,
        of_address: dict[str, Any] | None,
        of_events: list[dict[str, Any]] | None,
    ) -> None:
        """What is answered, in the order of the questions; None is an error that says so."""
        self.stub.add_response("get_account", of_account)
        for each in (of_domain, of_address):
            if each is None:
                self.stub.add_client_error("get_email_identity", "NotFoundException", http_status_code=404)
            else:
                self.stub.add_response("get_email_identity", each)
        if of_events is None:
            self.stub.add_client_error(
                "get_configuration_set_event_destinations", "NotFoundException", http_status_code=404
            )
        else:
            self.stub.add_response("get_configuration_set_event_destinations", {"EventDestinations": of_events})
        self.stub.activate()


@pytest.fixture(scope="module")
def client() -> Any:
    """Made once, for botocore reads all that the service can do."""
    account = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="eu-west-1")
    return account.client("sesv2")


@pytest.fixture
def answers(client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """SES in an account that credentials lead to."""
    variables = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "eu-west-1"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
    answers = Answers(client)
    yield answers
    answers.stub.deactivate()


DKIM = {"SigningEnabled": True, "Status": "PENDING", "Tokens": ["a1"]}
NO_SIGNATURE = {"SigningEnabled": False, "Status": "NOT_STARTED"}
FROM = {
    "MailFromDomain": "bounce.mail.example",
    "MailFromDomainStatus": "FAILED",
    "BehaviorOnMxFailure": "REJECT_MESSAGE",
}
FULL = {"Max24HourSend": 200.0, "MaxSendRate": 1.0, "SentLast24Hours": 160.0}


@pytest.mark.parametrize(
    ("mail_answers", "finding"),
    [
        ((account(), identity(), None, [destination()]), ""),
        ((account(), None, identity(IdentityType="EMAIL_ADDRESS"), [destination()]), ""),
        ((account(ProductionAccessEnabled=False), identity(), None, [destination()]), "sandbox"),
        ((account(SendingEnabled=False), identity(), None, [destination()]), "has stopped"),
        ((account(EnforcementStatus="PROBATION"), identity(), None, [destination()]), "PROBATION"),
        ((account(SendQuota=FULL), identity(), None, [destination()]), "160 mails"),
        ((account(), None, None, [destination()]), "add the domain there"),
        ((account(), identity(VerifiedForSendingStatus=False), None, [destination()]), "mail.example is not verified"),
        ((account(), identity(DkimAttributes=DKIM), None, [destination()]), "a1._domainkey.mail.example CNAME a1.dkim"),
        ((account(), None, identity(DkimAttributes=NO_SIGNATURE), [destination()]), "add the domain mail.example"),
        ((account(), identity(MailFromAttributes=FROM), None, [destination()]), "bounce.mail.example is FAILED"),
        ((account(), identity(), None, None), "latchkey-dev is not there"),
        ((account(), identity(), None, []), "tells nobody"),
        ((account(), identity(), None, [destination(Enabled=False)]), "tells nobody"),
        ((account(), identity(), None, [destination(MatchingEventTypes=["BOUNCE"])]), "tells nobody"),
    ],
)
def test_the_doctor_names_the_one_thing_that_is_in_the_way(
    answers: Answers, mail_answers: tuple[Any, ...], finding: str
) -> None:
    answers.give(*mail_answers)
    findings = doctor.findings(sending(DEV))
    assert len(findings) == bool(finding)
    assert finding in "".join(findings)
    answers.stub.assert_no_pending_responses()


def test_two_stages_with_one_sender_are_told_apart(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {name: sending(stages.read(name)) for name in ("dev", "prod")}
    monkeypatch.setattr(stages, "read", others.__getitem__)
    answers.give(account(), identity(), None, [destination()])
    assert ["The stage prod sends as login@mail.example too" in each for each in doctor.findings(others["dev"])] == [
        True
    ]


def test_a_stage_that_names_no_sender_or_no_set_is_told_what_to_name(answers: Answers) -> None:
    (finding,) = doctor.findings(DEV)
    assert "LATCHKEY_MAIL_FROM" in finding
    answers.give(account(), identity(), None, [])
    (finding,) = doctor.findings(sending(DEV, LATCHKEY_SES_CONFIGURATION_SET=""))
    assert "LATCHKEY_SES_CONFIGURATION_SET" in finding


@pytest.mark.slow
def test_what_was_deployed_is_found_as_it_should_be(ses: Any) -> None:
    """On the embedded AWS, whose account may send and whose identities are verified; its DKIM waits for DNS records."""
    stage = sending(DEV)
    assert [finding.partition(" ")[0] for finding in doctor.findings(stage)] == ["mail.example", "The"]
    ses.create_email_identity(EmailIdentity="mail.example")
    mail.ensure(stage)
    findings = doctor.findings(stage)
    assert all("DKIM" in finding for finding in findings)
    mail.delete(stage)


def test_the_command_ends_with_what_is_in_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("doctor", "--stage", "dev")
    assert ended.value.code == 1
    assert "LATCHKEY_MAIL_FROM" in capsys.readouterr().out
