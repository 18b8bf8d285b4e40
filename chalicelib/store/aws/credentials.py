import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ...domain.errors import TemporarilyUnavailable

if TYPE_CHECKING:
    from botocore.session import Session


class Credentials(NamedTuple):
    """Who signs; `token` is "" for keys that do not expire."""

    access_key: str
    secret_key: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.access_key!r}, ...)"  # so that no log has the rest


def complete(environ: Mapping[str, str]) -> bool:
    """Whether an environment has credentials, as every Lambda function's has."""
    return bool(environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY"))


def current(environ: Mapping[str, str] = os.environ) -> Credentials:
    """The credentials of the environment as of now, else those that botocore has: of a profile, a container, an instance.

    Raises TemporarilyUnavailable where there are none, ValueError for what is in no header.
    """
    if not complete(environ):
        return _of_botocore()
    credentials = Credentials(
        environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], environ.get("AWS_SESSION_TOKEN", "")
    )
    if not f"{credentials.access_key}{credentials.token}".isprintable():
        raise ValueError("AWS_ACCESS_KEY_ID or AWS_SESSION_TOKEN has a line's end or another control character in it")
    return credentials


def _of_botocore() -> Credentials:
    from botocore.exceptions import BotoCoreError, NoCredentialsError

    try:
        source = _session().get_credentials()
        if source is None:
            raise NoCredentialsError
        keys = source.get_frozen_credentials()
    except BotoCoreError as error:
        raise TemporarilyUnavailable(reason=type(error).__name__) from error
    return Credentials(keys.access_key or "", keys.secret_key or "", keys.token or "")


@cache
def _session() -> "Session":
    """One for the process: it keeps what it has, and renews it in time."""
    from botocore.session import get_session

    return get_session()
