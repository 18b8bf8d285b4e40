"""What the endpoints of OAuth have in common: their usual refusals, and where a client's credentials are."""

from collections.abc import Mapping

from ...domain import errors
from ..http import request_log
from ..http.answers import Answer
from ..http.routing import Caller

# RFC 6749 section 5.2: at these endpoints a bad grant is the request's fault; 401 is for clients that did not authenticate.
RFC6749 = {errors.InvalidGrant.code: 400}
PROOFS = (errors.InvalidDpopProof, errors.UseDpopNonce)
REFUSALS = (errors.InvalidClient, errors.UnauthorizedClient, errors.InvalidScope)


def refused_with(refusal: errors.LatchkeyError, status: int, headers: Mapping[str, str], **more: str) -> Answer:
    """A refusal that says more than the usual."""
    request_log.set_outcome(refusal)
    body = {"error": refusal.code, "error_description": refusal.description, **more}
    return Answer(body=body, status=status, headers=headers)


def credentials(caller: Caller) -> str:
    """The header Authorization of a client that keeps its credentials out of the URL; raises InvalidRequest."""
    if any(name in ("client_secret", "client_assertion") for name, _ in caller.query):
        raise errors.InvalidRequest("Credentials do not belong into a URL.")
    found: str = caller.headers.get("authorization", "")
    return found
