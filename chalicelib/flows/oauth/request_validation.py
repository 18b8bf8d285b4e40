"""Whether an authorization request is as it has to be, at this deployment."""

from collections.abc import Mapping

from ...domain.oauth import authorization_request as oauth
from ...domain.oauth import parameters
from ...domain.oauth.authorization_request import AuthorizationRequest
from ...domain.oauth.client import Client
from ...services import Services
from ..authentication import policy
from ..sessions import resources


def validate(svc: Services, params: Mapping[str, str], client: Client) -> AuthorizationRequest:
    """The request, if every check lets it through; raises the OAuth error of the first that does not."""
    params = parameters.with_registered_resource(params, client, own=svc.settings.audience)
    client = resources.with_scopes_of(svc, client, params.get("resource", ""))
    return oauth.validate(params, client, levels=policy.supported_levels())
