"""A list that can be longer than a page should be, a part at a time."""

from collections.abc import Sequence
from typing import TypeVar

from ..http.decoding import number
from .page_request import PageRequest, path_with_query

T = TypeVar("T")

FROM = "from"
TAKES = frozenset({"ui_locales", FROM})
MAX_DIGITS = 6


def part(page_request: PageRequest, page: str, rows: Sequence[T], *, most: int) -> tuple[Sequence[T], str]:
    """The rows that the request asks for, and the path of the page with those after them, "" for none.

    A list that has become shorter since, or a number that is none, begins anew.
    """
    first = number(dict(page_request.query).get(FROM, ""), digits=MAX_DIGITS) or 0
    first = first if first < len(rows) else 0
    following = first + most
    pairs = [*language(page_request), (FROM, str(following))]
    return rows[first:following], path_with_query(page, pairs) if following < len(rows) else ""


def language(page_request: PageRequest) -> list[tuple[str, str]]:
    """The language that the request asks for, for the links of such a page to others."""
    return [("ui_locales", dict(page_request.query).get("ui_locales", ""))]
