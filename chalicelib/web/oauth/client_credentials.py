"""Where a client's credentials may be in a request (RFC 6749 section 2.3.1)."""

from ...domain import errors
from ..http.routing import Caller


def authorization_header(caller: Caller) -> str:
    """The header Authorization of a client that keeps its credentials out of the URL; raises InvalidRequest."""
    if any(name in ("client_secret", "client_assertion") for name, _ in caller.query):
        raise errors.InvalidRequest("Credentials do not belong into a URL.")
    header: str = caller.headers.get("authorization", "")
    return header
