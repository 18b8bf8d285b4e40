"""The languages of pages and mails, and which of them a reader wants."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

QUALITY = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.IGNORECASE)
ENGLISH = "en"
MAX_KEPT = 32
MAX_TAG = 35  # characters, which RFC 5646 section 4.4.1 has room for


class Language(NamedTuple):
    """A language as its readers know it: its tag, its own name, and how it is written, `ltr` or `rtl`."""

    tag: str
    name: str
    direction: str


OURS = {"en": Language("en", "English", "ltr"), "ar": Language("ar", "العربية", "rtl")}


class Texts(dict[str, str]):
    """The texts of one language by their names."""

    language: Language


def language_of(languages: Collection[str], ui_locales: str, accept_language: str) -> str:
    """The reader's language: the first of `ui_locales` that there is, then the best of Accept-Language."""
    ranges = sorted(accept_language.split(",")[:50], key=_quality, reverse=True)
    for tag in [*ui_locales.split()[:50], *(range_ for range_ in ranges if _quality(range_) > 0)]:
        if language := _lookup(languages, tag.partition(";")[0].strip().lower()[:MAX_TAG]):
            return language
    return ENGLISH


def _lookup(languages: Collection[str], tag: str) -> str:
    """The language for a tag, "" for none: the tag itself, shorter ones of it (RFC 4647 3.4), then any region's."""
    known = {language.lower(): language for language in languages}
    for candidate in _shorter(tag):
        if candidate in known:
            return known[candidate]
    primary = tag.partition("-")[0]
    return next((language for low, language in known.items() if low.partition("-")[0] == primary), "")


def _shorter(tag: str) -> Iterator[str]:
    while tag:
        yield tag
        tag = tag.rpartition("-")[0]


def _quality(language_range: str) -> float:
    """RFC 9110 section 12.4.2: from 0, which refuses the language, to 1, the default."""
    _, semicolon, weight = language_range.partition(";")
    match = QUALITY.fullmatch(weight)
    return float(match[1]) if match else float(not semicolon)


def language(tag: str, folder: str) -> Language:
    """What is known of a language; of one that is not ours a deployment's file says it, in its folder of texts."""
    own = _own_file(tag, folder)
    return OURS.get(tag) or Language(tag, own.get("language", tag), own.get("direction", "ltr"))


@lru_cache(maxsize=MAX_KEPT)
def texts(directory: Path, part: str, tag: str, folder: str) -> Texts:
    """All texts of one language: a deployment's own before ours, and English where a line is in neither.

    `part` is what they are called in a deployment's file: pages or mails.
    """
    merged = Texts()
    merged.language = language(tag, folder)
    for each in dict.fromkeys((ENGLISH, tag)):
        if each in OURS:
            merged |= json.loads((directory / f"{each}.json").read_text())
        merged |= _own_file(each, folder).get(part, {})
    return merged


@lru_cache(maxsize=MAX_KEPT)
def _own_file(tag: str, folder: str) -> Mapping[str, Any]:
    try:
        content: Mapping[str, Any] = json.loads((Path(folder) / f"{tag}.json").read_text("utf-8-sig")) if folder else {}
    except FileNotFoundError:  # a deployment says something else in another language
        return {}
    return content
