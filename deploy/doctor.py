"""What Amazon SES still wants before a stage's mail arrives, each with what to do; it changes nothing."""

from collections.abc import Iterator
from email.utils import parseaddr
from typing import Any

import boto3

from deploy import mail, stages
from deploy.access import PATIENT, session
from deploy.stages import PROJECT, Stage

NEARLY = 0.8  # of what may be sent in a day


def findings(stage: Stage) -> list[str]:
    """Return what is in the way of a stage's mail; an empty list if nothing is."""
    _, sender = parseaddr(stage.environment().get("LATCHKEY_MAIL_FROM", ""))
    if not sender:
        return ["No mail is sent: set LATCHKEY_MAIL_FROM of the stage to an address of yours, and deploy."]
    session()
    ses: Any = boto3.client("sesv2", config=PATIENT)
    return [*_account(ses), *_sender(ses, sender), *_shared_sender(stage, sender), *_events(ses, stage)]


def _account(ses: Any) -> Iterator[str]:
    account = ses.get_account()
    if not account["ProductionAccessEnabled"]:
        yield (
            "SES is in its sandbox in this region: it mails to verified addresses alone. Ask for production access in SES's "
            "console, under the account dashboard."
        )
    if not account["SendingEnabled"] or account.get("EnforcementStatus", "HEALTHY") != "HEALTHY":
        yield (
            f"SES has stopped or limits the account ({account.get('EnforcementStatus', 'sending is off')}): its console says "
            "why, under reputation metrics, and how to answer."
        )
    quota = account.get("SendQuota", {})
    most, sent = quota.get("Max24HourSend", -1), quota.get("SentLast24Hours", 0)
    if 0 <= most <= sent / NEARLY:
        yield f"{sent:.0f} mails were sent in the last day, and {most:.0f} may be: ask for a higher quota in Service Quotas."


def _sender(ses: Any, sender: str) -> Iterator[str]:
    domain = sender.rpartition("@")[2]
    of_domain, of_address = _identity(ses, domain), _identity(ses, sender)
    identity = of_domain or of_address
    if identity is None:
        yield f"{domain} is no identity of SES in this region: add the domain there, with Easy DKIM."
        return
    if not any(each and each["VerifiedForSendingStatus"] for each in (of_domain, of_address)):
        yield f"{domain if of_domain else sender} is not verified: publish the DNS records that SES's console shows for it."
    yield from _dkim(domain, identity)
    from_domain = identity.get("MailFromAttributes", {})
    if from_domain.get("MailFromDomain") and from_domain.get("MailFromDomainStatus") != "SUCCESS":
        name = from_domain["MailFromDomain"]
        yield f"The MAIL FROM domain {name} is {from_domain.get('MailFromDomainStatus')}: publish its MX and SPF records."


def _identity(ses: Any, name: str) -> dict[str, Any] | None:
    try:
        identity: dict[str, Any] = ses.get_email_identity(EmailIdentity=name)
    except ses.exceptions.NotFoundException:
        return None
    return identity


def _dkim(domain: str, identity: dict[str, Any]) -> Iterator[str]:
    dkim = identity.get("DkimAttributes", {})
    if dkim.get("SigningEnabled") and dkim.get("Status") == "SUCCESS":
        return
    records = [f"  {token}._domainkey.{domain} CNAME {token}.dkim.amazonses.com" for token in dkim.get("Tokens", ())]
    what = "publish these records" if records else f"add the domain {domain} to SES, with Easy DKIM"
    yield "\n".join(
        [f"Mail is not signed by DKIM ({dkim.get('Status', 'NOT_STARTED')}), and goes into spam: {what}.", *records]
    )


def _shared_sender(stage: Stage, sender: str) -> Iterator[str]:
    for name in stages.names(project=PROJECT):
        other = stages.read(name)
        theirs = parseaddr(other.environment().get("LATCHKEY_MAIL_FROM", ""))[1]
        if name != stage.name and theirs.lower() == sender.lower():
            yield f"The stage {name} sends as {sender} too: give each its own, so that complaints about one are not the other's."


def _events(ses: Any, stage: Stage) -> Iterator[str]:
    name = stage.configuration_set
    if not name:
        yield (
            "What comes back is not known: set LATCHKEY_SES_CONFIGURATION_SET of the stage to a name of its own, such as "
            f"{stage.deployed_name('api_handler')}, and deploy."
        )
        return
    try:
        known = ses.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"]
    except ses.exceptions.NotFoundException:
        yield f"The configuration set {name} is not there, and no mail is sent without it: run `make deploy STAGE={stage.name}`."
        return
    complete = [
        each
        for each in known
        if each["Enabled"]
        and "EventBridgeDestination" in each
        and set(mail.EVENT_TYPES) <= set(each["MatchingEventTypes"])
    ]
    if not complete:
        yield f"{name} tells nobody of bounces and complaints: run `make deploy STAGE={stage.name}`."
