"""What is in an operator's way ends a command in one line; a fault of ours keeps its traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click


class CannotRunError(Exception):
    """A command cannot be run as it was typed; the message says which part of it, why, and what could."""


@contextmanager
def in_one_line() -> Iterator[None]:
    """End the process with one clear line, and status 1, for what the operator can put right."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise
    except Exception as error:
        line = _line(error)
        if line is None:
            raise
        sys.exit(line)


def _line(error: Exception) -> str | None:
    # Not at the top: whoever asks for help need not wait for boto.
    from botocore.exceptions import BotoCoreError, ClientError

    from chalicelib.config import WrongSetting
    from chalicelib.domain.errors import LatchkeyError, TemporarilyUnavailable
    from chalicelib.store.aws.answers import Unanswered
    from chalicelib.store.aws.client import AwsError
    from deploy.errors import CannotDeployError
    from deploy.openapi_scopes import CannotExpressError
    from deploy.registered_apis import CannotRegisterError
    from deploy.stages import NoSuchStageError
    from deploy.staging import CannotPackageError
    from deploy.vendor import CannotVendorError

    if isinstance(error, Unanswered):
        return f"AWS does not answer: {error.reason}"
    if isinstance(error, TemporarilyUnavailable):
        return f"AWS says: {error.__cause__}" if error.__cause__ else f"{error.description} The reason: {error.reason}."
    if isinstance(error, LatchkeyError):
        return error.description
    if isinstance(error, BotoCoreError | ClientError | AwsError):
        return f"AWS says: {error}"
    ours = (CannotDeployError, CannotPackageError, CannotVendorError, NoSuchStageError, WrongSetting)
    typed = (CannotRunError, CannotRegisterError, CannotExpressError)
    return str(error) if isinstance(error, ours + typed) else None
