"""The cached policy against another router and another IAM: both are written here from AWS's descriptions, not from ours."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.guard.policy import (
    LONGEST_BASE,
    MAX_BYTES,
    document,
    for_rest,
    permissions_for,
)
from chalicelib.domain.guard.policy import narrow_to_request as narrowed_to
from chalicelib.domain.guard.problems import problems
from chalicelib.domain.guard.routes import METHODS, routes
from chalicelib.guard.scope_map import SCOPES

BASE = "arn:aws:execute-api:eu-central-1:123456789012:abcdefghij/dev"
# "z" is in no template: it stands for whatever a caller may think of.
PATHS = [path for length in range(6) for path in product("abz", repeat=length)]

ScopeMap = Mapping[str, str]
Path = tuple[str, ...]
Router = Callable[[ScopeMap, str, Path], str | None]
# One slash at the end, and more of them: an empty segment each.
SLASHED = [*((*path, "") for path in PATHS if path), *((*path, "", "") for path in PATHS if len(path) < 3)]


def rest_api(scope_map: ScopeMap, method: str, path: Path) -> str | None:
    """The line that a REST API sends a request to: at each segment a literal before {name} before {name+}.

    One slash at the end is dropped; of what has an empty segment it is not known where it goes, so it is nowhere here.
    """
    if path and path[-1] == "":
        path = path[:-1]
    return None if "" in path else descend(resources_of(tuple(scope_map), method), path)


@dataclass
class Resource:
    """A resource as API Gateway shows them, in a tree: the lines that end here, and what lies below."""

    line: str | None = None
    greedy: str | None = None
    literals: dict[str, "Resource"] = field(default_factory=dict)
    parameter: "Resource | None" = None


@lru_cache(maxsize=16)
def resources_of(lines: tuple[str, ...], method: str) -> Resource:
    """The tree of a method's routes; one is asked for some hundred paths."""
    root = Resource()
    for line in lines:
        if line.startswith(f"{method} "):
            add(root, line, [segment for segment in line.split(" ")[1].split("/") if segment])
    return root


def add(resource: Resource, line: str, segments: list[str]) -> None:
    if not segments:
        resource.line = resource.line or line
    elif segments[0].endswith("+}"):
        resource.greedy = resource.greedy or line
    elif re.fullmatch(r"\{\w+\}", segments[0]):
        resource.parameter = resource.parameter or Resource()
        add(resource.parameter, line, segments[1:])
    else:
        add(resource.literals.setdefault(segments[0], Resource()), line, segments[1:])


def descend(resource: Resource | None, path: Path) -> str | None:
    if not path or not resource:
        return resource.line if resource else None
    literal = descend(resource.literals.get(path[0]), path[1:])
    return literal or descend(resource.parameter, path[1:]) or resource.greedy


def http_api(scope_map: ScopeMap, method: str, path: Path) -> str | None:
    """The line that an HTTP API sends a request to: a full match of method and route before any with {name+}."""
    if "" in path:
        return None
    full = {line: scopes for line, scopes in scope_map.items() if not line.endswith("+}")}
    return rest_api(full, method, path) or rest_api(scope_map, method, path)


def iam(scope_map: ScopeMap, scopes: frozenset[str], router: Router | None = None) -> Callable[[str, Path], bool]:
    """Whether IAM lets a request through: `*` is any run of characters, slashes too, `?` is any one, and one Deny outweighs
    every Allow."""
    routes_open = permissions_for(routes(scope_map), scopes)
    policy = document(BASE, for_rest(routes_open, BASE) if router is rest_api else routes_open)

    def resources(effect: str) -> re.Pattern[str]:
        listed = [r for s in policy["Statement"] if s["Effect"] == effect for r in s["Resource"]]
        expressions = [re.escape(r).replace(r"\*", ".*").replace(r"\?", ".") for r in listed]
        return re.compile("|".join(expressions) or "(?!)", re.DOTALL)

    allow, deny = resources("Allow"), resources("Deny")

    def allows(method: str, path: Path) -> bool:
        requested = f"{BASE}/{method}/{'/'.join(path)}"
        return bool(allow.fullmatch(requested)) and not deny.fullmatch(requested)

    return allows


def covers(scope_map: ScopeMap, line: str, scopes: frozenset[str]) -> bool:
    return set(scope_map[line].split()) <= scopes


def subsets(scope_map: ScopeMap) -> Iterator[frozenset[str]]:
    every = sorted(set(" ".join(scope_map.values()).split()))
    for size in range(len(every) + 1):
        yield from map(frozenset, combinations(every, size))


def narrowed(scope_map: ScopeMap, router: Router) -> bool:
    """Whether some token is refused a path of a route that it may use."""
    requests = {(m, path): line for m in ("GET", "PUT") for path in PATHS if (line := router(scope_map, m, path))}
    for scopes in subsets(scope_map):
        allows = iam(scope_map, scopes, router)
        if any(covers(scope_map, line, scopes) and not allows(*request) for request, line in requests.items()):
            return True
    return False


SEGMENTS = st.sampled_from(["a", "b", "{x}", "{x}"])
GREEDY = st.sampled_from([[], [], [], ["{rest+}"]])
TEMPLATES = st.builds(lambda start, end: "/" + "/".join(start + end), st.lists(SEGMENTS, max_size=3), GREEDY)
LINES = st.builds(lambda method, path: f"{method} {path}", st.sampled_from(["GET", "GET", "GET", "PUT"]), TEMPLATES)
NEEDED = st.sets(st.sampled_from(["r", "s", "t", "u"]), min_size=1, max_size=3).map(lambda s: " ".join(sorted(s)))
MAPS = st.dictionaries(LINES, NEEDED, min_size=1, max_size=8)
SMALL_MAPS = st.dictionaries(LINES, NEEDED, min_size=2, max_size=4)
SCOPES_OF_TOKENS = st.frozensets(st.sampled_from(["r", "s", "t", "u", "other"]))
ROUTERS = pytest.mark.parametrize("router", [rest_api, http_api])


@ROUTERS
@settings(max_examples=80, deadline=None)
@given(scope_map=MAPS, scopes=SCOPES_OF_TOKENS)
def test_no_path_is_open_whose_route_needs_a_scope_that_the_token_lacks(
    router: Router, scope_map: ScopeMap, scopes: frozenset[str]
) -> None:
    allows = iam(scope_map, scopes, router)
    for method, path in product(("GET", "PUT"), PATHS + SLASHED):
        line = router(scope_map, method, path)
        if "" in (path[:-1] if router is rest_api else path):
            assert not allows(method, path), path
        assert line is None or not allows(method, path) or covers(scope_map, line, scopes), (line, path)


@ROUTERS
@settings(max_examples=60, deadline=None)
@given(scope_map=SMALL_MAPS)
def test_a_map_that_shuts_a_granted_route_for_any_token_is_found_when_it_is_registered(
    router: Router, scope_map: ScopeMap
) -> None:
    assert problems(scope_map) or not narrowed(scope_map, router)


@ROUTERS
@settings(max_examples=80, deadline=None)
@given(scope_map=MAPS.filter(lambda scope_map: not problems(scope_map)), scopes=SCOPES_OF_TOKENS)
def test_a_map_without_problems_opens_every_path_of_every_granted_route(
    router: Router, scope_map: ScopeMap, scopes: frozenset[str]
) -> None:
    allows = iam(scope_map, scopes, router)
    for method, path in product(("GET", "PUT"), PATHS + SLASHED):
        line = router(scope_map, method, path)
        assert line is None or allows(method, path) or not covers(scope_map, line, scopes), (line, path)


@settings(max_examples=80, deadline=None)
@given(scope_map=MAPS, scopes=SCOPES_OF_TOKENS)
def test_a_rest_api_opens_a_path_with_a_slash_at_its_end_exactly_as_the_path_without_it(
    scope_map: ScopeMap, scopes: frozenset[str]
) -> None:
    allows, without = iam(scope_map, scopes, rest_api), iam(scope_map, scopes)
    # Without the root, which has no slash to drop, and which a denied `*` takes with it where it may be nothing at all.
    for method, path in product(("GET", "PUT"), filter(None, PATHS)):
        assert allows(method, path) is without(method, path), path
        assert allows(method, (*path, "")) is allows(method, path), path


def test_a_slash_at_the_end_of_an_items_path_is_not_the_collections() -> None:
    scope_map = {"GET /notes": "list", "GET /notes/{id}": "read"}
    for scopes, collection, item in (("list", True, False), ("read", False, True), ("list read", True, True)):
        allows = iam(scope_map, frozenset(scopes.split()), rest_api)
        assert [allows("GET", ("notes", *end)) for end in ((), ("",), ("", ""))] == [collection, collection, False]
        assert [allows("GET", ("notes", "7", *end)) for end in ((), ("",), ("", ""))] == [item, item, False]
        assert not allows("GET", ("notes", "7", "8", ""))


def test_an_http_api_which_drops_no_slash_opens_none_at_the_end_of_a_path() -> None:
    allows = iam({"GET /notes": "r", "GET /{rest+}": "s"}, frozenset("r"), http_api)
    assert allows("GET", ("notes",))
    assert not allows("GET", ("notes", ""))


def test_a_rest_apis_policy_that_slashes_would_make_too_long_is_the_one_without_them() -> None:
    scope_map = {f"GET /v1/{'collection' * 3}-{n}": "r" for n in range(56)}
    assert problems(scope_map) == []
    routes_open = permissions_for(routes(scope_map), frozenset("r"))
    assert for_rest(routes_open, BASE) == routes_open
    assert len(json.dumps(document(BASE, routes_open))) < 8192


@settings(max_examples=80, deadline=None)
@given(
    scope_map=st.integers(1, 3).flatmap(
        lambda depth: st.dictionaries(
            st.lists(SEGMENTS, min_size=depth, max_size=depth).map(lambda s: "GET /" + "/".join(s)), NEEDED, min_size=1
        )
    ),
    scopes=SCOPES_OF_TOKENS,
)
def test_nothing_that_the_map_does_not_name_is_open_where_no_granted_route_lies_deeper(
    scope_map: ScopeMap, scopes: frozenset[str]
) -> None:
    allows = iam(scope_map, scopes)
    assert not [path for path in PATHS if allows("GET", path) and rest_api(scope_map, "GET", path) is None]


def test_the_gap_that_is_left_is_beside_a_granted_deeper_route_and_nowhere_else() -> None:
    scope_map = {"GET /a/{x}": "r", "GET /a/{x}/b": "s"}
    assert not iam(scope_map, frozenset("r"))("GET", ("a", "z", "z"))
    assert not iam(scope_map, frozenset("s"))("GET", ("a", "z", "z"))
    assert iam(scope_map, frozenset("rs"))("GET", ("a", "z", "z"))


@pytest.mark.parametrize(
    ("scope_map", "path"),
    [
        ({"GET /{x}": "r"}, ()),  # `*` is also nothing at all: the root
        ({"GET /{x}": "r", "GET /": "s"}, ()),
        ({"GET /{rest+}": "r", "GET /": "s"}, ()),
        ({"GET /a/{x}": "r"}, ("a", "")),
        ({"GET /a/{x}/b": "r"}, ("a", "", "b")),
        ({"GET /a/{rest+}": "r"}, ("a", "z", "")),
        ({"GET /a": "r"}, ("A",)),
        ({"GET /a.b": "r"}, ("azb",)),
        ({"GET /a": "r"}, ("a", "b")),
        ({"GET /a/{rest+}": "r"}, ("a",)),
    ],
)
def test_a_path_that_only_resembles_a_granted_route_stays_shut(scope_map: ScopeMap, path: Path) -> None:
    assert not iam(scope_map, frozenset("r"))("GET", path)


def test_the_root_is_open_to_whom_it_is_granted_beside_a_parameter() -> None:
    allows = iam({"GET /": "r", "GET /{x}": "r"}, frozenset("r"))
    assert allows("GET", ())
    assert allows("GET", ("z",))


def test_a_path_that_rest_and_http_apis_send_to_different_routes_needs_the_scopes_of_both() -> None:
    scope_map = {"GET /a/{rest+}": "r", "GET /{x}/{y}": "s"}
    assert rest_api(scope_map, "GET", ("a", "b")) != http_api(scope_map, "GET", ("a", "b"))
    for alone in ("r", "s"):
        assert not iam(scope_map, frozenset(alone))("GET", ("a", "b"))
    assert problems(scope_map)


def test_a_token_without_a_fitting_scope_opens_nothing_but_is_no_error() -> None:
    assert document(BASE, permissions_for(routes({"GET /a": "r"}), frozenset({"other"})))["Statement"] == [
        {"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": [f"{BASE}/*"]}
    ]


def test_another_method_of_a_granted_path_stays_shut() -> None:
    allows = iam({"GET /a": "r", "PUT /a": "s"}, frozenset("r"))
    assert (allows("GET", ("a",)), allows("PUT", ("a",)), allows("POST", ("a",))) == (True, False, False)


@pytest.mark.parametrize(
    "line",
    [
        "GET a",
        "GET xa",
        "GET",
        "get /a",
        "any /a",
        "GET /a/",
        "GET //a",
        "GET /a*",
        "GET /a?",
        "GET /a/{x+}/b",
        "GET /a/{x",
        "GET /a/x{y}",
        "GET /${stage}",
        "GET /a b",
    ],
)
def test_a_line_that_is_no_route_of_api_gateway_is_a_problem(line: str) -> None:
    assert problems({line: "r"})


def test_a_line_without_a_scope_is_a_problem() -> None:
    assert problems({"GET /a": " "})


def test_one_route_under_two_names_is_a_problem() -> None:
    assert problems({"GET /a/{x}": "r", "GET /a/{y}": "r"})


def test_a_route_that_three_scopes_together_shut_is_a_problem() -> None:
    # `d` keeps the overspill of `e` open, so `f` has to be denied by name, and IAM takes the route of `s` for it.
    scope_map = {"GET /a/{x}": "e", "GET /a/{q}/d": "d", "GET /{y}/{z}/c": "f", "GET /b/{m}/{n}/c": "s"}
    shut = {scopes for scopes in subsets(scope_map) if permissions_for(routes(scope_map), scopes).shut}
    assert shut == {frozenset("eds")}
    assert len(problems(scope_map)) == 1
    assert problems(scope_map)[0].startswith("GET /b/{m}/{n}/c: ")


def test_our_own_map_has_no_problems() -> None:
    assert problems(SCOPES) == []


def an_api_of_60_routes() -> ScopeMap:
    nouns = ["invoices", "customers", "products", "suppliers", "warehouses", "employees", "contracts", "payments"]
    nouns += ["shipments", "documents"]
    verbs = {"GET": "read", "POST": "write"}
    collections = {f"{method} /v1/{noun}": f"{noun}:{verb}" for noun in nouns for method, verb in verbs.items()}
    singles = {
        f"{method} /v1/{noun}/{{id}}": f"{noun}:{'read' if method == 'GET' else 'write'}"
        for noun in nouns
        for method in ("GET", "PUT", "PATCH", "DELETE")
    }
    return {**collections, **singles}


def test_the_policies_of_an_api_of_60_routes_stay_under_the_8_kilobytes_that_api_gateway_takes() -> None:
    scope_map = an_api_of_60_routes()
    assert len(scope_map) == 60
    assert problems(scope_map) == []
    every = sorted(set(scope_map.values()))
    for scopes in (every, every[::2], every[:1], []):
        routes_open = for_rest(permissions_for(routes(scope_map), frozenset(scopes)), BASE)
        assert routes_open.slash_ends
        assert len(json.dumps(document(BASE, routes_open))) < 8192


def test_a_token_with_every_scope_counts_as_well_when_a_policy_is_measured() -> None:
    scope_map = {f"GET /v1/a-rather-long-name-of-a-collection-{n}/{{id}}/items": f"s{n % 10}" for n in range(30)}
    assert problems(scope_map) == ["The policy for 30 routes is over 7500 bytes: split the API."]
    assert problems({line: scope for line, scope in scope_map.items() if scope < "s4"}) == []


def test_an_api_whose_policies_grow_too_long_is_a_problem() -> None:
    scope_map = {f"GET /v1/a-rather-long-name-of-a-collection-{n}/{{id}}/items": "r" for n in range(90)}
    assert any("over" in problem for problem in problems(scope_map))


@pytest.mark.parametrize(
    ("scope_map", "scopes", "allow", "deny", "shut"),
    [
        ({"GET /": "r"}, "r", "GET/", "", ""),
        ({"GET /": "r"}, "s", "", "", ""),
        ({"GET /a/{id}": "r"}, "r", "GET/a/*", "*/a/*/*", ""),
        ({"GET /{x}": "r"}, "r", "GET/*", "*/*/* GET/", ""),
        ({"GET /{x}": "r", "GET /": "r"}, "r", "GET/ GET/*", "*/*/*", ""),
        ({"GET /a/{id}": "r", "GET /a/{id}/b": "s"}, "r", "GET/a/*", "*/a/*/*", ""),
        ({"GET /a/{id}": "r", "GET /a/{id}/b": "s"}, "s", "GET/a/*/b", "*/a/*/*/b", ""),
        ({"GET /a/{id}": "r", "GET /a/{id}/b": "s"}, "rs", "GET/a/* GET/a/*/b", "*/a/*/*/b", ""),
        # The overspill of one method is another's due: the deny names the method.
        ({"GET /a/{id}": "r", "PUT /a/{id}/b": "r"}, "r", "GET/a/* PUT/a/*/b", "*/a/*/*/b GET/a/*/*", ""),
        (
            {"GET /a/{id}": "r", "PUT /a/{id}/{z}": "r", "PUT /a/{id}/b": "s"},
            "r",
            "GET/a/* PUT/a/*/*",
            "*/a/*/*/* GET/a/*/* PUT/a/*/b",
            "",
        ),
        ({"GET /a/{rest+}": "r", "GET /a/b": "s"}, "r", "GET/a/*", "GET/a/b", ""),
        ({"GET /a/{rest+}": "r", "GET /a/b/c": "s"}, "r", "GET/a/*", "GET/a/b/c", ""),
        ({"GET /a/{rest+}": "r", "GET /a/b": "s"}, "s", "GET/a/b", "", ""),
        ({"GET /a/{rest+}": "r", "GET /a/b": "s"}, "rs", "GET/a/* GET/a/b", "", ""),
        ({"GET /a/{x}": "r", "PUT /a/{x}": "s", "GET /a/b": "s"}, "r", "GET/a/*", "*/a/*/* GET/a/b", ""),
        ({"GET /a/{x}": "r", "PUT /a/{x}": "s", "GET /a/b": "s"}, "s", "GET/a/b PUT/a/*", "*/a/*/*", ""),
        # What is shut beside one granted route is not shut beside another.
        (
            {"GET /a/{x}/c": "r", "GET /c/{x}": "r", "GET /a/b/c": "s"},
            "r",
            "GET/a/*/c GET/c/*",
            "*/a/*/*/c */c/*/* GET/a/b/c",
            "",
        ),
        (
            {"GET /a/{x}/d/a": "r", "GET /c/{x}/a": "r", "GET /a/b/d/a": "s"},
            "r",
            "GET/a/*/d/a GET/c/*/a",
            "*/a/*/*/d/a */c/*/*/a GET/a/b/d/a",
            "",
        ),
        ({"GET /a/{x}": "r", "GET /b/c": "s", "PUT /a/b": "s"}, "r", "GET/a/*", "*/a/*/*", ""),
        ({"GET /{x}": "r", "GET /c/{x}": "r", "GET /c": "s"}, "r", "GET/* GET/c/*", "*/c/*/* GET/ GET/c", ""),
        # What a shut overspill takes with it need not be named again.
        (
            {"GET /a/{x}": "r", "GET /a/{q}/d": "r", "GET /{w}/c": "r", "GET /a/{y}/c": "s"},
            "r",
            "GET/*/c GET/a/* GET/a/*/d",
            "*/*/*/c */a/*/*/d",
            "",
        ),
        (
            {"GET /{w}/c": "r", "GET /a/{x}/c/{t}/e": "r", "GET /a/{y}/c/d/e": "s"},
            "r",
            "GET/*/c GET/a/*/c/*/e",
            "*/*/*/c */a/*/*/c/*/e */a/*/c/*/*/e GET/a/*/c/d/e",
            "",
        ),
        # API Gateway prefers the literal that comes first.
        ({"GET /a/{x}": "r", "GET /a/{q}/d": "r", "GET /{y}/b": "s"}, "r", "GET/a/* GET/a/*/d", "*/a/*/*/d", ""),
        (
            {"GET /a/{x}/b": "r", "GET /a/{q}/{w}/b/c": "r"},
            "r",
            "GET/a/*/*/b/c GET/a/*/b",
            "*/a/*/*/*/b/c */a/*/*/b",
            "",
        ),
        # Two scopes for one route: either alone opens nothing.
        ({"GET /a": "r s"}, "r", "", "", ""),
        ({"GET /a": "r s"}, "rs", "GET/a", "", ""),
        ({"GET /a/{rest+}": "r", "GET /{x}/{y}": "s"}, "r", "GET/a/*", "GET/*/*", "GET /a/{rest+}"),
        ({"GET /a/{rest+}": "r", "GET /{x}/{y}": "s"}, "s", "GET/*/*", "*/*/*/* GET/a/*", "GET /{x}/{y}"),
    ],
)
def test_what_scopes_open_and_take_back_is_no_more_than_it_has_to_be(
    scope_map: ScopeMap, scopes: str, allow: str, deny: str, shut: str
) -> None:
    result = permissions_for(routes(scope_map), frozenset(scopes))
    assert (result.allow, result.deny) == (tuple(allow.split()), tuple(deny.split()))
    assert result.shut == ((shut,) if shut else ())


def slow_problems(scope_map: ScopeMap) -> tuple[set[str], int]:
    """What every token there can be finds shut, and the length of its longest policy."""
    every = [permissions_for.__wrapped__(routes(scope_map), scopes) for scopes in subsets(scope_map)]
    return {line for each in every for line in each.shut}, max(len(str(document(LONGEST_BASE, o))) for o in every)


@settings(max_examples=200, deadline=None)
@given(scope_map=MAPS)
def test_what_is_found_at_registration_is_what_trying_every_token_finds(scope_map: ScopeMap) -> None:
    shut, _ = slow_problems(scope_map)
    assert {p.partition(": IAM's")[0] for p in problems(scope_map) if "IAM's" in p} == shut


WORDS = st.sampled_from(["a" * 30, "b" * 30, "{x}", "{y}"])
LONG_LINES = st.lists(WORDS, min_size=3, max_size=9).map(lambda segments: "GET /" + "/".join(segments))


@settings(max_examples=15, deadline=None)
@given(scope_map=st.dictionaries(LONG_LINES, NEEDED, min_size=15, max_size=35))
def test_no_tokens_policy_is_longer_than_what_registration_let_through(scope_map: ScopeMap) -> None:
    _, longest = slow_problems(scope_map)
    assert longest <= MAX_BYTES or any("over 7500 bytes" in problem for problem in problems(scope_map))


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python a piece of work runs: what grows too fast shows, on a busy machine too."""
    count = 0

    def line(_frame: object, event: str, _argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return line

    before = sys.gettrace()
    sys.settrace(line)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "scope_map",
    [
        {f"GET /x{n}/{{id}}": f"s{n}" for n in range(60)},
        {f"GET /x/{{id}}/y{n}": f"s{n}" for n in range(60)},
        {f"GET /x{n % 3}/{{a}}/{{b}}": f"s{n}" for n in range(60)},
        {f"GET /x{n}/{{id}}": " ".join(f"s{n * k % 200}" for k in range(20)) for n in range(60)},
        {f"GET /x{n}/{{id}}": f"s{n % 200}" for n in range(500)},
        {f"GET /{'/'.join('{a}' for _ in range(n))}": f"s{n}" for n in range(1, 60)},
        {f"GET /{'/'.join('ab{a}'[n >> i & 1 :][:3] for i in range(9))}": f"s{n % 200}" for n in range(500)},
    ],
    ids=["items", "parts", "names", "many scopes a route", "500 routes", "long", "alike"],
)
def test_a_map_of_many_scopes_and_routes_is_judged_in_bounded_work(scope_map: ScopeMap) -> None:
    assert steps(lambda: problems(scope_map)) < 3_000_000


def test_any_is_every_method_that_the_map_does_not_name_for_the_same_path() -> None:
    scope_map = {"ANY /a/{x}": "r", "GET /a/{x}": "s", "PUT /b": "r"}
    needed = {(one.method, one.segments): one.scopes for one in routes(scope_map)}
    assert {line: scopes for line, scopes in needed.items() if line[1] == ("a", "{x}")} == {
        (method, ("a", "{x}")): frozenset("s" if method == "GET" else "r") for method in METHODS
    }
    assert len(needed) == len(METHODS) + 1
    allows = iam(scope_map, frozenset("r"))
    assert {method for method in METHODS if allows(method, ("a", "7"))} == set(METHODS) - {"GET"}
    assert problems(scope_map) == []


def test_any_and_a_method_that_name_one_paths_parameters_differently_are_a_problem() -> None:
    assert problems({"ANY /a/{x}": "r", "GET /a/{y}": "s"}) == [
        "'GET /a/{y}' and ANY name their parameters differently."
    ]


def test_a_policy_says_deny_first_and_never_an_empty_segment() -> None:
    policy = document(BASE, permissions_for(routes({"GET /a/{x}": "r"}), frozenset("r")))
    assert policy == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Action": "execute-api:Invoke",
                "Effect": "Deny",
                "Resource": [f"{BASE}/*//*", f"{BASE}/*/*/", f"{BASE}/*/a/*/*"],
            },
            {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": [f"{BASE}/GET/a/*"]},
        ],
    }


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("GET/a/7", True),
        ("GET/a/7\n8", True),
        ("GET/a/X", True),
        ("GET/g/7/8", True),
        ("GET/g/7/", False),
        ("GET/g//7", False),
        ("GET/a/7/8", False),
        ("GET/a/b", False),
        ("GET/a", False),
        ("GET/a/", False),
        ("GET//a/7", False),
        ("GET/a//", False),
        ("PUT/a/7", False),
        ("XGET/a/7", False),
        ("GET/a/*", False),  # a star would be IAM's own in a policy
        ("GET/a/?", False),
        ("GET/a.x", False),
    ],
)
def test_an_opening_is_narrowed_to_one_request_that_it_opens_and_to_nothing_else(resource: str, expected: bool) -> None:
    wide = permissions_for(
        routes({"GET /a/{x}": "r", "GET /a/b": "s", "PUT /c": "r", "GET /g/{rest+}": "r"}), frozenset("r")
    )
    narrowed = narrowed_to(wide, resource)
    assert narrowed.allow == ((resource,) if expected else ())
    assert (narrowed.deny, narrowed.shut, narrowed.slash_ends) == ((), (), False)


def test_a_template_is_of_the_letters_that_iam_takes_as_they_are() -> None:
    for letter in map(chr, range(0x20, 0x100)):
        word = letter.isascii() and letter.isalnum()
        assert (problems({f"GET /{letter}": "r"}) == []) is (word or letter in "._~!&'()+,;=:@%-"), letter
        assert (problems({f"GET /{{{letter}}}": "r"}) == []) is (word or letter in "._-"), letter


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY"])
def test_every_method_of_api_gateway_may_be_in_a_map(method: str) -> None:
    assert problems({f"{method} /a": "r"}) == []
