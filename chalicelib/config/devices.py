"""What an account makes of the devices that it is logged in to on, and how long it is known what happened there."""

from collections.abc import Mapping
from typing import Any

from . import values


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings of devices."""
    return {
        "new_device_mail": values.one_of(environ, "LATCHKEY_NEW_DEVICE_MAIL", "on", "off") == "on",
        "remembered_device_days": values.number(environ, "LATCHKEY_REMEMBERED_DEVICE_DAYS", 30, highest=365),
        "activity_days": values.number(environ, "LATCHKEY_ACTIVITY_DAYS", 90, highest=3650),
        "sessions_per_account": values.number(environ, "LATCHKEY_SESSIONS_PER_ACCOUNT", 0, highest=1000),
    }
