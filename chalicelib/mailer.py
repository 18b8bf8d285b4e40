"""Mail, by Amazon SES. For jobs alone: boto3 is slow to start."""

from collections.abc import Mapping
from functools import cache
from typing import Any


class NotSentError(Exception):
    """A mail that SES did not take; the text is its error's code, or why it is no use to ask."""


@cache
def _client() -> Any:
    import boto3
    from botocore.config import Config

    # A message that was not sent is tried again by a schedule of its own; nothing waits here meanwhile.
    once = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
    return boto3.client("sesv2", config=once)


def send(
    *,
    sender: str,
    to: str,
    subject: str,
    text: str,
    html: str,
    headers: Mapping[str, str],
    configuration_set: str,
) -> None:
    """Hands one mail over to SES, under a configuration set and with HTML unless that is ""; raises NotSentError."""
    from botocore.exceptions import BotoCoreError, ClientError

    under = {"ConfigurationSetName": configuration_set} if configuration_set else {}
    parts = {name: {"Data": body, "Charset": "UTF-8"} for name, body in (("Text", text), ("Html", html)) if body}
    try:
        _client().send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [_ascii(to)]},
            Content={
                "Simple": {
                    "Subject": {"Data": subject, "Charset": "UTF-8"},
                    "Body": parts,
                    "Headers": [{"Name": name, "Value": value} for name, value in headers.items()],
                }
            },
            **under,
        )
    except ClientError as refusal:
        raise NotSentError(refusal.response["Error"]["Code"]) from None
    except BotoCoreError as failure:
        raise NotSentError(type(failure).__name__) from None


def _ascii(address: str) -> str:
    """The address with its domain as DNS has it: SES takes no other, and no other letters before the @."""
    import idna

    local, _, domain = address.rpartition("@")
    if not local.isascii():
        raise NotSentError("SES takes no such address")
    return address if domain.isascii() else f"{local}@{idna.encode(domain, uts46=True).decode()}"
