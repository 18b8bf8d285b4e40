from typing import Any

from chalice.app import Blueprint, Rate

from ...flows.platform import keys
from ...services import services

functions = Blueprint(__name__)


@functions.schedule(Rate(1, unit=Rate.DAYS), name="rotate_keys")
def rotate_keys(_: Any) -> None:
    """Once a day: publishes the keys that will sign next when the present ones grow old, and drops those that are spent."""
    keys.rotate(services())
