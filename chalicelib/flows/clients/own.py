"""This server's own clients, which nobody registers."""

from ...domain.oauth.client import REFRESH, Client
from ...services import Services

# A browser session is a session like any other, so that the list of sessions shows it and "end all" ends it.
BROWSER = Client(client_id="browser", token_endpoint_auth_method="none", client_name="Browser", first_party=True)


def json_api(svc: Services) -> Client:
    """The client that the JSON API is: ours, public, and with all scopes of a first-party login."""
    return Client(
        client_id=svc.settings.client_id,
        token_endpoint_auth_method="none",
        grant_types=(REFRESH,),
        scopes=svc.settings.scopes,
        first_party=True,
        access_token_roles=True,
    )
