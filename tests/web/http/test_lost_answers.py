"""Every call of every flow is carried out by AWS, whose answer is cut on the wire: what our client then sends again is known.

The faults of the other files are above the client, which has given up by then.
"""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any

import pytest

from chalicelib.fetch import trust
from chalicelib.services import Services, use
from chalicelib.store.aws.client import PATIENT, AwsError
from chalicelib.store.aws.http_transport import HttpTransport
from chalicelib.store.aws.retries import ATTEMPTS
from local.gateway import Answer
from tests.support import aws as in_process
from tests.support.phone import Clock, Phone, refusal
from tests.support.prepared import from_here
from tests.support.scripted import Request, ScriptedAws, http, scripted_aws
from tests.support.wire import UNAVAILABLE
from tests.web.api import test_faults as of_accounts
from tests.web.oauth import test_oauth_faults as of_oauth

# Who is ready, the act whose answers are cut, and what must be true then.
Deed = tuple[Any, Callable[[Any], Answer], Callable[[Any, Answer], None]]


def reply(request: Request) -> bytes:
    """What the AWS of this process says to a request, in HTTP."""
    target, _, operation = request.headers["x-amz-target"].partition(".")
    service = "dynamodb" if target.startswith("DynamoDB") else "ssm"
    try:
        return http(200, json.dumps(in_process.transport(service)(operation, json.loads(request.body))).encode())
    except AwsError as refusal:
        members = {"__type": refusal.code, "Item": refusal.item, "CancellationReasons": list(refusal.reasons)}
        return http(refusal.status, json.dumps(members).encode())


def carried_out(sock: socket.socket, request: Request) -> bool:
    sock.sendall(reply(request))
    return True


def cut(sock: socket.socket, request: Request) -> bool:
    """Carries out a request, and breaks off in the last line of its answer."""
    sock.sendall(reply(request)[:-1])
    return False


@pytest.fixture
def aws() -> Iterator[ScriptedAws]:
    with scripted_aws() as running:
        running.usual = carried_out
        yield running


@contextmanager
def over_http(aws: ScriptedAws, svc: Services) -> Iterator[None]:
    """Requests are a new container's meanwhile, which calls its AWS over the wire."""
    way = partial(
        HttpTransport, trust=trust, environ=aws.environ, seconds=PATIENT, pause=lambda _: None, jitter=lambda: 0.0
    )
    use(in_process.container(svc.settings, now=svc.now, transport=way))
    yield
    use(svc)


def of_account(name: str, phone: Phone, svc: Services, clock: Clock) -> Deed:
    act, done, _ = of_accounts.FLOWS[name]
    world = of_accounts.World(phone, svc, clock)
    of_accounts.prepare(name, world)
    return world, act, done


def of_client(name: str, phone: Phone, svc: Services, clock: Clock) -> Deed:
    flow = of_oauth.FLOWS[name]
    phone.sign_up(name="Ann")
    world = of_oauth.World(phone, svc, clock)
    flow.before(world)
    return world, flow.act, flow.after


FLOWS = [*(("account", name) for name in of_accounts.FLOWS), *(("client", name) for name in of_oauth.FLOWS)]


@pytest.mark.parametrize(("kind", "name"), FLOWS)
def test_a_call_whose_answer_is_cut_twice_is_sent_again_and_its_caller_gets_what_it_would_have(
    phone: Phone, svc: Services, clock: Clock, aws: ScriptedAws, kind: str, name: str
) -> None:
    prepared, act, done = (of_account if kind == "account" else of_client)(name, phone, svc, clock)
    with from_here(prepared) as world:
        usual = act(world).status
    for at in count(1):
        aws.steps[:] = [carried_out] * (at - 1) + [cut] * (ATTEMPTS["ssm"] - 1)
        with from_here(prepared) as world:
            with over_http(aws, svc):
                answer = act(world)
            if aws.steps:
                break
            assert (answer.status, at) == (usual, at), aws.targets
            done(world, answer)
    assert at > 1


@pytest.mark.parametrize("name", of_accounts.FLOWS)
def test_a_call_whose_answers_are_all_cut_is_a_503_and_trying_again_works(
    phone: Phone, svc: Services, clock: Clock, aws: ScriptedAws, name: str
) -> None:
    prepared, act, done = of_account(name, phone, svc, clock)
    for at in count(1):
        aws.requests.clear()
        aws.steps[:] = [carried_out] * (at - 1) + [cut] * max(ATTEMPTS.values())
        with from_here(prepared) as world:
            with over_http(aws, svc):
                answer = act(world)
            if len(aws.requests) < at:
                break
            assert refusal(answer) == UNAVAILABLE, aws.targets
            done(world, act(world))
    assert at > 1
