"""What an answer of AWS's JSON protocols says: the operation's members, or a refusal."""

import zlib
from typing import Any, NoReturn

import msgspec

from ...domain.errors import TemporarilyUnavailable
from .client import AwsError
from .connection import MAX_BODY, Response


class Unanswered(TemporarilyUnavailable):
    """No answer came, or none that can be read: the operation may have been carried out, or not."""


def decode(operation: str, response: Response) -> dict[str, Any]:
    """The members of an answer; raises AwsError for a refusal, and Unanswered for what is damaged or nothing of the kind."""
    body = _plain(response)
    members = _object(body)
    if response.status != 200:
        _refuse(operation, response, members or {})
    if members is None:
        raise Unanswered(reason="an answer that is no JSON object")
    return members


def _plain(response: Response) -> bytes:
    # DynamoDB takes the checksum of what it sends, so of the compressed text.
    checksum = response.headers.get("x-amz-crc32")
    if checksum is not None and checksum != str(zlib.crc32(response.body)):
        raise Unanswered(reason="an answer of another CRC32")
    coding = response.headers.get("content-encoding", "identity").lower()
    if coding == "identity":
        return response.body
    if coding != "gzip":
        raise Unanswered(reason="an answer in an unknown coding")
    gzip = zlib.decompressobj(wbits=31)
    try:
        body = gzip.decompress(response.body, MAX_BODY)
    except zlib.error:
        raise Unanswered(reason="an answer that is no gzip") from None
    if not gzip.eof or gzip.unused_data:
        raise Unanswered(reason="an answer that is no gzip")
    return body


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        members = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _refuse(operation: str, response: Response, members: dict[str, Any]) -> NoReturn:
    """As Smithy's AWS JSON protocols have errors: the type in one of three places, with a namespace, or a URI behind it."""
    kind = members.get("__type") or members.get("code") or response.headers.get("x-amzn-errortype") or ""
    item, reasons = members.get("Item"), members.get("CancellationReasons") or []
    if not _readable(item, reasons):
        raise Unanswered(reason="a refusal that cannot be read")
    raise AwsError(
        operation,
        str(kind).partition(":")[0].rpartition("#")[2] or str(response.status),
        str(members.get("message") or members.get("Message") or ""),
        status=response.status,
        item=item,
        reasons=reasons,
    )


def _readable(item: Any, reasons: Any) -> bool:
    lists = isinstance(reasons, list) and all(isinstance(reason, dict) for reason in reasons)
    return lists and (item is None or isinstance(item, dict))
