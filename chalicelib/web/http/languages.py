"""The languages of pages and mails, and which of them a reader wants."""

import re

LANGUAGES = ("en", "ar")
RIGHT_TO_LEFT = frozenset({"ar"})
QUALITY = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.IGNORECASE)


def language_of(ui_locales: str, accept_language: str) -> str:
    """The reader's language: the first of `ui_locales` that we have, then the best of Accept-Language."""
    ranges = sorted(accept_language.split(",")[:50], key=_quality, reverse=True)
    for tag in [*ui_locales.split(), *(range_ for range_ in ranges if _quality(range_) > 0)]:
        primary = tag.partition(";")[0].partition("-")[0].strip().lower()
        if primary in LANGUAGES:
            return primary
    return LANGUAGES[0]


def _quality(language_range: str) -> float:
    """RFC 9110 section 12.4.2: from 0, which refuses the language, to 1, the default."""
    _, semicolon, weight = language_range.partition(";")
    match = QUALITY.fullmatch(weight)
    return float(match[1]) if match else float(not semicolon)
