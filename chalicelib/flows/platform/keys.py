from collections.abc import Collection, Mapping

from ...domain.crypto.handles import KEY_LIFE
from ...domain.crypto.keyset import KeySet, SigningKey, State, with_pss
from ...domain.durations import DAY
from ...domain.errors import TemporarilyUnavailable
from ...services import Services

# Longer than any verifier keeps a key set: ours ten minutes, API Gateway's own JWT authorizer two hours.
LEAD_SECONDS = DAY


def current(svc: Services, *, force_refresh: bool = False) -> KeySet:
    """The key set in use, made now if the account has none; `force_refresh` looks again sooner for a key that is missing."""
    keys = svc.keys.recent(svc.now(), force_refresh=force_refresh)
    return keys if keys.complete else ensure(svc)


def ensure(svc: Services) -> KeySet:
    """The first keys, whoever makes them: of any number of callers at once one creates each and all read the same."""
    now = svc.now()
    keys = svc.keys.read(now)
    if not keys.signing:
        svc.keys.create_signing(1, algorithm=svc.settings.algorithm, active_at=now)
    if not keys.refresh:
        svc.keys.create_refresh(1, active_at=now)
    if not keys.pairwise:
        svc.keys.create_pairwise()
    keys = svc.keys.read(now)
    if not keys.complete:
        raise TemporarilyUnavailable(reason="new keys are not visible yet")
    return keys


def rotate(svc: Services, *, lead: int = LEAD_SECONDS, at_once: bool = False) -> KeySet:
    """Publishes successors `lead` seconds before they sign, when the active keys are due or `at_once`; drops spent keys.

    Repeating it, or two at the same moment, changes nothing more: a waiting successor is not followed by another.
    """
    keys, now = ensure(svc), svc.now()
    newest, newest_refresh = keys.signing[-1], keys.refresh[-1]
    due = now - svc.settings.key_days * DAY
    if newest.active_at <= now and (at_once or newest.active_at <= due):
        svc.keys.create_signing(newest.number + 1, algorithm=svc.settings.algorithm, active_at=now + lead)
    if newest_refresh.active_at <= now and (at_once or newest_refresh.active_at <= due):
        svc.keys.create_refresh(newest_refresh.number + 1, active_at=now + lead)
    for key in keys.signing:
        replaced_at = keys.replaced_at(key, now)
        if replaced_at is not None and keys.state(key, now) is State.SPENT:
            # Its public half stays for id_tokens as hints: no session that it has signed for lives longer.
            svc.keys.create_retired(key, until=replaced_at + svc.settings.refresh_absolute_seconds)
            svc.keys.delete("signing", key.number)
    for retired in keys.retired:
        if retired.until <= now:
            svc.keys.delete("retired", retired.jwk["kid"])
    for old, successor in zip(keys.refresh, keys.refresh[1:], strict=False):
        if successor.active_at + KEY_LIFE < now:
            svc.keys.delete("refresh", old.number)
    return svc.keys.read(now)


def published(svc: Services, *, force_refresh: bool = False) -> list[Mapping[str, str]]:
    """The public keys, as JWKs (RFC 7517); `force_refresh` as in `current`."""
    keys = current(svc, force_refresh=force_refresh).published(svc.now())
    return [jwk for key in keys for jwk in with_pss(key.jwk)]


def signer(keyset: KeySet, algorithms: Collection[str], *, now: int) -> SigningKey:
    """The key that signs what only these algorithms may sign."""
    key = keyset.signer(now)
    return key if key.algorithm in algorithms else key.pss()
