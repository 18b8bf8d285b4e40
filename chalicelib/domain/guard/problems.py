"""Why a scope map cannot be guarded by a policy that is cached: what an operator is told when it is registered."""

from collections.abc import Iterable, Iterator, Mapping

from .policy import LONGEST_BASE, MAX_BYTES, Permissions, catches, covers, document, is_harmless, reaches
from .routes import Route, Shape, line_of, resource_of, routes


def problems(scope_map: Mapping[str, str], acr_map: Mapping[str, str] | None = None) -> list[str]:
    """Why a scope map cannot be guarded by a cached policy, in sentences for the operator; empty if it can.

    `acr_map` are the levels that some of its lines need.
    """
    try:
        all_routes = routes(scope_map, acr_map)
    except ValueError as error:
        return [f"{error}."]
    sentences = list(dict.fromkeys(_same_shape(all_routes)))
    too_long = f"The policy for {len(all_routes)} routes is over {MAX_BYTES} bytes: split the API."
    # First what costs nothing, so that the rest is about some eighty routes: the policy with every scope.
    every = Permissions(tuple({resource_of(one.method, one.pattern) for one in all_routes}), deny=(), shut=())
    if not every.fits(LONGEST_BASE):
        return [*sentences, too_long]
    for line in _shut_for_some_token(all_routes):
        sentences.append(f"{line}: IAM's * cannot tell it from a longer path that needs another scope.")
    return [*sentences, too_long] if _longest(all_routes) > MAX_BYTES else sentences


def _same_shape(all_routes: tuple[Route, ...]) -> Iterator[str]:
    first: dict[Shape, Route] = {}
    for one in all_routes:
        if one is not first.setdefault(one.shape, one):
            yield f"{resource_of(one.method, first[one.shape].segments)} is in the map twice, under two names."


def _shut_for_some_token(all_routes: tuple[Route, ...]) -> list[str]:
    """The routes that some token may use and yet finds shut, found without trying every token.

    A granted route is shut by a refused one that is denied by name. That takes a granted route that reaches the refused one,
    and at most a third that keeps the second's overspill open. Whatever else a token may use undoes none of it: a spill that
    covered the refused route, so that it need not be named, would catch the shut one as well and so not be denied. What is
    left of the scopes is that the refused route has one that the others lack. A level counts as one more scope.
    """
    shut: dict[str, None] = {}
    for refused in all_routes:
        beside = [one for one in all_routes if one.method == refused.method and one is not refused]
        shut_by_it = [one for one in beside if reaches(refused, one, exact=not refused.overspills)]
        reaching = [one for one in beside if reaches(one, refused, exact=False)] if shut_by_it else []
        for need in refused.needs if reaching else ():
            granted = [one for one in beside if need not in one.needs]
            reaching_without_need = [one for one in reaching if need not in one.needs]
            if any(reaches(one, refused, exact=True) or _spills(one, granted) for one in reaching_without_need):
                shut |= {line_of(one): None for one in shut_by_it if need not in one.needs}
    return list(shut)


def _spills(one: Route, granted: Iterable[Route]) -> bool:
    """Whether some overspill of a route stays open, as it is the path of another granted one."""
    return any(catches(spill, other.segments) for spill in one.overspills for other in granted)


def _longest(all_routes: tuple[Route, ...]) -> int:
    """As many bytes as the policy of any token can have: each route is allowed or denied once, and each overspill denied once.

    An overspill that is denied saves the routes that it covers, so that of a route and what covers it only one is counted.
    """
    spills = sorted({(one.method, spill) for one in all_routes for spill in one.overspills})
    shared = {spill for _, spill in spills if is_harmless(spill, all_routes)}
    deny = {resource_of("*", spill) for spill in shared}
    covered = list(all_routes)
    for method, spill in spills:
        saved = next((one for one in covered if one.method == method and covers(spill, one.segments)), None)
        if saved is not None:
            covered.remove(saved)
        elif spill not in shared:
            deny.add(resource_of(method, spill))
    deny |= {resource_of(one.method, ()) for one in all_routes if one.pattern == ("*",)}
    allow = tuple(resource_of(one.method, one.pattern) for one in all_routes)
    return len(str(document(LONGEST_BASE, Permissions(allow, tuple(deny), shut=()))))
