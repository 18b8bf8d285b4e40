"""Passkeys: as second factor beside another, or by themselves, since their answer says whose it is."""

from collections.abc import Iterable, Mapping
from typing import Any

from ....domain.accounts.model import EnrolledFactor, User, factor_entry
from ....domain.authentication import authenticators, levels, webauthn
from ....domain.authentication.attempt import Attempt
from ....domain.authentication.model import Proof
from ....domain.authentication.user_agent import UserAgent
from ....domain.authentication.webauthn import AssertionAnswer, Credential
from ....domain.errors import AccountDisabled, InvalidCredentials, UnknownPasskey
from ....domain.versioned import Record
from ....services import Services
from ...platform import audit, ids, passkey_domain
from . import factor as records
from .factor import Discovery, Enrolment, Factor

NAME = "passkey"
# Of one that can be copied, and that verifies its user; what a login gets is what was proved in it.
AMR = ("swk", "user", levels.SEVERAL)
# The methods of a key that did not verify its user.
KEY = ("hwk", "user")
PUBLIC_KEY = "publicKey"  # as scripts give options to a browser
AUTOMATIC = "automatic"


class Passkey(Record, frozen=True, kw_only=True):
    """What is kept of a passkey."""

    credential: Credential


def credentials(svc: Services, user: User) -> list[Credential]:
    """The passkeys of an account."""
    return [credential_of(each) for each in svc.factors.of_user(user, NAME)]


def begin(svc: Services, user: User, _: UserAgent) -> tuple[dict[str, str], dict[str, Any]]:
    """What a browser or an app makes a new passkey by, and what is needed to verify that it did."""
    return _begin(svc, user, "")


def begin_automatic(svc: Services, user: User, _: UserAgent) -> tuple[dict[str, str], dict[str, Any]]:
    """The same for one that the browser makes by itself, after a password that it had kept, if it wants to."""
    return _begin(svc, user, "1")


def begin_only(svc: Services, user: User) -> tuple[dict[str, str], dict[str, Any]]:
    """The same for an account that is to have nothing else to log in by: it has to verify its user."""
    return _begin(svc, user, "", verification=True)


def _begin(
    svc: Services, user: User, automatic: str, *, verification: bool = False
) -> tuple[dict[str, str], dict[str, Any]]:
    state = {"id": ids.new_id(), AUTOMATIC: automatic}
    options = webauthn.creation_options(
        passkey_domain.relying_party(svc),
        user,
        credentials(svc, user),
        challenge=webauthn.challenge_of(state["id"]),
        verification=verification,
    )
    return state, {PUBLIC_KEY: options}


def finish(svc: Services, user: User, state: Mapping[str, str], answer: str) -> tuple[EnrolledFactor, Proof]:
    """The new passkey in an answer, and what its making proves of its user; raises InvalidCredentials."""
    credential = webauthn.verify_registration(
        passkey_domain.relying_party(svc),
        webauthn.read_registration(answer),
        challenge=webauthn.challenge_of(state["id"]),
        automatic=bool(state[AUTOMATIC]),
    )
    factor = EnrolledFactor(
        uid=user.uid,
        kind=NAME,
        id=webauthn.factor_id(credential.credential_id),
        name=authenticators.name_of(credential.aaguid),
        created_at=svc.now(),
        record=records.encode(Passkey(credential=credential)),
    )
    # At one that a browser made by itself perhaps nobody was there.
    methods = () if state[AUTOMATIC] else webauthn.methods(credential, user_verified=credential.user_verified)
    return factor, Proof(NAME, methods, svc.now())


def finish_only(svc: Services, user: User, state: Mapping[str, str], answer: str) -> tuple[EnrolledFactor, Proof]:
    """The passkey of an account that is to have nothing else; raises InvalidCredentials, also for one that did not verify
    its user: nobody could log in by it alone."""
    factor, proof = finish(svc, user, state, answer)
    if levels.SEVERAL not in proof.amr:
        raise InvalidCredentials("This passkey did not verify its user.", reason="passkey: user not verified")
    return factor, proof


def _identify(svc: Services, attempt: Attempt, answer: str) -> tuple[User, Proof]:
    """The user whom a passkey's answer is of, with the proof that it is; raises InvalidCredentials, AccountDisabled.

    UnknownPasskey is for a good answer of a passkey that nobody has here any more, and for nothing else: it has the passkey
    removed on its device.
    """
    assertion = webauthn.read_assertion(answer)
    webauthn.verify_request(passkey_domain.relying_party(svc), assertion, challenge=webauthn.challenge_of(attempt.id))
    if not assertion.uid:
        raise InvalidCredentials(reason="passkey: no user")
    user = svc.users.read(assertion.uid)
    if user is None or _entry(assertion) not in user.factors:
        raise UnknownPasskey(factors=(NAME,), reason="passkey: unknown", uid=user.uid if user else "")
    proof = _verify(svc, attempt, user, assertion)
    if user.disabled:
        raise AccountDisabled(uid=user.uid)
    return user, proof


def _discover(svc: Services, attempt: Attempt) -> dict[str, Any]:
    # Without two factors the password is asked for as well, which a request that wants a level would rather be spared.
    level = attempt.acr_values or levels.rank(attempt.level) > levels.rank(levels.AAL1)
    return _options(svc, attempt, (), verification=bool(level))


def _challenge(svc: Services, attempt: Attempt, user: User, _: UserAgent) -> dict[str, Any]:
    # Beside another factor the key is enough; by itself it has to verify its user.
    alone = levels.acr_of(levels.united(*attempt.amr, KEY)) == levels.AAL1
    return _options(svc, attempt, credentials(svc, user), verification=alone)


def _options(svc: Services, attempt: Attempt, kept: Iterable[Credential], *, verification: bool) -> dict[str, Any]:
    options = webauthn.request_options(
        passkey_domain.relying_party(svc),
        challenge=webauthn.challenge_of(attempt.id),
        credentials=kept,
        verification=verification,
    )
    return {PUBLIC_KEY: options}


def _verify_answer(svc: Services, attempt: Attempt, user: User, answer: str) -> Proof:
    return _verify(svc, attempt, user, webauthn.read_assertion(answer))


def _verify(svc: Services, attempt: Attempt, user: User, answer: AssertionAnswer) -> Proof:
    kept = svc.factors.find(user, _entry(answer))
    if kept is None:
        raise InvalidCredentials(reason="passkey: not this account's", uid=user.uid)
    assertion = webauthn.verify_assertion(
        passkey_domain.relying_party(svc),
        answer,
        credential_of(kept),
        challenge=webauthn.challenge_of(attempt.id),
        uid=user.uid,
    )
    record = records.encode(Passkey(credential=assertion.credential))
    if not svc.factors.update_record(kept, record, now=svc.now()):
        raise InvalidCredentials(reason="passkey: removed meanwhile", uid=user.uid)
    for oddity in assertion.oddities:
        audit.record(svc, user.uid, audit.event(svc, f"passkey_{oddity}", factor=NAME))
    return Proof(NAME, assertion.amr, svc.now())


def credential_of(kept: EnrolledFactor) -> Credential:
    """The passkey in a factor of this kind."""
    return records.decode(kept, Passkey).credential


def _entry(answer: AssertionAnswer) -> str:
    return factor_entry(NAME, answer.factor_id)


FACTOR = Factor(
    name=NAME,
    amr=AMR,
    verify=_verify_answer,
    challenge=_challenge,
    enrolment=Enrolment(begin, finish, most=10, begin_automatic=begin_automatic),
    discovery=Discovery(_discover, _identify),
    begins_login=True,
    by_script=True,
    # It is a login of its own: whoever adds one to log in faster here would else be locked out on other devices.
    raises_level=False,
)
