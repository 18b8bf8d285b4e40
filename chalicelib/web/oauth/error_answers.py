"""The errors that OAuth's endpoints share, and an error answer that has more than the usual members."""

from collections.abc import Mapping

from ...domain import errors
from ..http import request_log
from ..http.answers import Answer

# RFC 6749 section 5.2: at these endpoints a bad grant is the request's fault; 401 is for clients that did not authenticate.
STATUSES = {errors.InvalidGrant.code: 400}
PROOF_ERRORS = (errors.InvalidDpopProof, errors.UseDpopNonce)
CLIENT_ERRORS = (errors.InvalidClient, errors.UnauthorizedClient, errors.InvalidScope)


def error_answer(refusal: errors.LatchkeyError, status: int, headers: Mapping[str, str], **more: str) -> Answer:
    """An error with more members or headers than the usual answer."""
    request_log.set_outcome(refusal)
    body = {"error": refusal.code, "error_description": refusal.description, **more}
    return Answer(body=body, status=status, headers=headers)
