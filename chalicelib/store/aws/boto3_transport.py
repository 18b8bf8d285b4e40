"""Amazon's own client as the transport."""

import zlib
from collections.abc import Mapping
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ...domain.errors import TemporarilyUnavailable
from .client import AwsError, Transport

# Short enough to answer a caller before API Gateway gives up at 29 s, whatever fails.
CONFIG = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})


def boto3_transport(service: str, **where: Any) -> Transport:
    """The way to `dynamodb` or `ssm`; region, credentials and endpoint are boto3's to find, unless they are given."""
    client: Any = boto3.client(service, config=CONFIG, **where)  # type: ignore[call-overload]
    client.meta.events.register(f"after-call.{service}", _check)

    def send(operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(client, xform_name(operation))(**request)
        except ClientError as error:
            raise _refusal(operation, error.response) from None
        except BotoCoreError as error:
            raise TemporarilyUnavailable(reason=type(error).__name__) from error
        return answer

    return send


def _check(http_response: Any, **_: Any) -> None:
    # botocore asks again for an answer whose checksum is wrong; when its attempts are over it hands out `{}`: no such item.
    checksum = http_response.headers.get("x-amz-crc32")
    if checksum is not None and checksum != str(zlib.crc32(http_response.content)):
        raise TemporarilyUnavailable(reason="an answer of another CRC32")


def _refusal(operation: str, response: Mapping[str, Any]) -> AwsError:
    return AwsError(
        operation,
        response["Error"]["Code"],
        response["Error"].get("Message", ""),
        status=response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400),
        item=response.get("Item"),
        reasons=response.get("CancellationReasons", ()),
    )
