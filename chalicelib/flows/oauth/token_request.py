"""What the grants read of a request to the token endpoint."""

from collections.abc import Mapping
from dataclasses import dataclass

from ...domain.oauth.dpop import Proof


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The parameters that the grant takes, the key that tokens are for, and the network that fetches count against."""

    params: Mapping[str, str]
    proof: Proof
    network: str
