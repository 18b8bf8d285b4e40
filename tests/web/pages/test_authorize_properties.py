"""Whatever an authorization request says, the browser is sent to a registered place or nowhere, and nothing breaks."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.oauth.parameters import AUTHORIZATION_REQUEST
from chalicelib.services import Services
from chalicelib.web.pages.page_request import INTERACTION
from local.gateway import Answer
from tests.support.browser import CALLBACK, CHALLENGE, App, Browser, forms, register
from tests.support.phone import EMAIL, PASSWORD, Phone
from tests.web.pages.test_authorize_redirects import LOOPBACK_TRICKS, TRICKS

OWN = (CALLBACK, "com.example.app:/cb")
NATIVE_LOOPBACK = "http://127.0.0.1"
NAMES = sorted({*AUTHORIZATION_REQUEST, INTERACTION, "extra"})
ODD = [
    "",
    " ",
    "\x00",
    "\r\nLocation: https://evil.example",
    "\ufffd",
    "é",
    "\U0001f600",
    "{}",
    "[]",
    "[" * 999,
    "null",
]
ODD += ["-1", "0", "1e9", "٣", "9" * 400, "x" * 2049, "x" * 9000, "%", "%00", "+", "&x=1", "#", '"', "'", "<b>", "${x}"]
WORDS = ["code", "token", "code token", "query", "form_post", "fragment", "S256", "plain", "none", "login", "consent"]
WORDS += [
    "select_account",
    "none login",
    "openid",
    "openid email",
    "admin",
    "1",
    CHALLENGE,
    "ar",
    "urn:ietf:params:oauth:request_uri:x",
]
WORDS += ['{"id_token":{"acr":{"essential":true,"values":["x"]}}}', '{"userinfo":null}', "e30.e30.", *OWN]
VALUES = st.one_of(st.sampled_from([*ODD, *WORDS, *TRICKS, *LOOPBACK_TRICKS]), st.text(max_size=40))
REDIRECTS = st.sampled_from([*OWN, f"{NATIVE_LOOPBACK}:1/cb", *TRICKS, *LOOPBACK_TRICKS])


class World:
    """A server with a web client and a native one, a browser that is logged in and one that is not."""

    def __init__(self, svc: Services, phone: Phone) -> None:
        phone.sign_up()
        self.apps: list[App] = [register(svc, phone, first_party=True), register(svc, phone, "native")]
        self.browsers = [Browser(phone), Browser(phone)]
        page = self.browsers[1].authorize(self.apps[0])
        self.browsers[1].submit(page, "/authorize/login", email=EMAIL, password=PASSWORD)


@pytest.fixture
def world(svc: Services, phone: Phone) -> World:
    """One world for all examples: a request that is only asked leaves nothing behind."""
    return World(svc, phone)


def registered(target: str) -> bool:
    """Whether an answer may go here, said in another way than the server does: by prefix, and by the letter."""
    place = target.partition("?")[0]
    if place.startswith(f"{NATIVE_LOOPBACK}:"):
        port = place.removeprefix(f"{NATIVE_LOOPBACK}:").removesuffix("/cb")
        return place.endswith("/cb") and port.isascii() and port.isdigit()
    return place in (*OWN, f"{NATIVE_LOOPBACK}/cb")


def safe(answer: Answer) -> None:
    assert answer.status in (200, 303, 400, 413, 415), answer
    location = answer.header("Location")
    assert (location is None) == (answer.status != 303)
    assert location is None or registered(location), location
    if answer.status == 200:
        for action in forms(answer):
            assert action.startswith(("/authorize/", "/device")) or registered(action), action


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    which=st.integers(0, 1),
    who=st.integers(0, 1),
    by_post=st.booleans(),
    redirect_uri=REDIRECTS,
    changed=st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=6),
    left_out=st.sets(st.sampled_from(NAMES), max_size=3),
    added=st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), st.text(max_size=8)), VALUES), max_size=3),
)
def test_no_request_is_answered_outside_the_registered_places_or_by_a_fault(
    world: World,
    which: int,
    who: int,
    by_post: bool,
    redirect_uri: str,
    changed: list[tuple[str, str]],
    left_out: set[str],
    added: list[tuple[str, str]],
) -> None:
    app, browser = world.apps[which], world.browsers[who]
    fields = {**app.request(redirect_uri=redirect_uri), **dict(changed)}
    pairs = [*((name, value) for name, value in fields.items() if name not in left_out), *added]
    if by_post:
        safe(browser.post("/oauth/authorize", pairs, origin="https://evil.example"))
    else:
        safe(browser.get("/oauth/authorize", pairs))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from(
        ["/authorize/login", "/authorize/signup", "/authorize/continue", "/authorize/consent", "/device"]
    ),
    who=st.integers(0, 1),
    fields=st.dictionaries(
        st.sampled_from(["to", "form_token", "decision", "email", "password", "user_code", "name"]), VALUES, max_size=5
    ),
    redirect_uri=REDIRECTS,
)
def test_no_form_that_is_not_ours_sends_anybody_anywhere(
    world: World, path: str, who: int, fields: dict[str, str], redirect_uri: str
) -> None:
    browser, app = world.browsers[who], world.apps[0]
    request = "&".join(f"{name}={value}" for name, value in app.request(redirect_uri=redirect_uri).items())
    answer = browser.post(path, {"to": f"oauth/authorize?{request}", **fields})
    assert answer.status in (200, 303, 400, 403, 429), answer
    assert answer.header("Location") is None or registered(answer.header("Location") or "")
