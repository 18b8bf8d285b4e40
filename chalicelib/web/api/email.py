"""The JSON API's address of an account: verified by what was mailed to it."""

from typing import Annotated

from msgspec import Meta

from ...domain import errors
from ...flows.accounts import verification
from ...services import Services
from ..http.routing import Api, Caller
from .bodies import Body
from .caller import GUARDED, current

api = Api(__name__)


class Code(Body, frozen=True):
    """The code of a mail, with whatever was pasted around it."""

    code: Annotated[str, Meta(min_length=1, max_length=100)]


@api.route("POST /me/email/verification", status=204, errors=(*GUARDED, errors.NotFound, errors.TooManyRequests))
def request_verification(svc: Services, caller: Caller) -> None:
    """Mails a link and a code to the account's address once more, unless it is verified."""
    user, _ = current(svc, caller)
    verification.request(svc, user, network=caller.network, language=caller.language)


@api.route(
    "POST /me/email/verification/code",
    status=204,
    body=Code,
    errors=(*GUARDED, errors.InvalidCredentials, errors.TooManyRequests),
)
def verify_by_code(svc: Services, caller: Caller, body: Code) -> None:
    """Verifies the account's address by the code of the latest mail."""
    user, _ = current(svc, caller)
    verification.confirm_code(svc, user, body.code, network=caller.network)
