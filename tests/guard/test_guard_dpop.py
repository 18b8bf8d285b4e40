"""DPoP (RFC 9449) in the guard: a bound token is worth nothing without a proof, and a proof is for one request."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.oauth import dpop
from chalicelib.guard import functions as guards
from chalicelib.guard import verifier
from tests.guard.test_guard import (
    SHAPES,
    Event,
    Gate,
    allowed,
    arn,
    event_with,
    gate,
    http_1_event,
    http_2_event,
    rest_event,
    token_event,
)
from tests.support import forge
from tests.support.phone import Clock, Phone
from tests.support.prover import Prover

__all__ = ["gate"]

API = "notes12345"
Ask = Callable[..., Event]


def rest(token: str, proof: str | None, *, method: str = "GET", path: str = "/notes", scheme: str = "DPoP") -> Event:
    event = rest_event(f"{scheme} {token}", API, method, path)
    event["requestContext"]["domainName"] = "x.example"
    return with_proof(event, proof)


def http_1(token: str, proof: str | None, *, method: str = "GET", path: str = "/notes", scheme: str = "DPoP") -> Event:
    event = http_1_event(f"{scheme} {token}", API, method, path)
    event["requestContext"]["domainName"] = "x.example"
    return with_proof({**event, "identitySource": f"{scheme} {token},{proof}"}, proof)


def http_2(token: str, proof: str | None, *, method: str = "GET", path: str = "/notes", scheme: str = "DPoP") -> Event:
    event = http_2_event(f"{scheme} {token}", API, method, path)
    event["requestContext"]["http"]["path"] = f"/prod{path}"
    return with_proof({**event, "identitySource": None}, proof)


def with_proof(event: Event, proof: str | None) -> Event:
    if proof is not None:
        event["headers"]["DPoP"] = proof
        if "multiValueHeaders" in event:
            event["multiValueHeaders"]["DPoP"] = [proof]
    return event


every_shape = pytest.mark.parametrize("shape", [rest, http_1, http_2], ids=lambda shape: shape.__name__)


class Bound:
    """An API that takes proofs, and the owner of a key with a token that is bound to it."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        gate.register(notes12345={"dpop": True})
        self.owner = Prover(gate.clock)
        self.token = gate.token("notes:read", cnf={"jkt": self.owner.thumbprint})

    def proof(self, *, by: Prover | None = None, method: str = "GET", path: str = "/notes", **changes: Any) -> str:
        usual = {"htu": f"https://x.example/prod{path}", "token": self.token}
        return (by or self.owner).proof(method=method, **{**usual, **changes})

    def authorize(self, shape: Ask, proof: str | None, **how: Any) -> Any:
        return self.gate.authorize(shape(self.token, proof, **how))


@pytest.fixture
def bound(gate: Gate) -> Bound:
    return Bound(gate)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("takes_proofs", [True, False])
@pytest.mark.parametrize("scheme", ["Bearer", "DPoP"])
def test_a_bound_token_alone_opens_nothing(gate: Gate, shape: Ask, takes_proofs: bool, scheme: str) -> None:
    gate.register(notes12345={"dpop": takes_proofs})
    token = gate.token("notes:read", cnf={"jkt": Prover(gate.clock).thumbprint})
    assert gate.authorize(shape(f"{scheme} {token}", API)) == 401


@every_shape
def test_a_bound_token_opens_an_api_with_a_proof_of_its_key(bound: Bound, shape: Ask) -> None:
    policy = bound.gate.policy(shape(bound.token, bound.proof()))
    assert allowed(policy, arn(API, "GET", "/notes"))


@every_shape
def test_an_api_that_is_not_registered_for_proofs_takes_none(bound: Bound, shape: Ask) -> None:
    bound.gate.register(notes12345={})
    assert bound.authorize(shape, bound.proof()) == 401


@every_shape
def test_a_proof_does_not_turn_a_bound_token_into_a_bearer_token(bound: Bound, shape: Ask) -> None:
    assert bound.authorize(shape, bound.proof(), scheme="Bearer") == 401


@every_shape
def test_a_bearer_token_stays_good_where_proofs_are_taken_and_is_no_bound_one(bound: Bound, shape: Ask) -> None:
    free = bound.gate.token("notes:read")
    assert allowed(bound.gate.policy(shape(free, None, scheme="Bearer")), arn(API, "GET", "/notes"))
    assert bound.gate.authorize(shape(free, bound.proof(token=free))) == 401


SPOILT: dict[str, dict[str, Any]] = {
    "another method": {"htm": "POST"},
    "the method in lower case": {"htm": "get"},
    "another path": {"htu": "https://x.example/prod/admin"},
    "the path without the stage": {"htu": "https://x.example/notes"},
    "another host": {"htu": "https://y.example/prod/notes"},
    "no TLS": {"htu": "http://x.example/prod/notes"},
    "no URL": {"htu": None},
    "another token": {"token": "x.y.z"},
    "no token": {"token": ""},
    "old": {"iat": 1_800_000_000 - dpop.SECONDS - 1},
    "from the future": {"iat": 1_800_000_000 + dpop.SECONDS + 1},
    "no time": {"iat": None},
    "no jti": {"jti": None},
    "an empty jti": {"jti": ""},
    "another typ": {"header": {"typ": "JWT"}},
    "alg none": {"header": {"alg": "none"}},
    "a private key": {"header": {"jwk": {**forge.jwk(forge.stranger("ES256")), "d": "x"}}},
    "a foreign signature": {"sign": forge.by(forge.stranger("ES256"))},
    "by a shared secret": {"header": {"alg": "HS256"}, "sign": forge.by_hmac(b"secret")},
}


@every_shape
@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT.keys())
def test_a_proof_that_is_not_for_this_very_request_is_unauthorized(
    bound: Bound, shape: Ask, spoilt: dict[str, Any]
) -> None:
    assert bound.authorize(shape, bound.proof(**spoilt)) == 401
    assert isinstance(bound.authorize(shape, bound.proof()), dict)


@every_shape
def test_a_thief_with_token_and_a_key_of_his_own_is_unauthorized(bound: Bound, shape: Ask) -> None:
    assert bound.authorize(shape, bound.proof(by=Prover(bound.gate.clock))) == 401


@every_shape
@pytest.mark.parametrize("proof", [None, "", "x", "x.y.z", "x" * 9000])
def test_what_is_no_proof_is_unauthorized(bound: Bound, shape: Ask, proof: str | None) -> None:
    assert bound.authorize(shape, proof) == 401


def test_two_proofs_are_none(bound: Bound) -> None:
    event = rest(bound.token, bound.proof())
    event["multiValueHeaders"]["DPoP"] = [bound.proof(), bound.proof()]
    assert bound.gate.authorize(event) == 401
    event = http_2(bound.token, f"{bound.proof()},{bound.proof()}")
    assert bound.gate.authorize(event) == 401


@every_shape
def test_the_host_header_has_no_say_in_what_a_proof_is_for(bound: Bound, shape: Ask) -> None:
    event = shape(bound.token, bound.proof(htu="https://evil.example/prod/notes"))
    for headers in (event["headers"], event.get("multiValueHeaders") or {}):
        headers.update({"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert bound.gate.authorize(event) == 401


@every_shape
def test_a_proof_is_good_once_in_a_container_as_long_as_it_could_be_good(
    bound: Bound, shape: Ask, clock: Clock
) -> None:
    proof = bound.proof(iat=clock() + dpop.SECONDS)
    assert isinstance(bound.authorize(shape, proof), dict)
    assert bound.authorize(shape, proof) == 401
    clock.advance(2 * dpop.SECONDS)
    assert bound.authorize(shape, proof) == 401


def test_the_memory_of_proofs_is_bounded(bound: Bound, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(verifier, "MAX_PROOFS", 5)
    for _ in range(12):
        assert isinstance(bound.authorize(rest, bound.proof()), dict)
        assert len(guards.the_guard()._proofs) <= 5
    clock.advance(2 * dpop.SECONDS + 1)
    bound.authorize(rest, bound.proof())
    assert len(guards.the_guard()._proofs) == 1


@every_shape
def test_with_a_proof_the_policy_is_for_this_request_alone(bound: Bound, shape: Ask) -> None:
    policy = bound.gate.policy(shape(bound.token, bound.proof(path="/notes/7"), path="/notes/7"))
    assert allowed(policy, arn(API, "GET", "/notes/7"))
    for method, path in (
        ("GET", "/notes"),
        ("GET", "/notes/8"),
        ("POST", "/notes"),
        ("GET", "/notes/7/x"),
        ("GET", "/"),
    ):
        assert not allowed(policy, arn(API, method, path))


@every_shape
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/notes"), ("GET", "/admin"), ("GET", "/notes/7/history"), ("GET", "/notes//"), ("GET", "/unknown")],
)
def test_a_proof_widens_no_scope(bound: Bound, shape: Ask, method: str, path: str) -> None:
    event = shape(bound.token, bound.proof(method=method, path=path), method=method, path=path)
    assert not allowed(bound.gate.policy(event), arn(API, method, path))


@pytest.mark.parametrize("path", ["/notes/*", "/notes/?", "/*"])
def test_a_wildcard_in_a_path_opens_nothing(bound: Bound, path: str) -> None:
    policy = bound.gate.policy(rest(bound.token, bound.proof(path=path), path=path))
    for each in (path, "/notes", "/notes/7", "/admin"):
        assert not allowed(policy, arn(API, "GET", each))


@pytest.mark.parametrize("shape", [http_1, http_2], ids=lambda shape: shape.__name__)
def test_an_authorizer_that_is_cached_without_the_proof_is_a_fault(bound: Bound, shape: Ask) -> None:
    event = shape(bound.token, bound.proof())
    for sources in (f"DPoP {bound.token}", [f"DPoP {bound.token}"], [f"DPoP {bound.token}", "GET /notes"]):
        assert bound.gate.authorize(event_with(event, identitySource=sources)) == 500


def test_an_authorizer_that_is_cached_by_the_proof_too_answers(bound: Bound) -> None:
    proof = bound.proof()
    event = event_with(http_2(bound.token, proof), identitySource=[f"DPoP {bound.token}", proof])
    assert isinstance(bound.gate.authorize(event), dict)


def test_simple_answers_take_proofs_where_nothing_is_cached_or_the_route_is_in_the_key(bound: Bound) -> None:
    bound.gate.register(notes12345={"dpop": True, "answer": "simple"})
    assert bound.authorize(http_2, bound.proof())["isAuthorized"] is True
    proof = bound.proof()
    cached = event_with(http_2(bound.token, proof), identitySource=[f"DPoP {bound.token}", proof, "GET /notes"])
    assert bound.gate.authorize(cached)["isAuthorized"] is True
    proof = bound.proof()
    narrow = event_with(http_2(bound.token, proof), identitySource=[f"DPoP {bound.token}", proof])
    assert bound.gate.authorize(narrow) == 500
    post = bound.proof(method="POST")
    assert bound.authorize(http_2, post, method="POST")["isAuthorized"] is False


def test_a_bearer_token_gets_its_simple_answer_where_proofs_are_taken_and_nothing_is_cached(bound: Bound) -> None:
    bound.gate.register(notes12345={"dpop": True, "answer": "simple"})
    for scope, may in (("notes:read", True), ("notes:write", False)):
        answer = bound.gate.authorize(http_2(bound.gate.token(scope), None, scheme="Bearer"))
        assert answer["isAuthorized"] is may


def test_with_a_proof_a_slash_at_the_end_is_the_route_without_it_and_for_that_request_alone(bound: Bound) -> None:
    policy = bound.gate.policy(rest(bound.token, bound.proof(path="/notes/"), path="/notes/"))
    assert allowed(policy, arn(API, "GET", "/notes/"))
    assert not allowed(policy, arn(API, "GET", "/notes"))
    policy = bound.gate.policy(rest(bound.token, bound.proof(path="/notes/7/history/"), path="/notes/7/history/"))
    assert not allowed(policy, arn(API, "GET", "/notes/7/history/"))


def test_a_bound_token_never_reaches_our_own_routes(gate: Gate, phone: Phone) -> None:
    owner = Prover(gate.clock)
    token = gate.token("account", cnf={"jkt": owner.thumbprint})
    proof = owner.headers("/me", method="GET", token=token)
    assert phone.call("GET /me", token=token).status == 401
    assert phone.call("GET /me", headers=[("Authorization", f"DPoP {token}"), *proof]).status == 401
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        guards.guard(token_event(f"DPoP {token}", "ownapi1234", path="/me"), None)
