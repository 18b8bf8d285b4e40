"""What Amazon SES says of mails that it has sent, as EventBridge brings it; nobody but AWS can say it under this source."""

import re
from collections.abc import Mapping
from typing import Any

from chalice.app import Blueprint, CloudWatchEvent

from ...domain.accounts.model import BOUNCE, COMPLAINT
from ...flows.accounts import mail_problems
from ...flows.platform import audit
from ...services import Services, services

functions = Blueprint(__name__)

PROBLEMS = {"Email Bounced": BOUNCE, "Email Complaint Received": COMPLAINT}
KIND = re.compile(r"[A-Za-z-]{1,40}")
PATTERN = {"source": ["aws.ses"], "detail-type": list(PROBLEMS)}


@functions.on_cw_event(PATTERN, name="mail_events")
def mail_events(event: CloudWatchEvent) -> None:
    """Notes at its account that a mail has come back for good, or was unwanted."""
    note(services(), event.to_dict())


def note(svc: Services, event: Mapping[str, Any]) -> None:
    """Notes what an event says, if it is of a mail that this deployment has sent."""
    detail = event["detail"]
    if not svc.settings.ses_configuration_set or svc.settings.ses_configuration_set not in _configuration_sets(detail):
        return
    problem = PROBLEMS[event["detail-type"]]
    kind, subtype = _kind(detail, problem)
    if problem == BOUNCE and kind != "Permanent":
        return  # a mailbox that is full today
    # Not the bounce's own list, which the receiver's server has written: it may name another mailbox, to which it had
    # forwarded the mail. A mail of ours has one receiver.
    (address,) = detail["mail"]["destination"]
    user = mail_problems.note(svc, address, problem)
    # A complaint's kind is a word of the receiver's server.
    reason = f"{problem} {subtype}" if KIND.fullmatch(subtype) else problem
    audit.record(svc, user.uid if user else "", audit.event(svc, "mail_problem", reason=reason))


def _configuration_sets(detail: Mapping[str, Any]) -> list[str]:
    names: list[str] = detail["mail"].get("tags", {}).get("ses:configuration-set", [])
    return names


def _kind(detail: Mapping[str, Any], problem: str) -> tuple[str, str]:
    if problem == BOUNCE:
        return detail["bounce"]["bounceType"], detail["bounce"]["bounceSubType"]
    return "", detail["complaint"].get("complaintFeedbackType") or ""
