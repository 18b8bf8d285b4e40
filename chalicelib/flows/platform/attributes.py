from ...domain.accounts import attributes
from ...domain.accounts.attributes import Definition
from ...domain.accounts.model import User
from ...domain.oauth.client import Client
from ...services import Services


def definitions(svc: Services) -> attributes.Definitions:
    """The attributes of users that this deployment has declared."""
    return {name: Definition(*each) for name, each in svc.settings.attributes.items()}


def claims(svc: Services, client: Client, user: User) -> dict[str, attributes.Value]:
    """The attributes of a user that a client's registration gives it, as claims; none that is not declared by now."""
    return attributes.of(user.attributes, client.attributes, definitions(svc)) if client.attributes else {}


def all_of(svc: Services, user: User) -> dict[str, attributes.Value]:
    """All attributes of a user that are declared by now."""
    return attributes.of(user.attributes, svc.settings.attributes, definitions(svc)) if user.attributes else {}
