"""What is offered to clients that nobody here has registered."""

from ...domain.oauth import self_registered
from ...domain.oauth.client import Client
from ...services import Services


def as_offered(svc: Services, client: Client) -> Client:
    """A client as it may be used by now, whoever registered it; it is never written back like this."""
    settings = svc.settings
    return self_registered.with_present_offer(
        client, scopes=settings.self_registered_scopes, resources=settings.self_registered_resources
    )
