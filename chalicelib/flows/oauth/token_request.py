"""What the grants read of a request to the token endpoint."""

from collections.abc import Mapping

import msgspec

from ...domain.oauth.dpop import Proof


class TokenRequest(msgspec.Struct, frozen=True):
    """The parameters that the grant takes, the key that tokens are for, and the network that fetches count against."""

    params: Mapping[str, str]
    proof: Proof
    network: str
