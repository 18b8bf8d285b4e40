"""Every call of every flow of the standard endpoints fails once, before it is sent and after it was carried out.

The caller is told 503, in JSON or on a page; nothing is lost by it, and trying again works: with the same text where that can
be, with a fresh one where the first was used up by then (a code, a proof, an assertion), as its owner gets it at any time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, DEVICE_CODE, TOKEN_EXCHANGE
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import wire
from tests.support.browser import API, App, Browser, callback_params, forms, place, register, token_response
from tests.support.forge import peek
from tests.support.issuer import Issuer, present, trusting
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal
from tests.support.prepared import from_here
from tests.support.prover import Prover
from tests.support.wire import MODES, UNAVAILABLE, Wire, watched

TRANSACT = "TransactWriteItems"
_numbers = count(1)


@dataclass
class World:
    """A user in a browser, and whatever a flow needs beside them."""

    phone: Phone
    svc: Services
    clock: Clock
    state: dict[str, Any] = field(default_factory=dict)
    number: int = field(default_factory=lambda: next(_numbers))

    def __post_init__(self) -> None:
        self.phone.address = f"10.0.{self.number // 250}.{self.number % 250}"  # this is no test of limits
        self.app = register(self.svc, self.phone)
        self.browser = Browser(self.phone)

    def fresh(self, kind: str, **metadata: Any) -> App:
        return register(self.svc, self.phone, kind, **metadata)


Act = Callable[[World], Answer]


@dataclass
class Flow:
    """What is done before, the act whose calls fail, and what must be true after it was tried again.

    An act that `gives_back` what an attempt counted does so by UpdateItem, and nobody who was right is refused where that fails.
    """

    before: Callable[[World], None]
    act: Act
    after: Callable[[World, Answer], None]
    page: bool = False
    gives_back: bool = False


def no_more(_: World) -> None:
    return None


def has_tokens(_: World, answer: Answer) -> None:
    token_response(answer)


def with_code(world: World) -> None:
    world.state["code"] = world.browser.code(world.app)


def redeem(world: World) -> Answer:
    return world.app.redeem(world.state["code"])


def redeemed(world: World, answer: Answer) -> None:
    # Where the answer was lost the code is spent: its tokens reached nobody, and the browser gets another code at once.
    if answer.status != 200:
        assert refusal(answer) == (400, "invalid_grant")
        with_code(world)
        answer = redeem(world)
    token_response(world.app.refresh(token_response(answer)["refresh_token"]))


def with_tokens(world: World) -> None:
    world.state["tokens"] = world.app.tokens(world.browser)


def refresh(world: World) -> Answer:
    return world.app.refresh(world.state["tokens"]["refresh_token"])


def refreshed(world: World, answer: Answer) -> None:
    successor = token_response(answer)["refresh_token"]
    world.clock.advance(60)
    token_response(world.app.refresh(successor))


def revoke(world: World) -> Answer:
    return world.app.post("/oauth/revoke", {"token": world.state["tokens"]["refresh_token"]})


def revoked(world: World, answer: Answer) -> None:
    assert answer.status == 200
    assert refusal(refresh(world)) == (400, "invalid_grant")


def with_replayed_code(world: World) -> None:
    with_code(world)
    world.state["tokens"] = token_response(redeem(world))


def replayed(world: World, answer: Answer) -> None:
    assert refusal(answer) == (400, "invalid_grant")
    assert refusal(refresh(world)) == (400, "invalid_grant")


def with_machine(world: World) -> None:
    world.state["app"] = world.fresh("machine")


def with_key(world: World) -> None:
    world.state["app"] = world.fresh("key", grant_types=(CLIENT_CREDENTIALS,), scopes=("notes:read",))


def own_token(world: World) -> Answer:
    answer: Answer = world.state["app"].token(CLIENT_CREDENTIALS)
    return answer


def with_prover(world: World) -> None:
    with_machine(world)
    prover = Prover(world.clock)
    prover.nonce = world.state["app"].token(CLIENT_CREDENTIALS, headers=prover.headers()).header("DPoP-Nonce") or ""
    world.state["prover"] = prover


def bound_token(world: World) -> Answer:
    answer: Answer = world.state["app"].token(CLIENT_CREDENTIALS, headers=world.state["prover"].headers())
    return answer


def push(world: World) -> Answer:
    return world.app.post("/oauth/par", world.app.request())


def pushed(world: World, answer: Answer) -> None:
    short = {"client_id": world.app.id, "request_uri": answer.json()["request_uri"]}
    assert "code" in callback_params(world.browser.finish(world.browser.get("/oauth/authorize", short)))


def with_television(world: World) -> None:
    world.state["app"] = world.fresh("television")


def begin(world: World) -> Answer:
    answer: Answer = world.state["app"].post("/oauth/device", {})
    return answer


def began(world: World, answer: Answer) -> None:
    world.state["codes"] = answer.json()
    assert refusal(poll(world)) == (400, "authorization_pending")
    approved(world, decide_from(world, typed(world)))


def with_codes(world: World) -> None:
    with_television(world)
    world.state["codes"] = begin(world).json()
    world.browser.finish(world.browser.authorize(world.app))


def with_device_page(world: World) -> None:
    with_codes(world)
    world.state["page"] = world.browser.get("/device")


def type_code(world: World) -> Answer:
    return world.browser.submit(world.state["page"], "/device", user_code=world.state["codes"]["user_code"])


def typed(world: World) -> Answer:
    world.state["page"] = world.browser.get("/device")
    if "/authorize/login" in forms(world.state["page"]):
        world.state["page"] = world.browser.submit(
            world.state["page"], "/authorize/login", email=EMAIL, password=PASSWORD
        )
    return type_code(world)


def ready_to_decide(world: World, page: Answer) -> None:
    approved(world, decide_from(world, page))


def decide_from(world: World, page: Answer) -> Answer:
    return world.browser.submit(page, "/device", decision="allow")


def with_typed_code(world: World) -> None:
    with_codes(world)
    world.state["page"] = typed(world)


def decide(world: World) -> Answer:
    return decide_from(world, world.state["page"])


def approved(world: World, answer: Answer) -> None:
    assert answer.status == 200
    token_response(poll(world))


def poll(world: World) -> Answer:
    answer: Answer = world.state["app"].token(DEVICE_CODE, device_code=world.state["codes"]["device_code"])
    return answer


def still_waiting(world: World, answer: Answer) -> None:
    assert refusal(answer)[1] in ("authorization_pending", "slow_down")
    approved(world, decide_from(world, typed(world)))


def with_approval(world: World) -> None:
    with_typed_code(world)
    decide(world)


def collected(world: World, answer: Answer) -> None:
    # Where the answer was lost the code is spent; the device begins anew, as it does when a code has expired.
    if answer.status != 200:
        assert refusal(answer)[1] in ("expired_token", "invalid_grant")
        world.state["codes"] = begin(world).json()
        approved(world, decide_from(world, typed(world)))


def with_subject(world: World) -> None:
    with_tokens(world)
    world.state["app"] = world.fresh("exchanger")


def exchange(world: World) -> Answer:
    kind = "urn:ietf:params:oauth:token-type:access_token"
    token = world.state["tokens"]["access_token"]
    answer: Answer = world.state["app"].token(TOKEN_EXCHANGE, subject_token=token, subject_token_type=kind)
    return answer


def with_issuer(world: World) -> None:
    with_tokens(world)
    world.state["issuer"] = Issuer()
    world.state["app"] = trusting(world.svc, world.phone, world.state["issuer"])


def vouched(world: World) -> Answer:
    subject = peek(world.state["tokens"]["access_token"])[1]["sub"]
    return present(world.state["app"], world.state["issuer"].assertion(subject, now=world.svc.now()))


def with_api(world: World) -> None:
    with_tokens(world)
    world.state["app"] = world.fresh("api", resources=(API,))


def introspect(world: World) -> Answer:
    answer: Answer = world.state["app"].post("/oauth/introspect", {"token": world.state["tokens"]["access_token"]})
    return answer


def active(_: World, answer: Answer) -> None:
    assert answer.json()["active"] is True


def userinfo(world: World) -> Answer:
    return world.phone.call("GET /oauth/userinfo", token=world.state["tokens"]["access_token"])


def read(_: World, answer: Answer) -> None:
    assert answer.json()["email"] == EMAIL


def authorize(world: World) -> Answer:
    return world.browser.authorize(world.app)


def goes_on(world: World, answer: Answer) -> None:
    assert place(answer) == "" or "code" in callback_params(answer)
    token_response(world.app.redeem(callback_params(world.browser.finish(answer))["code"]))


def with_login(world: World) -> None:
    world.browser.finish(world.browser.authorize(world.app))


def with_login_page(world: World) -> None:
    world.state["page"] = authorize(world)


def log_in(world: World) -> Answer:
    return world.browser.submit(world.state["page"], "/authorize/login", email=EMAIL, password=PASSWORD)


def with_sign_up_page(world: World) -> None:
    world.state["page"] = world.browser.sign_up_page(authorize(world))


def sign_up(world: World) -> Answer:
    new = f"new{world.number}@example.com"
    return world.browser.submit(world.state["page"], "/authorize/signup", email=new, password=PASSWORD)


def signed_up(world: World, answer: Answer) -> None:
    # An account that was made although its owner was not told is theirs all the same.
    if "/authorize/signup" in forms(answer) and "/authorize/consent" not in forms(answer):
        answer = world.browser.finish(authorize(world), email=f"new{world.number}@example.com")
    goes_on(world, answer)


def with_consent_page(world: World) -> None:
    with_login_page(world)
    world.state["page"] = log_in(world)


def consent(world: World) -> Answer:
    return world.browser.submit(world.state["page"], "/authorize/consent", decision="allow")


FLOWS = {
    "redeem a code": Flow(with_code, redeem, redeemed),
    "replay a code": Flow(with_replayed_code, redeem, replayed),
    "refresh": Flow(with_tokens, refresh, refreshed),
    "revoke": Flow(with_tokens, revoke, revoked),
    "a machine's token": Flow(with_machine, own_token, has_tokens),
    "a token by assertion": Flow(with_key, own_token, has_tokens),
    "a bound token": Flow(with_prover, bound_token, has_tokens),
    "push a request": Flow(no_more, push, pushed),
    "begin a device": Flow(with_television, begin, began),
    "poll while it waits": Flow(with_codes, poll, still_waiting),
    "poll after approval": Flow(with_approval, poll, collected),
    "exchange": Flow(with_subject, exchange, has_tokens),
    "a user's token by an issuer's assertion": Flow(with_issuer, vouched, has_tokens),
    "introspect": Flow(with_api, introspect, active),
    "userinfo": Flow(with_tokens, userinfo, read),
    "authorize": Flow(no_more, authorize, goes_on, page=True),
    "authorize when logged in": Flow(with_login, authorize, goes_on, page=True),
    "log in": Flow(with_login_page, log_in, goes_on, page=True),
    "sign up": Flow(with_sign_up_page, sign_up, signed_up, page=True),
    "consent": Flow(with_consent_page, consent, goes_on, page=True),
    "type a device's code": Flow(with_device_page, type_code, ready_to_decide, page=True, gives_back=True),
    "approve a device": Flow(with_typed_code, decide, approved, page=True, gives_back=True),
}
every_flow = pytest.mark.parametrize("name", FLOWS)


@pytest.fixture
def worlds(phone: Phone, svc: Services, clock: Clock) -> Callable[[], World]:
    """As many browsers and clients of one user as a test wants."""
    phone.sign_up(name="Ann")
    return lambda: World(phone, svc, clock)


def unavailable(answer: Answer, *, page: bool) -> None:
    """A 503 that says when to come back: in JSON to a client, on a page to a person, and sending nobody anywhere."""
    assert answer.status == 503, answer
    assert int(answer.header("Retry-After") or 0) > 0
    assert answer.header("Location") is None
    if page:
        assert (answer.header("Content-Type") or "").startswith("text/html")
        assert b'role="alert"' in answer.body
    else:
        assert refusal(answer) == UNAVAILABLE


@every_flow
@pytest.mark.parametrize("mode", MODES)
def test_a_fault_at_any_call_is_a_503_and_trying_again_works(
    worlds: Callable[[], World], svc: Services, name: str, mode: str
) -> None:
    flow = FLOWS[name]
    failure, afterwards = MODES[mode]
    prepared = worlds()
    flow.before(prepared)
    for at in count(1):
        failing = Wire(fail_at=at, failure=failure, afterwards=afterwards)
        with from_here(prepared) as world:
            with watched(svc, failing):
                answer = flow.act(world)
            if len(failing.calls) < at:
                flow.after(world, answer)
                break
            noting = wire.is_note(failing.calls[at - 1], failing.requests[at - 1])
            if noting or (flow.gives_back and failing.calls[at - 1] == "UpdateItem"):
                flow.after(world, answer)
                continue
            if mode != "in conflict":
                unavailable(answer, page=flow.page)
            elif answer.status != 503:  # counting an attempt tries again by itself
                flow.after(world, answer)
                continue
            flow.after(world, flow.act(world))
    assert at > 1


@every_flow
def test_a_fault_that_trying_again_does_not_mend_is_a_500_and_blames_nobody(
    worlds: Callable[[], World], svc: Services, name: str
) -> None:
    flow = FLOWS[name]
    world = worlds()
    flow.before(world)
    with watched(svc, Wire(fail_at=1, failure=wire.refusing("AccessDeniedException"))):
        answer = flow.act(world)
    assert answer.status == 500
    assert b"injected" not in answer.body
    flow.after(world, flow.act(world))
