"""The APIs at which an application may do something, as people read of them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ...config import Settings
from . import html


class ApiTexts(NamedTuple):
    """The name of an API, "" where none is known, and what it says itself of its scopes, in whichever language."""

    name: str
    descriptions: Mapping[str, str]


def api_texts(settings: Settings, resource: str) -> ApiTexts:
    """The texts of one API; `resource` is "" for our own."""
    return ApiTexts(html.api_name(settings, resource), settings.scope_descriptions(resource or settings.audience))


def apis_of(settings: Settings, resources: Iterable[str | None]) -> dict[str | None, ApiTexts]:
    """The texts of several; None is one of which nothing is known any more."""
    return {each: ApiTexts("", {}) if each is None else api_texts(settings, each) for each in resources}
