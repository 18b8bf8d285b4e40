"""What a token's scopes open on one API, as an IAM policy that API Gateway may cache for every route of that API.

The policy is a function of the scopes and of the API's scope map alone, never of the requested route. IAM's `*` crosses
slashes, so an allowed `/notes/{id}` would open `/notes/7/secret` too: Deny statements take back what the map does not give.
Where the two cannot be told apart the policy denies, and `problems` says so when the API is registered.

One gap is left, for IAM has no words for it: to a token that may use both `/notes/{id}` and `/notes/{id}/tags`, everything
under `/notes/{id}/` is open, but for what the map gives to another scope. So a map must name every route of its API that has
the guard; one that it leaves out may be open to a token for its neighbours.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache
from itertools import combinations
from typing import Any

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SEGMENT = re.compile(r"[A-Za-z0-9._~!&'()+,;=:@%-]+|\{[A-Za-z0-9._-]+\+?\}")
MAX_BYTES = 7500  # API Gateway takes 8 KB
LONGEST_BASE = "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abcdefghij/production"

Pattern = tuple[str, ...]  # segments; "*" is IAM's, which spans one or more of them


class Rank(IntEnum):
    """How API Gateway prefers one kind of segment over another."""

    GREEDY = 0
    PARAMETER = 1
    LITERAL = 2


@dataclass(frozen=True)
class Route:
    """One line of a scope map: a method, a path template, and the scopes that a token needs, all of them."""

    method: str
    segments: tuple[str, ...]
    scopes: frozenset[str]

    @cached_property
    def pattern(self) -> Pattern:
        """The path as IAM sees it: every parameter is `*`."""
        return tuple("*" if segment.startswith("{") else segment for segment in self.segments)

    @cached_property
    def ranks(self) -> tuple[Rank, ...]:
        """The kind of each segment."""
        return tuple(map(_rank, self.segments))

    @cached_property
    def overspills(self) -> tuple[Pattern, ...]:
        """What the pattern catches beyond the template: a single-segment parameter that spans a slash."""
        single = [i for i, rank in enumerate(self.ranks) if rank is Rank.PARAMETER]
        return tuple((*self.pattern[:i], "*", *self.pattern[i:]) for i in single)

    def may_take_from(self, other: "Route") -> bool:
        """Whether API Gateway gives this one a path that both templates match: segment by segment on a REST API, while an
        HTTP API tries every template without a greedy parameter first."""
        return self.ranks > other.ranks or (Rank.GREEDY in other.ranks and Rank.GREEDY not in self.ranks)


def _rank(segment: str) -> Rank:
    if segment.endswith("+}"):
        return Rank.GREEDY
    return Rank.PARAMETER if segment.startswith("{") else Rank.LITERAL


def route(line: str, scopes: str) -> Route:
    """One line of a scope map, as `"GET /notes/{id}", "notes:read"`; raises ValueError with the reason."""
    method, _, path = line.partition(" ")
    segments = tuple(path[1:].split("/")) if path != "/" else ()
    if method not in METHODS or not path.startswith("/") or not all(map(SEGMENT.fullmatch, segments)):
        raise ValueError(f"{line!r} is not a method and a path template")
    if any(segment.endswith("+}") for segment in segments[:-1]):
        raise ValueError(f"{line!r}: a greedy parameter must be the last segment")
    if not scopes.split():
        raise ValueError(f"{line!r} names no scope: leave a public route out of the map")
    return Route(method, segments, frozenset(scopes.split()))


def routes(scope_map: Mapping[str, str]) -> tuple[Route, ...]:
    """The routes of a scope map; raises ValueError with the reason."""
    return tuple(route(line, scopes) for line, scopes in scope_map.items())


def _catches(pattern: Pattern, segments: tuple[str, ...]) -> bool:
    """Whether IAM's pattern matches some path of a template."""
    if not pattern or not segments:
        return not pattern and not segments
    if _rank(segments[0]) is Rank.GREEDY:
        return True
    if pattern[0] == "*":
        return any(_catches(pattern[1:], segments[i:]) for i in range(1, len(segments) + 1))
    same = segments[0] == pattern[0] or _rank(segments[0]) is Rank.PARAMETER
    return same and _catches(pattern[1:], segments[1:])


def _covers(pattern: Pattern, segments: tuple[str, ...]) -> bool:
    """Whether IAM's pattern matches every path of a template."""
    if not pattern or not segments:
        return not pattern and not segments
    if pattern[0] == "*":
        return any(_covers(pattern[1:], segments[i:]) for i in range(1, len(segments) + 1))
    return segments[0] == pattern[0] and _covers(pattern[1:], segments[1:])


def _overlap(one: Route, other: Route) -> bool:
    """Whether some path matches both templates."""
    longer = max(len(one.segments), len(other.segments))
    for a, b in zip(_stretched(one, longer), _stretched(other, longer), strict=False):
        if a != b and "*" not in (a, b):
            return False
    return len(_stretched(one, longer)) == len(_stretched(other, longer))


def _stretched(route: Route, length: int) -> Pattern:
    extra = length - len(route.segments) if route.ranks[-1:] == (Rank.GREEDY,) else 0
    return route.pattern + ("*",) * extra


def _reaches(one: Route, other: Route, *, exact: bool) -> bool:
    """Whether one route's pattern matches some path that API Gateway sends to the other; `exact` if its overspills are shut."""
    if one.method != other.method:
        return False
    if exact or (len(one.segments) == len(other.segments) and Rank.GREEDY not in other.ranks):
        return _overlap(one, other) and other.may_take_from(one)
    return _catches(one.pattern, other.segments)


@dataclass(frozen=True)
class Opening:
    """What a set of scopes opens: IAM resources below `<api>/<stage>/`, and the routes that are due but stay shut."""

    allow: tuple[str, ...]
    deny: tuple[str, ...]
    shut: tuple[str, ...]


@lru_cache(maxsize=1024)
def opening(all_routes: tuple[Route, ...], scopes: frozenset[str]) -> Opening:
    """The resources to allow and to deny for a token with these scopes: never wider than the routes it may use."""
    granted = [route for route in all_routes if route.scopes <= scopes]
    refused = [route for route in all_routes if not route.scopes <= scopes]
    spills = {(a.method, spill) for a in granted for spill in a.overspills}
    deny = {(m, s) for m, s in spills if not any(a.method == m and _catches(s, a.segments) for a in granted)}
    # A lone `*` matches nothing at all as well: the API's root.
    deny |= {(a.method, ()) for a in granted if a.pattern == ("*",)} - {(a.method, a.segments) for a in granted}
    exact = {a: all((a.method, spill) in deny for spill in a.overspills) for a in granted}
    taken_back = [f for f in refused if any(_reaches(a, f, exact=exact[a]) for a in granted)]
    taken_back = [f for f in taken_back if not any(f.method == m and _covers(s, f.segments) for m, s in deny)]
    denied = {_resource("*" if _harmless(s, granted) else m, s) for m, s in deny}
    denied |= {_resource(f.method, f.pattern) for f in taken_back}
    return Opening(
        allow=tuple(sorted({_resource(a.method, a.pattern) for a in granted})),
        deny=tuple(sorted(denied)),
        shut=tuple(
            f"{a.method} /{'/'.join(a.segments)}"
            for a in granted
            if any(_reaches(f, a, exact=not f.overspills) for f in taken_back)
        ),
    )


def narrowed(opened: Opening, resource: str) -> Opening:
    """An opening for one request alone, given as `GET/notes/7`; for none if it does not open that one."""
    caught = any(_matches(pattern, resource) for pattern in (*opened.deny, "*//*", "*/*/"))
    # A star in a path would be IAM's own in a policy.
    if caught or set("*?") & set(resource) or not any(_matches(pattern, resource) for pattern in opened.allow):
        return Opening(allow=(), deny=(), shut=())
    return Opening(allow=(resource,), deny=(), shut=())


def _matches(pattern: str, resource: str) -> bool:
    return bool(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), resource, re.DOTALL))


def _harmless(spill: Pattern, granted: Iterable[Route]) -> bool:
    """Whether a spill may be denied for every method at once, which keeps policies short; this `*` crosses slashes as well."""
    return not any(_catches(("*", *spill), (a.method, *a.segments)) for a in granted)


def _resource(method: str, segments: Iterable[str]) -> str:
    return f"{method}/{'/'.join(segments)}"


def document(base: str, opened: Opening) -> dict[str, Any]:
    """The IAM policy for an opening on one API; `base` is its ARN with the stage, without a slash at the end."""
    # No template matches an empty segment, but `*` does. The first star is the method.
    deny = [f"{base}/*//*", f"{base}/*/*/", *(f"{base}/{resource}" for resource in opened.deny)]
    if not opened.allow:
        deny = [f"{base}/*"]
    statements = [{"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": deny}]
    if opened.allow:
        allow = [f"{base}/{resource}" for resource in opened.allow]
        statements.append({"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": allow})
    return {"Version": "2012-10-17", "Statement": statements}


def problems(scope_map: Mapping[str, str]) -> list[str]:
    """Why a scope map cannot be guarded by a cached policy, in sentences for the operator; empty if it can."""
    try:
        all_routes = routes(scope_map)
    except ValueError as error:
        return [f"{error}."]
    found = dict.fromkeys(_same_shape(all_routes))
    for scopes in _combinations(all_routes):
        opened = opening.__wrapped__(all_routes, scopes)
        for line in opened.shut:
            found[f"{line}: IAM's * cannot tell it from a longer path that needs another scope."] = None
        if len(str(document(LONGEST_BASE, opened))) > MAX_BYTES:
            found[f"The policy for {len(all_routes)} routes is over {MAX_BYTES} bytes: split the API."] = None
    return list(found)


def _same_shape(all_routes: tuple[Route, ...]) -> Iterator[str]:
    for one, other in combinations(all_routes, 2):
        if (one.method, one.pattern, one.ranks) == (other.method, other.pattern, other.ranks):
            yield f"{_resource(one.method, one.segments)} is in the map twice, under two names."


def _combinations(all_routes: tuple[Route, ...]) -> Iterator[frozenset[str]]:
    needed = sorted({route.scopes for route in all_routes}, key=sorted)
    # A route is shut by what at most three others do to one another, and the longest policy is one of the ends.
    for size in range(1, min(3, len(needed)) + 1):
        for chosen in combinations(needed, size):
            yield frozenset().union(*chosen)
    yield frozenset().union(*needed)
