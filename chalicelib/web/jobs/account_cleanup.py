from typing import Any

from chalice.app import Blueprint, Rate

from ...flows.accounts import cleanup
from ...services import services

functions = Blueprint(__name__)


@functions.schedule(Rate(1, unit=Rate.DAYS), name="erase_unverified")
def erase_unverified(_event: Any) -> None:
    """Once a day: erases accounts that nobody has verified the address of for as long as the deployment says.

    And those that their owners wanted to be rid of, once the time is over in which they could take that back.
    """
    failures: list[Exception] = []
    for erase in (cleanup.erase_unverified, cleanup.erase_scheduled):
        try:
            for _ in erase(services()):
                pass
        except Exception as failure:  # which is in the way of neither kind
            failures.append(failure)
    if failures:
        raise failures[0]
