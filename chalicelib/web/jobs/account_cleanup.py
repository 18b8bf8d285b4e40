from typing import Any

from chalice.app import Blueprint, Rate

from ...flows.accounts import cleanup
from ...services import services
from ..http import request_log

functions = Blueprint(__name__)


@functions.schedule(Rate(1, unit=Rate.DAYS), name="erase_unverified")
def erase_unverified(_: Any) -> None:
    """Once a day: erases accounts that nobody has verified the address of for as long as the deployment says."""
    for user in cleanup.erase_unverified(services()):
        request_log.write(level="info", event="account erased", reason="never verified", uid=user.uid)
