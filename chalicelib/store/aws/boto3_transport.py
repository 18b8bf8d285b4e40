"""Amazon's own client as the transport."""

from collections.abc import Mapping
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ParamValidationError

from ...domain.errors import TemporarilyUnavailable
from .answers import decode
from .client import USUAL, Seconds, Transport
from .connection import Response

# botocore bounds each attempt and not a call, which takes as long as these and a little more.
RETRIES: Any = {"mode": "standard", "total_max_attempts": 3}


def boto3_transport(service: str, *, seconds: Seconds = USUAL, **where: Any) -> Transport:
    """The way to `dynamodb` or `ssm`; region, credentials and endpoint are boto3's to find, unless they are given."""
    config = Config(connect_timeout=seconds.connection, read_timeout=seconds.attempt, retries=RETRIES)
    client: Any = boto3.client(service, config=config, **where)  # type: ignore[call-overload]
    client.meta.events.register(f"after-call.{service}", _read)

    def send(operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(client, xform_name(operation))(**request)
        except ParamValidationError:
            raise  # a defect of ours, which stays loud
        except BotoCoreError as error:
            raise TemporarilyUnavailable(reason=type(error).__name__) from error
        return answer

    return send


def _read(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
    # botocore reads `{}`, which is no such item, where there is no JSON, and once its attempts are over where the checksum
    # is another.
    headers = {name.lower(): value for name, value in http_response.headers.items()}
    members = decode(model.name, Response(http_response.status_code, headers, http_response.content))
    parsed.clear()
    parsed.update(members)
