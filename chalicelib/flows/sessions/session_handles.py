"""The texts that stand for a session: its refresh tokens, its code and its cookies."""

from ...domain.accounts.model import Session
from ...domain.crypto import handles
from ...domain.crypto.handles import Handle
from ...domain.crypto.keyset import KeySet
from ...services import Services
from ..platform import keys


def encode_handle(svc: Services, keyset: KeySet, session: Session, purpose: bytes) -> str:
    """The one text for a session at its generation and this purpose: its refresh token, its code or its cookie."""
    key = keyset.handle_key(svc.now())
    handle = Handle(uid=session.uid, session_id=session.session_id, generation=session.generation)
    return handles.derive(handle, key_number=key.number, secret=key.secret, purpose=purpose)


def decode_handle(svc: Services, unverified_text: str, purpose: bytes) -> tuple[KeySet, Handle]:
    """The handle in an authentic text of this purpose, and the keys; raises InvalidGrant before any table is read."""
    keyset = keys.current(svc)
    secrets = keyset.handle_secrets()
    number = handles.key_number(unverified_text)
    if number and number not in secrets:
        keyset = keys.current(svc, force_refresh=True)
        secrets = keyset.handle_secrets()
    return keyset, handles.verify(unverified_text, secrets, purpose=purpose)
