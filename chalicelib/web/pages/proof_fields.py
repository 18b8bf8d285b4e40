"""What a page needs that asks for a factor."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ...flows.authentication.factors import FACTORS, passkey


def proof_fields(factor: str, challenge: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Which factor is asked for, "" for none yet, what is typed for it, and the options by which a script proves it.

    The `challenge` of one that a script proves is asked for anew for each page: it is the same each time.
    """
    of_factor = FACTORS.get(factor)
    by_script = bool(of_factor and of_factor.by_script)
    return {
        "factor": factor,
        "is_number": bool(of_factor and of_factor.is_number),
        "by_script": by_script,
        "options": json.dumps(challenge()[passkey.PUBLIC_KEY]) if by_script else "",
    }
