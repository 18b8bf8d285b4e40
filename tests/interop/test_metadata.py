"""What this server says of itself, as Authlib reads the specifications."""

from dataclasses import replace

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata

from chalicelib.config import Settings
from chalicelib.services import Services
from tests.support.phone import Phone


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Have the algorithm that OpenID Connect Discovery asks every issuer to have, which is the default."""
    return replace(settings, algorithm="RS256")


@pytest.mark.parametrize(
    ("document", "checked"),
    [
        ("oauth-authorization-server", AuthorizationServerMetadata),
        ("openid-configuration", OpenIDProviderMetadata),
    ],
)
def test_the_metadata_is_in_order_for_an_issuer_of_the_internet(
    svc: Services, phone: Phone, document: str, checked: type[AuthorizationServerMetadata]
) -> None:
    metadata = phone.call(f"GET /.well-known/{document}").json()
    assert metadata["issuer"] == svc.settings.issuer
    checked(metadata).validate()
