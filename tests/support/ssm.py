"""SSM's Parameter Store in this process, as far as our keys need it: atomic across threads, ten parameters a page."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.store.aws.client import AwsError

PAGE = 10
Request = Mapping[str, Any]
FIELDS = {
    "GetParameter": {"Name", "WithDecryption"},
    "GetParametersByPath": {"Path", "Recursive", "WithDecryption", "NextToken", "MaxResults"},
    "PutParameter": {"Name", "Value", "Type", "Overwrite", "Description", "Tier", "Tags"},
    "DeleteParameter": {"Name"},
}


class ParameterStore:
    """Parameters in memory; calling it carries out one operation."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._lock = threading.Lock()
        self._operations: dict[str, Callable[[Request], dict[str, Any]]] = {
            "GetParameter": self._get,
            "GetParametersByPath": self._of_path,
            "PutParameter": self._put,
            "DeleteParameter": self._delete,
        }

    def __call__(self, operation: str, request: Request) -> dict[str, Any]:
        """The answer to an operation; raises AwsError for what SSM refuses."""
        if spare := request.keys() - FIELDS[operation]:
            raise NotImplementedError(f"{operation} with {sorted(spare)}")
        with self._lock:
            return self._operations[operation](request)

    def forget(self, path: str) -> None:
        """Forgets all parameters below a path."""
        with self._lock:
            self._values = {name: value for name, value in self._values.items() if not name.startswith(f"{path}/")}

    def _get(self, request: Request) -> dict[str, Any]:
        self._check("GetParameter", request["Name"])
        return {"Parameter": self._parameter(request["Name"], request)}

    def _of_path(self, request: Request) -> dict[str, Any]:
        above = request["Path"].rstrip("/") + "/"
        names = sorted(name for name in self._values if name.startswith(above))
        names = [name for name in names if request.get("Recursive") or "/" not in name.removeprefix(above)]
        start = int(request.get("NextToken", 0))
        end = start + request.get("MaxResults", PAGE)
        more = {"NextToken": str(end)} if end < len(names) else {}
        return {"Parameters": [self._parameter(name, request) for name in names[start:end]], **more}

    def _put(self, request: Request) -> dict[str, Any]:
        if request["Name"] in self._values and not request.get("Overwrite"):
            raise AwsError("PutParameter", "ParameterAlreadyExists")
        if request["Type"] != "SecureString" or not 0 < len(request["Value"]) <= 4096:
            raise AwsError("PutParameter", "ValidationException", "not encrypted, empty, or too long")
        self._values[request["Name"]] = request["Value"]
        return {"Version": 1}

    def _delete(self, request: Request) -> dict[str, Any]:
        self._check("DeleteParameter", request["Name"])
        del self._values[request["Name"]]
        return {}

    def _check(self, operation: str, name: str) -> None:
        if name not in self._values:
            raise AwsError(operation, "ParameterNotFound", name)

    def _parameter(self, name: str, request: Request) -> dict[str, Any]:
        value = self._values[name] if request.get("WithDecryption") else "encrypted"
        return {"Name": name, "Type": "SecureString", "Value": value}
