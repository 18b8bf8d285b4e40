"""What registered clients were refused for in the last day, for their operators."""

from ...domain.oauth.client import Client
from ...services import Services


def setting_of(*, code: str, reason: str) -> str:
    """The member of a client's metadata that a refusal of this code and reason is about; "" for none."""
    from ...domain.oauth.causes import CAUSES, cause_of  # which nobody who is not refused waits for

    cause = cause_of(code, reason)
    return CAUSES[cause].setting if cause else ""


def keep(svc: Services, client: Client, *, code: str, reason: str) -> None:
    """Keeps that a client was refused, if there is a cause to name.

    Of a client that nobody registered nothing is kept: anybody makes as many as they like.
    """
    from ...domain.oauth.causes import cause_of

    cause = cause_of(code, reason)
    if cause and client.created_at:
        svc.refusals.keep(client.client_id, cause, now=svc.now())


def of_client(svc: Services, client: Client) -> dict[str, int]:
    """When a client was last refused in the last day, in epoch seconds, by the cause; the latest first."""
    from ...domain.oauth.causes import CAUSES

    latest = svc.refusals.read(client.client_id, now=svc.now())
    return {
        cause: at
        for cause, at in sorted(latest.items(), key=lambda each: -each[1])
        if cause in CAUSES and at >= client.created_at
    }
