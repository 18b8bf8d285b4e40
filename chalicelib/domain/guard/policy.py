"""What a token's scopes open on one API, as an IAM policy that API Gateway may cache for every route of that API.

The policy is a function of the scopes and of the API's scope map alone, never of the requested route. IAM's `*` crosses
slashes, so an allowed `/notes/{id}` would open `/notes/7/secret` too: Deny statements take back what the map does not give.
Where the two cannot be told apart the policy denies, and `problems` says so when the API is registered.

A REST API drops one slash at a path's end, an HTTP API does not: `for_rest` gives a path with it what the path without it has.

One gap is left, for IAM has no words for it: to a token that may use both `/notes/{id}` and `/notes/{id}/tags`, everything
under `/notes/{id}/` is open, but for what the map gives to another scope. So a map must name every route of its API that has
the guard; one that it leaves out may be open to a token for its neighbours.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import Any

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ANY = "ANY"  # in a map: every method that the map does not name for the same path
SEGMENT = re.compile(r"[A-Za-z0-9._~!&'()+,;=:@%-]+|\{[A-Za-z0-9._-]+\+?\}")
MAX_BYTES = 7500  # API Gateway takes 8 KB
LONGEST_BASE = "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abcdefghij/production"

Pattern = tuple[str, ...]  # segments; "*" is IAM's, which spans one or more of them


class Rank(IntEnum):
    """How API Gateway prefers one kind of segment over another."""

    GREEDY = 0
    PARAMETER = 1
    LITERAL = 2


# Compared as one object: which routes an API has is part of what `opening` remembers by, and asked for at each request.
@dataclass(frozen=True, eq=False)
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

    @property
    def shape(self) -> "Shape":
        """What API Gateway tells it from other routes by: the names of its parameters do not count."""
        return self.method, self.pattern, self.ranks

    @cached_property
    def overspills(self) -> tuple[Pattern, ...]:
        """What the pattern catches beyond the template: a single-segment parameter that spans a slash."""
        single = [i for i, rank in enumerate(self.ranks) if rank is Rank.PARAMETER]
        return tuple((*self.pattern[:i], "*", *self.pattern[i:]) for i in single)

    def may_take_from(self, other: "Route") -> bool:
        """Whether API Gateway gives this one a path that both templates match: segment by segment on a REST API, while an
        HTTP API tries every template without a greedy parameter first."""
        return self.ranks > other.ranks or (Rank.GREEDY in other.ranks and Rank.GREEDY not in self.ranks)


Shape = tuple[str, Pattern, tuple[Rank, ...]]


def _rank(segment: str) -> Rank:
    if segment.endswith("+}"):
        return Rank.GREEDY
    return Rank.PARAMETER if segment.startswith("{") else Rank.LITERAL


def route(line: str, scopes: str) -> Route:
    """One line of a scope map, as `"GET /notes/{id}", "notes:read"`; raises ValueError with the reason."""
    method, _, path = line.partition(" ")
    segments = tuple(path[1:].split("/")) if path != "/" else ()
    if method not in (*METHODS, ANY) or not path.startswith("/") or not all(map(SEGMENT.fullmatch, segments)):
        raise ValueError(f"{line!r} is not a method and a path template")
    if any(segment.endswith("+}") for segment in segments[:-1]):
        raise ValueError(f"{line!r}: a greedy parameter must be the last segment")
    if not scopes.split():
        raise ValueError(f"{line!r} names no scope: leave a public route out of the map")
    return Route(method, segments, frozenset(scopes.split()))


def routes(scope_map: Mapping[str, str]) -> tuple[Route, ...]:
    """The routes of a scope map, each of one method; raises ValueError with the reason."""
    lines = [route(line, scopes) for line, scopes in scope_map.items()]
    by_shape = {one.shape: one for one in lines}
    return tuple(one for line in lines for one in _each_method(line, by_shape))


def _each_method(line: Route, by_shape: Mapping[Shape, Route]) -> Iterator[Route]:
    if line.method != ANY:
        yield line
        return
    for method in METHODS:
        alone = by_shape.get((method, *line.shape[1:]))
        if alone is None:
            yield replace(line, method=method)
        elif alone.segments != line.segments:
            raise ValueError(f"'{method} /{'/'.join(alone.segments)}' and ANY name their parameters differently")


def _catches(pattern: Pattern, segments: tuple[str, ...]) -> bool:
    """Whether IAM's pattern matches some path of a template."""
    greedy = len(segments) - 1 if segments and _rank(segments[-1]) is Rank.GREEDY else None
    reached = {0}  # how many segments the pattern's parts so far can be
    for part in pattern:
        if greedy in reached:
            return True
        reached = _advance(part, reached, segments, lambda part, one: part == one or _rank(one) is Rank.PARAMETER)
    return len(segments) in reached


def _covers(pattern: Pattern, segments: tuple[str, ...]) -> bool:
    """Whether IAM's pattern matches every path of a template."""
    reached = {0}
    for part in pattern:
        reached = _advance(part, reached, segments, str.__eq__)
    return len(segments) in reached


def _advance(part: str, reached: set[int], segments: tuple[str, ...], matches: Callable[[str, str], bool]) -> set[int]:
    if part == "*":
        return set(range(min(reached) + 1, len(segments) + 1)) if reached else set()
    return {i + 1 for i in reached if i < len(segments) and matches(part, segments[i])}


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
    slash_ends: bool = False  # whether a path may end with a slash

    @cached_property
    def with_slash_ends(self) -> "Opening":
        """The same for every path, whether one slash follows it or not."""
        allow = {part for resource in self.allow for part in _either_end(resource, among=set(self.allow))}
        deny = {part for resource in self.deny for part in _either_end(resource, among=set())}
        return Opening(tuple(sorted(allow)), tuple(sorted(deny)), self.shut, slash_ends=True)

    @cached_property
    def documents(self) -> dict[str, dict[str, Any]]:
        """The policies that were made of it, one for each of the API's stages."""
        return {}

    def fits(self, base: str) -> bool:
        """Whether API Gateway takes the policy."""
        entries, letters = self._size
        return letters + entries * (len(base) + len("'/', ")) <= MAX_BYTES

    @cached_property
    def _size(self) -> tuple[int, int]:
        return len(self.allow + self.deny), sum(map(len, self.allow + self.deny))


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
    denied_by_name = [f for f in refused if any(_reaches(a, f, exact=exact[a]) for a in granted)]
    denied_by_name = [f for f in denied_by_name if not any(f.method == m and _covers(s, f.segments) for m, s in deny)]
    denied = {_resource("*" if _harmless(s, granted) else m, s) for m, s in deny}
    denied |= {_resource(f.method, f.pattern) for f in denied_by_name}
    return Opening(
        allow=tuple(sorted({_resource(a.method, a.pattern) for a in granted})),
        deny=tuple(sorted(denied)),
        shut=tuple(_line(a) for a in granted if any(_reaches(f, a, exact=not f.overspills) for f in denied_by_name)),
    )


def _either_end(resource: str, *, among: set[str]) -> tuple[str, ...]:
    """A resource for paths with and without a slash at the end. A last `*` is at least one letter then: it would be the slash
    of the path above, which is right only where that one is `among` the same resources."""
    if resource.endswith("/"):
        return (resource,)  # the root
    if not resource.endswith("/*"):
        return (resource,) if f"{resource}/*" in among else (resource, f"{resource}/")
    return (resource,) if among & {resource[:-1], resource[:-2]} else (f"{resource[:-1]}?*",)


def for_rest(opened: Opening, base: str) -> Opening:
    """What an opening is at a REST API; one too long for that leaves out the paths with a slash at their end."""
    return opened.with_slash_ends if opened.with_slash_ends.fits(base) else opened


def narrow_to_request(opened: Opening, resource: str) -> Opening:
    """An opening for one request alone, given as `GET/notes/7`; for none if it does not open that one."""
    is_denied = any(_matches(pattern, resource) for pattern in (*opened.deny, *_never(opened)))
    # A star in a path would be IAM's own in a policy.
    if is_denied or set("*?") & set(resource) or not any(_matches(pattern, resource) for pattern in opened.allow):
        return Opening(allow=(), deny=(), shut=())
    return Opening(allow=(resource,), deny=(), shut=(), slash_ends=opened.slash_ends)


def _never(opened: Opening) -> tuple[str, ...]:
    """What no template matches though `*` does: an empty segment. The first star is the method."""
    return ("*//*",) if opened.slash_ends else ("*//*", "*/*/")


def _matches(pattern: str, resource: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return bool(re.fullmatch(expression, resource, re.DOTALL))


def _harmless(spill: Pattern, granted: Iterable[Route]) -> bool:
    """Whether a spill may be denied for every method at once, which keeps policies short; this `*` crosses slashes as well."""
    return not any(_catches(("*", *spill), (a.method, *a.segments)) for a in granted)


def _resource(method: str, segments: Iterable[str]) -> str:
    return f"{method}/{'/'.join(segments)}"


def document(base: str, opened: Opening) -> dict[str, Any]:
    """The IAM policy for an opening on one API, only to be read; `base` is its ARN with the stage, without a slash at its end."""
    if base not in opened.documents:
        opened.documents[base] = _document(base, opened)
    return opened.documents[base]


def _document(base: str, opened: Opening) -> dict[str, Any]:
    deny = [f"{base}/{resource}" for resource in (*_never(opened), *opened.deny)]
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
    sentences = list(dict.fromkeys(_same_shape(all_routes)))
    too_long = f"The policy for {len(all_routes)} routes is over {MAX_BYTES} bytes: split the API."
    # First what costs nothing, so that the rest is about some eighty routes: the policy with every scope.
    every = Opening(tuple({_resource(one.method, one.pattern) for one in all_routes}), deny=(), shut=())
    if not every.fits(LONGEST_BASE):
        return [*sentences, too_long]
    for line in _shut_for_some_token(all_routes):
        sentences.append(f"{line}: IAM's * cannot tell it from a longer path that needs another scope.")
    return [*sentences, too_long] if _longest(all_routes) > MAX_BYTES else sentences


def _same_shape(all_routes: tuple[Route, ...]) -> Iterator[str]:
    first: dict[Shape, Route] = {}
    for one in all_routes:
        if one is not first.setdefault(one.shape, one):
            yield f"{_resource(one.method, first[one.shape].segments)} is in the map twice, under two names."


def _shut_for_some_token(all_routes: tuple[Route, ...]) -> list[str]:
    """The routes that some token may use and yet finds shut, found without trying every token.

    A granted route is shut by a refused one that is denied by name. That takes a granted route that reaches the refused one,
    and at most a third that keeps the second's overspill open. Whatever else a token may use undoes none of it: a spill that
    covered the refused route, so that it need not be named, would catch the shut one as well and so not be denied. What is
    left of the scopes is that the refused route has one that the others lack.
    """
    shut: dict[str, None] = {}
    for refused in all_routes:
        beside = [one for one in all_routes if one.method == refused.method and one is not refused]
        shut_by_it = [one for one in beside if _reaches(refused, one, exact=not refused.overspills)]
        reaching = [one for one in beside if _reaches(one, refused, exact=False)] if shut_by_it else []
        for scope in refused.scopes if reaching else ():
            granted = [one for one in beside if scope not in one.scopes]
            reaching_without_scope = [one for one in reaching if scope not in one.scopes]
            if any(_reaches(one, refused, exact=True) or _spills(one, granted) for one in reaching_without_scope):
                shut |= {_line(one): None for one in shut_by_it if scope not in one.scopes}
    return list(shut)


def _spills(one: Route, granted: Iterable[Route]) -> bool:
    """Whether some overspill of a route stays open, as it is the path of another granted one."""
    return any(_catches(spill, other.segments) for spill in one.overspills for other in granted)


def _longest(all_routes: tuple[Route, ...]) -> int:
    """As many bytes as the policy of any token can have: each route is allowed or denied once, and each overspill denied once.

    An overspill that is denied saves the routes that it covers, so that of a route and what covers it only one is counted.
    """
    spills = sorted({(one.method, spill) for one in all_routes for spill in one.overspills})
    shared = {spill for _, spill in spills if _harmless(spill, all_routes)}
    deny = {_resource("*", spill) for spill in shared}
    covered = list(all_routes)
    for method, spill in spills:
        saved = next((one for one in covered if one.method == method and _covers(spill, one.segments)), None)
        if saved is not None:
            covered.remove(saved)
        elif spill not in shared:
            deny.add(_resource(method, spill))
    deny |= {_resource(one.method, ()) for one in all_routes if one.pattern == ("*",)}
    allow = tuple(_resource(one.method, one.pattern) for one in all_routes)
    return len(str(document(LONGEST_BASE, Opening(allow, tuple(deny), shut=()))))


def _line(one: Route) -> str:
    return f"{one.method} /{'/'.join(one.segments)}"
