"""What an operator should see though nothing was refused for it, as a line of the log."""

import json


def report(event: str, *, uid: str) -> None:
    """Writes a line beside the request's own, as JSON."""
    import logging  # rare enough: no request pays for it that has nothing to report

    logging.getLogger(__name__).warning(json.dumps({"level": "warning", "event": event, "uid": uid}))
