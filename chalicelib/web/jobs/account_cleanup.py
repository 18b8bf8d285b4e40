from typing import Any

from chalice.app import Blueprint, Rate

from ...flows.accounts import cleanup
from ...services import services
from ..http import request_log

functions = Blueprint(__name__)


@functions.schedule(Rate(1, unit=Rate.DAYS), name="erase_unverified")
def erase_unverified(_: Any) -> None:
    """Once a day: erases accounts that nobody has verified the address of for as long as the deployment says.

    And those that their owners wanted to be rid of, once the time is over in which they could take that back.
    """
    for user in cleanup.erase_unverified(services()):
        request_log.write(level="info", event="account erased", reason="never verified", uid=user.uid)
    for user in cleanup.erase_scheduled(services()):
        request_log.write(level="info", event="account erased", reason="wanted by its owner", uid=user.uid)
