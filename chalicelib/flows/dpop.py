from ..domain import dpop
from ..domain.dpop import Proof
from ..domain.errors import InvalidDpopProof, UseDpopNonce
from ..services import Services
from . import browser

NONCE_SECONDS = 300


def proved(svc: Services, proof: str, *, method: str, path: str, access_token: str = "") -> str:
    """The thumbprint of the key that a DPoP proof shows for this request, "" without a proof; each proof is good once.

    Raises InvalidDpopProof, or UseDpopNonce for a proof without a nonce of the last minutes (RFC 9449 section 8).
    """
    if not proof:
        return ""
    url = svc.settings.issuer + path
    found = dpop.verify(proof, method=method, url=url, now=svc.now(), access_token=access_token)
    if not _recent(svc, found.nonce):
        raise UseDpopNonce(nonce=nonce(svc))
    _first_seen(svc, found)
    return found.jkt


def nonce(svc: Services) -> str:
    """The nonce for the next proofs: a mark of the present window, so that nothing has to be kept."""
    return _nonce(svc, svc.now() // NONCE_SECONDS)


def _nonce(svc: Services, window: int) -> str:
    return f"{window}.{browser.mark(svc, 'dpop nonce', str(window))}"


def _recent(svc: Services, text: str) -> bool:
    window, _, mark = text.partition(".")
    now = svc.now() // NONCE_SECONDS
    return window in (str(now), str(now - 1)) and browser.marked(svc, mark, "dpop nonce", window)


def _first_seen(svc: Services, found: Proof) -> None:
    until = svc.now() + 2 * dpop.SECONDS + 1
    if not svc.once.first("dpop proof", f"{found.jkt}\0{found.jti}", expires_at=until, now=svc.now()):
        raise InvalidDpopProof("This DPoP proof was used before.")
