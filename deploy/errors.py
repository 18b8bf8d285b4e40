"""What can be in an operator's way, and how it is said: in one line, without a traceback."""

import sys
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import config
from chalicelib.domain.errors import TemporarilyUnavailable
from deploy import stages, staging, vendor


class CannotDeployError(Exception):
    """Something is in the way; the message says what, in one line."""


def in_one_line(work: Callable[[], None]) -> None:
    """Run a command's work; end with one clear line, not a traceback, for what the operator can put right."""
    try:
        work()
    except (CannotDeployError, stages.NoSuchStageError) as error:
        sys.exit(str(error))
    except TemporarilyUnavailable as fault:
        sys.exit(
            f"AWS says: {fault.__cause__}" if fault.__cause__ else f"{fault.description} The reason: {fault.reason}."
        )
    except (staging.CannotPackageError, vendor.CannotVendorError, config.WrongSetting) as error:
        sys.exit(str(error))
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS says: {error}")
