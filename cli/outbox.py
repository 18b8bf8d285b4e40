"""`./latchkey outbox`: what has not been delivered yet, or never was."""

import json
from typing import TYPE_CHECKING

import click

from cli.target import with_services

if TYPE_CHECKING:
    from chalicelib.domain.records.outbox import OutboxItem
    from chalicelib.services import Services


@click.group("outbox")
def command() -> None:
    """What has to be delivered to somebody outside, and was not yet."""


@command.command("list")
@with_services
def list_messages(svc: "Services") -> None:
    """Print the messages whose delivery has failed, as JSON: why, how often, and when it is tried again (0: never)."""
    failed = sorted((item for item in svc.outbox.undelivered() if item.failures), key=lambda item: item.useful_until)
    print(json.dumps([_members(item) for item in failed], indent=2))


@command.command()
@click.argument("message_id", metavar="ID")
@with_services
def drop(svc: "Services", *, message_id: str) -> None:
    """Delete a message, which is then not delivered any more."""
    from cli.errors import CannotRunError

    kinds = [item.kind for item in svc.outbox.undelivered() if item.message_id == message_id]
    if not kinds:
        raise CannotRunError(f"There is no message {message_id!r} in the outbox.")
    for kind in kinds:
        svc.outbox.delete(message_id, kind)


def _members(item: "OutboxItem") -> dict[str, object]:
    names = ("message_id", "kind", "failures", "reason", "retry_at", "useful_until")
    return {name: getattr(item, name) for name in names}
