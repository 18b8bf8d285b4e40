"""Proof of work in front of the hash: a sealed challenge that nothing is kept of, and an answer that is good once."""

from ...domain.accounts.limits import SingleUse
from ...domain.authentication import proof_of_work
from ...domain.errors import ProofOfWorkRequired
from ...domain.records.sealed import SealedWork
from ...services import Services
from . import sealing
from .ids import new_id

OFF, ON, UNDER_ATTACK = "off", "on", "under_attack"
USED, SECONDS = "proof_of_work", SealedWork.seconds


def challenge(svc: Services) -> tuple[str, int]:
    """A new challenge, and how many zero bits its answer's digest begins with."""
    bits = svc.settings.proof_of_work_bits
    return sealing.seal(svc, SealedWork(id=new_id(), bits=bits)), bits


def required(svc: Services) -> ProofOfWorkRequired:
    """The refusal that asks for work, with a new challenge."""
    text, bits = challenge(svc)
    return ProofOfWorkRequired(challenge=text, bits=bits)


def single_use(svc: Services, answer: str) -> SingleUse | None:
    """What an answer, `challenge.number`, is counted against to be good once; None for one that is none, or is too old."""
    text, _, number = answer.rpartition(".")
    record = sealing.unseal(svc, text, SealedWork) if text else None
    if record is None or not proof_of_work.is_done(text, number, bits=record.bits):
        return None
    return SingleUse(USED, record.id, 1, record.seconds)
