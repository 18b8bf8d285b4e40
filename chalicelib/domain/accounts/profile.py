"""What an account says of its user."""

import re

MAX_NAME = 200
ONE_LINE = r"^(?![\s\S]*[\u0000-\u001f\u007f])"  # no control characters; for Python and for JSON Schema alike


def is_name(text: str) -> bool:
    """Whether a user may be called so: on one line, and not endlessly."""
    return len(text) <= MAX_NAME and re.search(ONE_LINE, text) is not None
