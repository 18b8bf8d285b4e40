from ...domain.errors import InvalidDpopProof, UseDpopNonce
from ...domain.oauth import dpop
from ...domain.oauth.client import Client
from ...domain.oauth.dpop import Proof
from ...domain.records.once import SpentProof
from ...services import Services
from ..platform import macs

NONCE_SECONDS = 300
NO_PROOF = Proof("", "", "")


def verify(svc: Services, unverified_proof: str, *, method: str, path: str, access_token: str = "") -> Proof:
    """A DPoP proof that is good for this request, NO_PROOF where there is none; nothing is written.

    Raises InvalidDpopProof, or UseDpopNonce for a proof without a nonce of the last minutes (RFC 9449 section 8).
    """
    if not unverified_proof:
        return NO_PROOF
    url = svc.settings.issuer + path
    proof = dpop.verify(unverified_proof, method=method, url=url, now=None, access_token=access_token)
    if not _recent(svc, proof.nonce):
        raise UseDpopNonce(nonce=nonce(svc))
    return proof


def check_algorithm(client: Client, proof: Proof) -> None:
    """Raises InvalidDpopProof for a proof that is signed in another way than its client may sign."""
    if proof.jkt and proof.algorithm not in client.algorithms:
        raise InvalidDpopProof(
            f"This client signs DPoP proofs with {', '.join(client.algorithms)}.", reason="DPoP algorithm"
        )


def spend_proof(svc: Services, proof: Proof) -> None:
    """Uses up a proof, for as long as its nonce is good; raises InvalidDpopProof where that was done before.

    It is a write, and so comes after every check that only the right sender passes.
    """
    if proof == NO_PROOF:
        return
    expires_at = (_window(proof.nonce) + 2) * NONCE_SECONDS
    if not svc.once.put_if_absent(SpentProof(), f"{proof.jkt}\0{proof.jti}", expires_at=expires_at, now=svc.now()):
        raise InvalidDpopProof("This DPoP proof was used before.")


def nonce(svc: Services) -> str:
    """The nonce for the next proofs: a MAC of the present time window, so that nothing has to be stored."""
    return _nonce(svc, svc.now() // NONCE_SECONDS)


def _nonce(svc: Services, window: int) -> str:
    return f"{window}.{macs.mac(svc, 'dpop nonce', str(window))}"


def _recent(svc: Services, text: str) -> bool:
    window, _, mac = text.partition(".")
    now = svc.now() // NONCE_SECONDS
    return window in (str(now), str(now - 1)) and macs.verify_mac(svc, mac, "dpop nonce", window)


def _window(own_nonce: str) -> int:
    return int(own_nonce.partition(".")[0])
