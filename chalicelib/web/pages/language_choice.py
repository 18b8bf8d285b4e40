"""The language that somebody has chosen on a page: a cookie of this browser, which says a language and nothing of anybody."""

from collections.abc import Mapping
from hashlib import sha256

from ...config import Settings
from ...domain.durations import DAY
from . import cookies

SECONDS = 365 * DAY


def preferences(settings: Settings, headers: Mapping[str, str], ui_locales: str, locale: str = "") -> str:
    """The languages that a reader wants, the best first: the request's, what they chose, and their account's `locale`.

    Who chose on a page that was in the request's language has that one instead of the request's.
    """
    choice, _, instead_of = cookies.read(settings, headers, cookies.LANGUAGE).partition(".")
    first = (choice, ui_locales) if instead_of == digest(ui_locales) else (ui_locales, choice)
    return " ".join((*first, locale))


def cookie(settings: Settings, language: str, instead_of: str) -> str:
    """A Set-Cookie header that keeps a choice, "" for none; `instead_of` is the digest of what the request wanted."""
    return cookies.write(
        settings, cookies.LANGUAGE, f"{language}.{instead_of}" if language else "", seconds=SECONDS if language else 0
    )


def digest(ui_locales: str) -> str:
    """What a request wanted, in a form that a cookie can have."""
    return sha256(ui_locales.encode()).hexdigest()[:16]
