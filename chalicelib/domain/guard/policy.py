"""What a token opens on one API, as an IAM policy that API Gateway may cache for every route of that API.

The policy is a function of the token's scopes and level and of the API's scope map alone, never of the requested route.
IAM's `*` crosses slashes, so an allowed `/notes/{id}` would open `/notes/7/secret` too: Deny statements take back what the
map does not give.
Where the two cannot be told apart the policy denies, and `problems` says so when the API is registered.

A REST API drops one slash at a path's end, an HTTP API does not: `for_rest` gives a path with it what the path without it has.

One gap is left, for IAM has no words for it: to a token that may use both `/notes/{id}` and `/notes/{id}/tags`, everything
under `/notes/{id}/` is open, but for what the map gives to another scope. So a map must name every route of its API that has
the guard; one that it leaves out may be open to a token for its neighbours.
"""

import re
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache
from typing import Any

from .routes import Pattern, Rank, Route, line_of, rank_of, resource_of

MAX_BYTES = 7500  # API Gateway takes 8 KB
LONGEST_BASE = "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abcdefghij/production"


def catches(pattern: Pattern, segments: tuple[str, ...]) -> bool:
    """Whether IAM's pattern matches some path of a template."""
    greedy = len(segments) - 1 if segments and rank_of(segments[-1]) is Rank.GREEDY else None
    reached = {0}  # how many segments the pattern's parts so far can be
    for part in pattern:
        if greedy in reached:
            return True
        reached = _advance(part, reached, segments, lambda part, one: part == one or rank_of(one) is Rank.PARAMETER)
    return len(segments) in reached


def covers(pattern: Pattern, segments: tuple[str, ...]) -> bool:
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


def reaches(one: Route, other: Route, *, exact: bool) -> bool:
    """Whether one route's pattern matches some path that API Gateway sends to the other; `exact` if its overspills are shut."""
    if one.method != other.method:
        return False
    if exact or (len(one.segments) == len(other.segments) and Rank.GREEDY not in other.ranks):
        return _overlap(one, other) and other.may_take_from(one)
    return catches(one.pattern, other.segments)


class Permissions:
    """What a set of scopes opens: IAM resources below `<api>/<stage>/`, and the routes that are due but stay shut.

    `slash_ends` is whether a path may end with a slash.
    """

    def __init__(
        self, allow: tuple[str, ...], deny: tuple[str, ...], shut: tuple[str, ...], *, slash_ends: bool = False
    ) -> None:
        self.allow = allow
        self.deny = deny
        self.shut = shut
        self.slash_ends = slash_ends

    @cached_property
    def with_slash_ends(self) -> "Permissions":
        """The same for every path, whether one slash follows it or not."""
        allow = {part for resource in self.allow for part in _either_end(resource, among=set(self.allow))}
        deny = {part for resource in self.deny for part in _either_end(resource, among=set())}
        return Permissions(tuple(sorted(allow)), tuple(sorted(deny)), self.shut, slash_ends=True)

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
def permissions_for(all_routes: tuple[Route, ...], held: frozenset[str]) -> Permissions:
    """The resources to allow and to deny for a token that has this (`routes.held`): never wider than the routes it may use."""
    granted = [route for route in all_routes if route.needs <= held]
    refused = [route for route in all_routes if not route.needs <= held]
    spills = {(a.method, spill) for a in granted for spill in a.overspills}
    deny = {(m, s) for m, s in spills if not any(a.method == m and catches(s, a.segments) for a in granted)}
    # A lone `*` matches nothing at all as well: the API's root.
    deny |= {(a.method, ()) for a in granted if a.pattern == ("*",)} - {(a.method, a.segments) for a in granted}
    exact = {a: all((a.method, spill) in deny for spill in a.overspills) for a in granted}
    denied_by_name = [f for f in refused if any(reaches(a, f, exact=exact[a]) for a in granted)]
    denied_by_name = [f for f in denied_by_name if not any(f.method == m and covers(s, f.segments) for m, s in deny)]
    denied = {resource_of("*" if is_harmless(s, granted) else m, s) for m, s in deny}
    denied |= {resource_of(f.method, f.pattern) for f in denied_by_name}
    return Permissions(
        allow=tuple(sorted({resource_of(a.method, a.pattern) for a in granted})),
        deny=tuple(sorted(denied)),
        shut=tuple(line_of(a) for a in granted if any(reaches(f, a, exact=not f.overspills) for f in denied_by_name)),
    )


def _either_end(resource: str, *, among: set[str]) -> tuple[str, ...]:
    """A resource for paths with and without a slash at the end. A last `*` is at least one letter then: it would be the slash
    of the path above, which is right only where that one is `among` the same resources."""
    if resource.endswith("/"):
        return (resource,)  # the root
    if not resource.endswith("/*"):
        return (resource,) if f"{resource}/*" in among else (resource, f"{resource}/")
    return (resource,) if among & {resource[:-1], resource[:-2]} else (f"{resource[:-1]}?*",)


def for_rest(permissions: Permissions, base: str) -> Permissions:
    """The permissions at a REST API: where they are too long for it, without the paths that end with a slash."""
    return permissions.with_slash_ends if permissions.with_slash_ends.fits(base) else permissions


def narrow_to_request(permissions: Permissions, resource: str) -> Permissions:
    """The permissions for one request alone, given as `GET/notes/7`; none if they have not that one."""
    is_denied = any(_matches(pattern, resource) for pattern in (*permissions.deny, *_never(permissions)))
    # A star in a path would be IAM's own in a policy.
    if is_denied or set("*?") & set(resource) or not any(_matches(pattern, resource) for pattern in permissions.allow):
        return Permissions(allow=(), deny=(), shut=())
    return Permissions(allow=(resource,), deny=(), shut=(), slash_ends=permissions.slash_ends)


def _never(permissions: Permissions) -> tuple[str, ...]:
    """What no template matches though `*` does: an empty segment. The first star is the method."""
    return ("*//*",) if permissions.slash_ends else ("*//*", "*/*/")


def _matches(pattern: str, resource: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return bool(re.fullmatch(expression, resource, re.DOTALL))


def is_harmless(spill: Pattern, granted: Iterable[Route]) -> bool:
    """Whether a spill may be denied for every method at once, which keeps policies short; this `*` crosses slashes as well."""
    return not any(catches(("*", *spill), (a.method, *a.segments)) for a in granted)


def document(base: str, permissions: Permissions) -> dict[str, Any]:
    """The IAM policy for one API, only to be read; `base` is its ARN with the stage, without a slash at its end."""
    if base not in permissions.documents:
        permissions.documents[base] = _document(base, permissions)
    return permissions.documents[base]


def _document(base: str, permissions: Permissions) -> dict[str, Any]:
    deny = [f"{base}/{resource}" for resource in (*_never(permissions), *permissions.deny)]
    if not permissions.allow:
        deny = [f"{base}/*"]
    statements = [{"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": deny}]
    if permissions.allow:
        allow = [f"{base}/{resource}" for resource in permissions.allow]
        statements.append({"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": allow})
    return {"Version": "2012-10-17", "Statement": statements}
