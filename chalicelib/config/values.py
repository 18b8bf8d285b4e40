"""What is right for a variable, and how to say which one is wrong."""

import re
from collections.abc import Mapping

# A pattern, and what a value is that matches it.
HTTPS_ORIGIN = (
    r"https://([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?(:[1-9][0-9]{0,4})?",
    "https origins like https://example.com, in small letters, without anything behind",
)


class WrongSetting(ValueError):
    """A variable has a value that is of no use; the message names it and the value, and says what is right."""


def wrong_setting(name: str, meaning: str, value: str) -> WrongSetting:
    """The refusal of a variable's value, which says what it must be."""
    return WrongSetting(f"{name} must be {meaning}, not {value!r}")


def text(environ: Mapping[str, str], name: str, pattern: str, meaning: str, default: str = "") -> str:
    """A variable whose whole value matches a pattern, or its default where it is not set."""
    value = environ.get(name, default)
    if not re.fullmatch(pattern, value):
        raise wrong_setting(name, meaning, value)
    return value


def words(environ: Mapping[str, str], name: str, pattern: str, meaning: str, default: str = "") -> tuple[str, ...]:
    """The words of a variable, each of which matches a pattern."""
    listed = environ.get(name, default).split()
    for word in listed:
        text({name: word}, name, pattern, meaning)
    return tuple(listed)


def one_of(environ: Mapping[str, str], name: str, *choices: str) -> str:
    """One of some words; the first where the variable is not set."""
    value = environ.get(name, choices[0])
    if value not in choices:
        raise wrong_setting(name, f"{', '.join(choices[:-1])} or {choices[-1]}", value)
    return value


def number(environ: Mapping[str, str], name: str, default: int, *, lowest: int = 0, highest: int = 999_999_999) -> int:
    """A whole number between two others; the default where the variable is empty or not set."""
    value = environ.get(name, "")
    if not value:
        return default
    if not re.fullmatch("[0-9]{1,9}", value) or not lowest <= int(value) <= highest:
        raise wrong_setting(name, f"a whole number from {lowest} to {highest}", value)
    return int(value)


def switch(environ: Mapping[str, str], name: str, on: str = "on") -> bool:
    """Whether a variable has the one word that is not `off` or nothing."""
    value = environ.get(name, "")
    if value not in ("", "off", on):
        raise wrong_setting(name, f"{on} or off", value)
    return value == on
