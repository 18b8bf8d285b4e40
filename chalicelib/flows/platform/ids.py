import uuid


def new_id() -> str:
    """A random 128-bit identifier, 32 hexadecimal digits."""
    return uuid.uuid4().hex
