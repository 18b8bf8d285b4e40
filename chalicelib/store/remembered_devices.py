from typing import Any

from ..domain.accounts.remembered_device import RememberedDevice
from .aws.client import AwsClient
from .dynamo import Item, key
from .items import VERSION, reader
from .transactions import Write

NUMBERS = ("token_version", "created_at", "last_used_at", "expires_at")
TEXTS = ("browser", "system")


def device_key(uid: str, device_id: str) -> dict[str, Any]:
    """The key of a remembered device; raises ValueError where none has such an id."""
    return key(("user", uid), ("device", device_id))


def to_item(device: RememberedDevice) -> dict[str, Any]:
    """A remembered device as it is stored. `expires_at` is the table's time to live."""
    return {
        **device_key(device.uid, device.device_id),
        **VERSION,
        **{name: {"N": str(getattr(device, name))} for name in NUMBERS},
        **{name: {"S": getattr(device, name)} for name in TEXTS if getattr(device, name)},
        **({"factors": {"SS": sorted(device.factors)}} if device.factors else {}),
    }


@reader("remembered device")
def from_item(item: Item) -> RememberedDevice:
    """The remembered device in a stored item."""
    return RememberedDevice(
        uid=item["pk"]["S"].partition("#")[2],
        device_id=item["sk"]["S"].partition("#")[2],
        factors=frozenset(item["factors"]["SS"] if "factors" in item else ()),
        token_version=int(item["token_version"]["N"]),
        created_at=int(item["created_at"]["N"]),
        last_used_at=int(item["last_used_at"]["N"]),
        expires_at=int(item["expires_at"]["N"]),
        browser=item["browser"]["S"] if "browser" in item else "",
        system=item["system"]["S"] if "system" in item else "",
    )


class RememberedDevices:
    """The devices on which further factors are not asked for. The record decides, and not what the device has."""

    def __init__(self, client: AwsClient, *, grants: str) -> None:
        self._client = client
        self._grants = grants

    def creation(self, device: RememberedDevice) -> Write:
        """A device remembered, in place of itself if it was."""
        return Write(({"Put": {"TableName": self._grants, "Item": to_item(device)}},))

    def use(self, device: RememberedDevice, *, now: int) -> Write:
        """A login on a device, if it is remembered still, as it was read."""
        part = {
            "TableName": self._grants,
            "Key": device_key(device.uid, device.device_id),
            "UpdateExpression": "SET last_used_at = :now",
            "ConditionExpression": "created_at = :created AND token_version = :version AND expires_at > :now",
            "ExpressionAttributeValues": {
                ":now": {"N": str(now)},
                ":created": {"N": str(device.created_at)},
                ":version": {"N": str(device.token_version)},
            },
        }
        return Write(({"Update": part},))

    def read(self, uid: str, device_id: str) -> RememberedDevice | None:
        """One device of an account, as of now."""
        answer = self._client.call(
            "GetItem", TableName=self._grants, Key=device_key(uid, device_id), ConsistentRead=True
        )
        return from_item(answer["Item"]) if "Item" in answer else None

    def of_user(self, uid: str) -> list[RememberedDevice]:
        """All that are stored of an account, those that do not count any more too."""
        pages = self._client.pages(
            "Query",
            TableName=self._grants,
            KeyConditionExpression="pk = :user AND begins_with(sk, :device)",
            ExpressionAttributeValues={":user": {"S": f"user#{uid}"}, ":device": {"S": "device#"}},
            ConsistentRead=True,
        )
        return [from_item(item) for page in pages for item in page["Items"]]

    def deletion(self, uid: str, device_id: str) -> Write:
        """A device forgotten, if it was remembered; raises ValueError where none has such an id."""
        return Write(({"Delete": {"TableName": self._grants, "Key": device_key(uid, device_id)}},))

    def delete(self, uid: str, device_id: str) -> None:
        """Forgets a device, if it was remembered; raises ValueError where none has such an id."""
        self._client.call("DeleteItem", TableName=self._grants, Key=device_key(uid, device_id))
