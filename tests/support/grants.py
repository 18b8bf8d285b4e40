"""The grant types that there have to be, as their RFCs name them, and which clients may have them: the one list to compare."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """What is to be true of a grant type."""

    specification: str
    public: bool
    self_registrable: bool


EXPECTED = {
    "authorization_code": Expected("RFC 6749 section 4.1.3", public=True, self_registrable=True),
    "refresh_token": Expected("RFC 6749 section 6", public=True, self_registrable=True),
    "client_credentials": Expected("RFC 6749 section 4.4.2", public=False, self_registrable=False),
    "urn:ietf:params:oauth:grant-type:device_code": Expected(
        "RFC 8628 section 3.4", public=True, self_registrable=True
    ),
    "urn:ietf:params:oauth:grant-type:token-exchange": Expected(
        "RFC 8693 section 2.1", public=False, self_registrable=False
    ),
    "urn:ietf:params:oauth:grant-type:jwt-bearer": Expected(
        "RFC 7523 section 2.1", public=False, self_registrable=False
    ),
}
# What others have under these names, or what looks like a name of ours.
UNKNOWN = (
    "password",
    "implicit",
    "Authorization_Code",
    "authorization_code ",
    "Client_Credentials",
    "urn:ietf:params:oauth:grant-type:saml2-bearer",
    "urn:ietf:params:oauth:grant-type:jwt_bearer",
)
