import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Literal

from ..domain.crypto import keyset
from ..domain.crypto.keyset import HandleKey, KeySet, RetiredKey, SigningKey
from ..domain.errors import TemporarilyUnavailable
from .dynamo import storage_faults

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

Kind = Literal["signing", "refresh", "pairwise", "retired"]
RELOAD_SECONDS = 600
# A token that names a key we lack makes us look again, but never more often than this.
FORCED_RELOAD_SECONDS = 60


class Keys:
    """Private keys in SSM, one SecureString each, numbered and never overwritten: making number n is the one race."""

    def __init__(self, client: "SSMClient", *, path: str, token_life: int) -> None:
        self._client = client
        self._path = path
        self._token_life = token_life
        self._cached: KeySet | None = None
        self._cached_at = 0
        self._stale = False
        self._pairwise = b""

    def recent(self, now: int, *, force_refresh: bool = False) -> KeySet:
        """The keys as they were at most ten minutes ago, at most one minute in a `force_refresh`; one SSM call when it is time.

        In a force_refresh it raises TemporarilyUnavailable where SSM fails: what names a missing key may still be good.
        """
        age = FORCED_RELOAD_SECONDS if force_refresh else RELOAD_SECONDS
        if self._cached is None or now >= self._cached_at + age:
            try:
                return self.read(now)
            except TemporarilyUnavailable:
                # Keys are published a day before they sign: an older set is better than none.
                if self._cached is None:
                    raise
                self._cached_at, self._stale = now, True
        if force_refresh and self._stale:
            raise TemporarilyUnavailable(reason="keys cannot be read again")
        return self._cached

    def read(self, now: int) -> KeySet:
        """The keys as they are now."""
        signing: list[SigningKey] = []
        refresh: list[HandleKey] = []
        retired: list[RetiredKey] = []
        pairwise = b""
        for name, value in self._parameters():
            kind, number = name.split("/")[-2:]
            stored = json.loads(value)
            if kind == "signing":
                signing.append(
                    keyset.signing_key(
                        number=int(number),
                        algorithm=stored["alg"],
                        active_at=stored["active_at"],
                        pem=stored["private_key"],
                    )
                )
            elif kind == "refresh":
                secret = urlsafe_b64decode(stored["secret"])
                refresh.append(HandleKey(number=int(number), active_at=stored["active_at"], secret=secret))
            elif kind == "retired":
                retired.append(RetiredKey(jwk=stored["jwk"], until=stored["until"]))
            elif kind == "pairwise":
                pairwise = urlsafe_b64decode(stored["secret"])
        self._cached = KeySet(
            tuple(sorted(signing, key=lambda k: k.number)),
            tuple(sorted(refresh, key=lambda k: k.number)),
            self._token_life,
            pairwise,
            tuple(sorted(retired, key=lambda k: k.until)),
        )
        self._cached_at, self._stale = now, False
        return self._cached

    def create_signing(self, number: int, *, algorithm: str, active_at: int) -> bool:
        """A new signing key under a free number; False if another was quicker."""
        value = {"alg": algorithm, "active_at": active_at, "private_key": keyset.generate(algorithm)}
        return self._create("signing", number, value)

    def create_refresh(self, number: int, *, active_at: int) -> bool:
        """A new HMAC key under a free number; False if another was quicker."""
        secret = urlsafe_b64encode(secrets.token_bytes(32)).decode()
        return self._create("refresh", number, {"active_at": active_at, "secret": secret})

    def create_pairwise(self) -> bool:
        """The one secret for pairwise subjects, which is never replaced; False if it is there."""
        return self._create("pairwise", 1, {"secret": urlsafe_b64encode(secrets.token_bytes(32)).decode()})

    def create_retired(self, key: SigningKey, *, until: int) -> bool:
        """The public half of a key kept, under its kid, for a number can be given again; False if it is there."""
        return self._create("retired", key.kid, {"jwk": dict(key.jwk), "until": until})

    def pairwise_alone(self) -> bytes:
        """The secret for pairwise subjects, for a function that has no right to read any key; read once."""
        if not self._pairwise:
            with storage_faults():
                answer = self._client.get_parameter(Name=f"{self._path}/pairwise/1", WithDecryption=True)
            self._pairwise = urlsafe_b64decode(json.loads(answer["Parameter"]["Value"])["secret"])
        return self._pairwise

    def delete(self, kind: Kind, name: int | str) -> None:
        """A key gone for good; nothing happens if it is not there."""
        try:
            with storage_faults():
                self._client.delete_parameter(Name=f"{self._path}/{kind}/{name}")
        except self._client.exceptions.ParameterNotFound:
            pass

    def _create(self, kind: Kind, name: int | str, value: dict[str, object]) -> bool:
        try:
            with storage_faults():
                self._client.put_parameter(
                    Name=f"{self._path}/{kind}/{name}",
                    Value=json.dumps(value),
                    Type="SecureString",
                    Overwrite=False,
                )
        except self._client.exceptions.ParameterAlreadyExists:
            return False
        return True

    def _parameters(self) -> list[tuple[str, str]]:
        with storage_faults():
            pages = self._client.get_paginator("get_parameters_by_path").paginate(
                Path=self._path, Recursive=True, WithDecryption=True
            )
            return [(p["Name"], p["Value"]) for page in pages for p in page["Parameters"]]
