from ..domain.errors import TooManyRequests
from ..domain.model import Limit
from ..services import Services

QUARTER, HOUR = 15 * 60, 60 * 60


def password_attempt(svc: Services, *, canonical_email: str, network: str) -> None:
    """Counts one guess of a password; raises TooManyRequests.

    The first two limits are each network's own. The third is all networks' together: no single one can use it up, for it
    has 40 guesses in an hour by the first, but several can, and then nobody logs in to that account until the hour ends.
    """
    _spend(
        svc,
        Limit("password from one network", f"{canonical_email}\0{network}", 10, QUARTER),
        Limit("passwords from one network", network, 100, QUARTER),
        Limit("password from anywhere", canonical_email, 100, HOUR),
    )


def sign_up(svc: Services, *, network: str) -> None:
    """Counts one new account from a network; raises TooManyRequests."""
    _spend(svc, Limit("sign-up", network, 20, HOUR))


def device_code(svc: Services, *, network: str) -> None:
    """Counts one user code typed; raises TooManyRequests."""
    _spend(svc, Limit("device code", network, 30, QUARTER))


def client_document(svc: Services, *, host: str) -> None:
    """Counts one look at a host that a stranger named; raises TooManyRequests, so that nobody is flooded through us."""
    _spend(svc, Limit("client document", host, 100, QUARTER))


def registration(svc: Services, *, network: str) -> None:
    """Counts one client registered without a token; raises TooManyRequests."""
    _spend(svc, Limit("registration", network, 20, HOUR))


def pushed_request(svc: Services, *, network: str) -> None:
    """Counts one request pushed by a client that proves nothing; raises TooManyRequests, for each is kept for a day."""
    _spend(svc, Limit("pushed request", network, 200, QUARTER))


def _spend(svc: Services, *limits: Limit) -> None:
    forbidding = svc.attempts.spend(limits, now=svc.now())
    if forbidding:
        raise TooManyRequests(retry_after=forbidding.wait(svc.now()), reason=forbidding.kind)
