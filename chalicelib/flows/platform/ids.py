import uuid


def new_id() -> str:
    """A random 128-bit identifier, 32 hexadecimal digits."""
    return uuid.uuid4().hex


def derived_id(parent_id: str, name: str) -> str:
    """The one identifier that this name has below another identifier: the same each time."""
    return uuid.uuid5(uuid.UUID(parent_id), name).hex
