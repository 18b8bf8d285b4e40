"""The routes of a scope map, as API Gateway and IAM see them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from functools import cached_property

from ..authentication import levels

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


ANY = "ANY"  # in a map: every method that the map does not name for the same path


SEGMENT = re.compile(r"[A-Za-z0-9._~!&'()+,;=:@%-]+|\{[A-Za-z0-9._-]+\+?\}")


Pattern = tuple[str, ...]  # segments; "*" is IAM's, which spans one or more of them


class Rank(IntEnum):
    """How API Gateway prefers one kind of segment over another."""

    GREEDY = 0
    PARAMETER = 1
    LITERAL = 2


# Compared as one object: which routes an API has is part of what `permissions_for` remembers by, and asked for at each request.
class Route:
    """One line of a scope map: a method, a path template, and what a token needs: all of the scopes, and the level `acr`,
    "" for whatever it is."""

    def __init__(self, method: str, segments: tuple[str, ...], scopes: frozenset[str], acr: str = "") -> None:
        self.method = method
        self.segments = segments
        self.scopes = scopes
        self.acr = acr

    @cached_property
    def needs(self) -> frozenset[str]:
        """The scopes and the level as one set, to compare with what `held` says that a token has."""
        return self.scopes | ({_as_need(self.acr)} if self.acr else frozenset())

    @cached_property
    def pattern(self) -> Pattern:
        """The path as IAM sees it: every parameter is `*`."""
        return tuple("*" if segment.startswith("{") else segment for segment in self.segments)

    @cached_property
    def ranks(self) -> tuple[Rank, ...]:
        """The kind of each segment."""
        return tuple(map(rank_of, self.segments))

    @property
    def shape(self) -> "Shape":
        """What API Gateway tells it from other routes by: the names of its parameters do not count."""
        return self.method, self.pattern, self.ranks

    @cached_property
    def overspills(self) -> tuple[Pattern, ...]:
        """What the pattern catches beyond the template: a single-segment parameter that spans a slash."""
        single = [i for i, rank in enumerate(self.ranks) if rank is Rank.PARAMETER]
        return tuple((*self.pattern[:i], "*", *self.pattern[i:]) for i in single)

    def takes(self, method: str, path: tuple[str, ...]) -> bool:
        """Whether a request has this method and a path that the template matches."""
        greedy = Rank.GREEDY in self.ranks
        if method != self.method or not (
            len(path) >= len(self.segments) if greedy else len(path) == len(self.segments)
        ):
            return False
        return all(
            rank is not Rank.LITERAL or own == part
            for own, part, rank in zip(self.segments, path, self.ranks, strict=False)
        )

    def may_take_from(self, other: "Route") -> bool:
        """Whether API Gateway gives this one a path that both templates match: segment by segment on a REST API, while an
        HTTP API tries every template without a greedy parameter first."""
        return self.ranks > other.ranks or (Rank.GREEDY in other.ranks and Rank.GREEDY not in self.ranks)


Shape = tuple[str, Pattern, tuple[Rank, ...]]


def held(scopes: Iterable[str], acr: str) -> frozenset[str]:
    """What a token has of what routes need: its scopes, and its level with those below it."""
    return frozenset((*scopes, *map(_as_need, levels.LEVELS[: levels.rank(acr)])))


def _as_need(acr: str) -> str:
    # With a space, which no scope of a token has, so that none of them passes for a level.
    return f"acr {acr}"


def rank_of(segment: str) -> Rank:
    """The kind of a segment of a path template."""
    if segment.endswith("+}"):
        return Rank.GREEDY
    return Rank.PARAMETER if segment.startswith("{") else Rank.LITERAL


def route(line: str, scopes: str, acr: str = "") -> Route:
    """One line of a scope map, as `"GET /notes/{id}", "notes:read", "aal2"`; raises ValueError with the reason."""
    method, _, path = line.partition(" ")
    segments = tuple(path[1:].split("/")) if path != "/" else ()
    if method not in (*METHODS, ANY) or not path.startswith("/") or not all(map(SEGMENT.fullmatch, segments)):
        raise ValueError(f"{line!r} is not a method and a path template")
    if any(segment.endswith("+}") for segment in segments[:-1]):
        raise ValueError(f"{line!r}: a greedy parameter must be the last segment")
    if not scopes.split():
        raise ValueError(f"{line!r} names no scope: leave a public route out of the map")
    if acr not in ("", *levels.LEVELS):
        raise ValueError(f"{line!r} needs the level {acr!r}, which is none: {', '.join(levels.LEVELS)}")
    return Route(method, segments, frozenset(scopes.split()), acr)


def routes(scope_map: Mapping[str, str], acr_map: Mapping[str, str] | None = None) -> tuple[Route, ...]:
    """The routes of a scope map, each of one method, with the levels that some lines need; raises ValueError with the reason."""
    levels_by_line = acr_map or {}
    if strange := sorted(levels_by_line.keys() - scope_map.keys()):
        raise ValueError(f"{strange[0]!r} needs a level and is not in the scope map")
    lines = [route(line, scopes, levels_by_line.get(line, "")) for line, scopes in scope_map.items()]
    by_shape = {one.shape: one for one in lines}
    return tuple(one for line in lines for one in _each_method(line, by_shape))


def _each_method(line: Route, by_shape: Mapping[Shape, Route]) -> Iterator[Route]:
    if line.method != ANY:
        yield line
        return
    for method in METHODS:
        alone = by_shape.get((method, *line.shape[1:]))
        if alone is None:
            yield Route(method, line.segments, line.scopes, line.acr)
        elif alone.segments != line.segments:
            raise ValueError(f"'{method} /{'/'.join(alone.segments)}' and ANY name their parameters differently")


def route_of(all_routes: Iterable[Route], resource: str) -> Route | None:
    """The route that a REST API gives a request to, which is named as `GET/notes/7`; None where it has none for it."""
    method, _, path = resource.partition("/")
    segments = tuple(path.rstrip("/").split("/")) if path.rstrip("/") else ()
    return max((one for one in all_routes if one.takes(method, segments)), key=lambda one: one.ranks, default=None)


def resource_of(method: str, segments: Iterable[str]) -> str:
    """An IAM resource below `<api>/<stage>/`, as `GET/notes/7`."""
    return f"{method}/{'/'.join(segments)}"


def line_of(one: Route) -> str:
    """A route as its map names it."""
    return f"{one.method} /{'/'.join(one.segments)}"
