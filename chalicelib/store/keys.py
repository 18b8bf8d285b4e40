import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

from ..domain.crypto import keyset
from ..domain.crypto.keyset import HandleKey, KeySet, RetiredKey, SigningKey
from ..domain.errors import TemporarilyUnavailable
from ..domain.versioned import Record
from . import key_parameters
from .aws.client import AwsClient, AwsError
from .key_parameters import HandleKeyParameter, Kind, PairwiseParameter, RetiredParameter, SigningParameter

RELOAD_SECONDS = 600
# A token that names a key we lack makes us look again, but never more often than this.
FORCED_RELOAD_SECONDS = 60


class Keys:
    """Private keys in SSM, one SecureString each, numbered and never overwritten: making number n is the one race."""

    def __init__(self, client: AwsClient, *, path: str, token_life: int) -> None:
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
        parameters = [(*name.split("/")[-2:], value) for name, value in self._parameters()]
        signing = [_signing_key(number, value) for kind, number, value in parameters if kind == "signing"]
        handle = [_handle_key(number, value) for kind, number, value in parameters if kind == "refresh"]
        retired = [_retired_key(value) for kind, _, value in parameters if kind == "retired"]
        pairwise = [_pairwise_secret(value) for kind, _, value in parameters if kind == "pairwise"]
        self._cached = KeySet(
            tuple(sorted(signing, key=lambda k: k.number)),
            tuple(sorted(handle, key=lambda k: k.number)),
            self._token_life,
            pairwise[-1] if pairwise else b"",
            tuple(sorted(retired, key=lambda k: k.until)),
        )
        self._cached_at, self._stale = now, False
        return self._cached

    def create_signing(self, number: int, *, algorithm: str, active_at: int) -> bool:
        """A new signing key under a free number; False if another was quicker."""
        key = SigningParameter(alg=algorithm, active_at=active_at, private_key=keyset.generate(algorithm))
        return self._create("signing", number, key)

    def create_refresh(self, number: int, *, active_at: int) -> bool:
        """A new HMAC key under a free number; False if another was quicker."""
        return self._create("refresh", number, HandleKeyParameter(active_at=active_at, secret=_new_secret()))

    def create_pairwise(self) -> bool:
        """The one secret for pairwise subjects, which is never replaced; False if it is there."""
        return self._create("pairwise", 1, PairwiseParameter(secret=_new_secret()))

    def create_retired(self, key: SigningKey, *, until: int) -> bool:
        """The public half of a key kept, under its kid, for a number can be given again; False if it is there."""
        return self._create("retired", key.kid, RetiredParameter(jwk=dict(key.jwk), until=until))

    def pairwise_alone(self) -> bytes:
        """The secret for pairwise subjects, for a function that has no right to read any key; read once."""
        if not self._pairwise:
            answer = self._client.call("GetParameter", Name=f"{self._path}/pairwise/1", WithDecryption=True)
            self._pairwise = _pairwise_secret(answer["Parameter"]["Value"])
        return self._pairwise

    def delete(self, kind: Kind, name: int | str) -> None:
        """A key gone for good; nothing happens if it is not there."""
        try:
            self._client.call("DeleteParameter", Name=f"{self._path}/{kind}/{name}")
        except AwsError as error:
            if error.code != "ParameterNotFound":
                raise

    def _create(self, kind: Kind, name: int | str, parameter: Record) -> bool:
        try:
            self._client.call(
                "PutParameter",
                Name=f"{self._path}/{kind}/{name}",
                Value=key_parameters.encode(parameter),
                Type="SecureString",
                Overwrite=False,
            )
        except AwsError as error:
            if error.code != "ParameterAlreadyExists":
                raise
            return False
        return True

    def _parameters(self) -> list[tuple[str, str]]:
        pages = self._client.pages("GetParametersByPath", Path=self._path, Recursive=True, WithDecryption=True)
        return [(p["Name"], p["Value"]) for page in pages for p in page["Parameters"]]


def _signing_key(number: str, value: str) -> SigningKey:
    stored = key_parameters.decode(value, SigningParameter)
    return keyset.signing_key(
        number=int(number), algorithm=stored.alg, active_at=stored.active_at, pem=stored.private_key
    )


def _handle_key(number: str, value: str) -> HandleKey:
    stored = key_parameters.decode(value, HandleKeyParameter)
    return HandleKey(number=int(number), active_at=stored.active_at, secret=urlsafe_b64decode(stored.secret))


def _retired_key(value: str) -> RetiredKey:
    stored = key_parameters.decode(value, RetiredParameter)
    return RetiredKey(jwk=stored.jwk, until=stored.until)


def _pairwise_secret(value: str) -> bytes:
    return urlsafe_b64decode(key_parameters.decode(value, PairwiseParameter).secret)


def _new_secret() -> str:
    return urlsafe_b64encode(secrets.token_bytes(32)).decode()
