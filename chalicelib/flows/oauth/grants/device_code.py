from ....domain.errors import InvalidRequest
from ....domain.oauth.client import DEVICE_CODE, Client
from ....services import Services
from ...sessions.issue import TokenSet
from .. import device
from ..token_request import TokenRequest

GRANT_TYPE = DEVICE_CODE
PARAMETERS = frozenset({"device_code", "resource"})


def redeem(svc: Services, client: Client, request: TokenRequest) -> TokenSet:
    """RFC 8628 section 3.4."""
    params, proof = request.params, request.proof
    if "device_code" not in params:
        raise InvalidRequest("`device_code` is missing.")
    return device.poll(svc, client, params["device_code"], resource=params.get("resource"), proof=proof)
