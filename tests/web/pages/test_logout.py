"""Logout (OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0)."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlencode

import pytest

from chalicelib.domain.oauth.client import Client
from chalicelib.flows.clients import authenticate as clients
from chalicelib.flows.clients import manage
from chalicelib.flows.platform import keys, limits
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import delivery, wire
from tests.support.browser import CALLBACK, App, Browser, callback_params, forms, place, register, send
from tests.support.delivery import DeliveringPhone
from tests.support.forge import peek
from tests.support.internet import Internet, Page, running
from tests.support.oidc import signed_by
from tests.support.phone import EMAIL, NETWORK, PASSWORD, Clock, Phone, installed, refusal

# The scheduler, for those who cannot be told at once, is moto's.
pytestmark = pytest.mark.usefixtures("aws")

PATH = "/oauth/logout"
CONFIRM = "/oauth/logout/confirm"
LEFT = "https://app.example/left"
HOOK = "https://app.example/backchannel?of=latchkey"
OTHER_HOOK = "https://other.example/backchannel"
ONLINE = "openid notes:read"
SESSION = "__Host-latchkey-session"


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with running(tmp_path, "app.example", "other.example") as network:
        network.pages |= {HOOK: Page(), OTHER_HOOK: Page(status=204)}
        yield network


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    return replace(svc, fetch=internet.fetch())


@pytest.fixture
def phone(svc: Services, clock: Clock) -> Iterator[DeliveringPhone]:
    with installed(svc):
        yield DeliveringPhone(clock)


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    return register(
        svc,
        phone,
        post_logout_redirect_uris=(LEFT, f"{LEFT}?a=b"),
        backchannel_logout_uri=HOOK,
        backchannel_logout_session_required=True,
    )


@pytest.fixture
def web(phone: Phone, app: App) -> Browser:  # noqa: ARG001 - the client comes first
    phone.sign_up()
    return Browser(phone)


def logged_in(web: Browser, app: App) -> bool:
    """Whether the browser's session is alive: a silent login then needs nobody."""
    return "code" in callback_params(web.authorize(app, scope="openid", prompt="none"))


def asks_to_confirm(page: Answer) -> bool:
    return page.status == 200 and CONFIRM in forms(page)


def alive(app: App, refresh_token: str) -> bool:
    return app.refresh(refresh_token).status == 200


def test_the_client_that_shows_its_id_token_logs_its_user_out_without_asking(web: Browser, app: App) -> None:
    tokens = app.tokens(web, scope=ONLINE)
    answer = web.get(
        PATH,
        {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": LEFT, "state": "a b&c", "client_id": app.id},
    )
    assert place(answer) == LEFT
    assert callback_params(answer) == {"state": "a b&c"}
    assert SESSION not in web.cookies
    assert "login_required" in callback_params(web.authorize(app, scope="openid", prompt="none"))["error"]


def test_an_expired_id_token_is_as_good_a_hint(web: Browser, app: App, clock: Clock) -> None:
    tokens = app.tokens(web, scope=ONLINE)
    clock.advance(7200)
    assert place(web.get(PATH, {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": LEFT})) == LEFT


def test_the_cookie_of_a_session_that_was_left_is_worth_nothing(web: Browser, app: App) -> None:
    tokens = app.tokens(web, scope=ONLINE)
    cookies = dict(web.cookies)
    web.get(PATH, {"id_token_hint": tokens["id_token"]})
    web.cookies = cookies
    assert callback_params(web.authorize(app, scope="openid", prompt="none"))["error"] == "login_required"


def test_with_the_browsers_session_ends_what_began_in_it_but_not_what_was_granted_for_absence(
    svc: Services, phone: Phone, web: Browser, app: App
) -> None:
    """Back-Channel Logout 1.0 section 2.7."""
    machine = register(svc, phone, first_party=True)
    other_browser = Browser(phone)
    # A client that does not speak OpenID has refresh tokens without asking for offline_access.
    here = machine.tokens(web, scope="notes:read")
    offline = app.tokens(web, scope="openid offline_access")
    elsewhere = machine.tokens(other_browser, scope="notes:read")
    web.get(PATH, {"id_token_hint": offline["id_token"]})
    assert not alive(machine, here["refresh_token"])
    assert alive(app, offline["refresh_token"])
    assert alive(machine, elsewhere["refresh_token"])
    assert logged_in(other_browser, app)


def test_an_access_token_of_a_session_that_was_left_opens_userinfo_no_more(
    phone: Phone, web: Browser, app: App
) -> None:
    tokens = app.tokens(web, scope=ONLINE)
    web.get(PATH, {"id_token_hint": tokens["id_token"]})
    assert refusal(phone.call("GET /oauth/userinfo", token=tokens["access_token"])) == (401, "invalid_token")


@pytest.mark.parametrize(
    "hint", ["none", "nonsense", "forged", "an access token", "another user's", "an earlier session's"]
)
def test_without_a_hint_at_this_very_session_the_user_is_asked(phone: Phone, web: Browser, app: App, hint: str) -> None:
    earlier = app.tokens(web, scope=ONLINE)
    web.cookies.clear()
    now = app.tokens(web, scope=ONLINE)
    phone.sign_up(email="bob@example.com")
    bob = app.tokens(Browser(phone), email="bob@example.com", scope=ONLINE)
    head, _, signature = now["id_token"].rpartition(".")
    hints = {
        "none": {},
        "nonsense": {"id_token_hint": "nonsense"},
        "forged": {"id_token_hint": f"{head}.{signature[::-1]}"},
        "an access token": {"id_token_hint": now["access_token"]},
        "another user's": {"id_token_hint": bob["id_token"]},
        "an earlier session's": {"id_token_hint": earlier["id_token"]},
    }
    page = web.get(PATH, {"client_id": app.id, "post_logout_redirect_uri": LEFT, "state": "s", **hints[hint]})
    assert asks_to_confirm(page)
    assert logged_in(web, app)
    answer = web.submit(page, CONFIRM)
    assert (place(answer), callback_params(answer)) == (LEFT, {"state": "s"})
    assert callback_params(web.authorize(app, scope="openid", prompt="none"))["error"] == "login_required"


def test_the_page_that_asks_cannot_be_framed_or_kept(web: Browser, app: App) -> None:
    app.tokens(web, scope=ONLINE)
    page = web.get(PATH)
    assert "frame-ancestors 'none'" in (page.header("Content-Security-Policy") or "")
    assert page.header("X-Frame-Options") == "DENY"
    assert page.header("Cache-Control") == "no-store"


@pytest.mark.parametrize(
    "by", ["another site", "no form token", "another session's form token", "another page's form token", "other fields"]
)
def test_another_sites_form_logs_nobody_out(phone: Phone, web: Browser, app: App, by: str) -> None:
    app.tokens(web, scope=ONLINE)
    form = forms(web.get(PATH, {"client_id": app.id}))[CONFIRM].hidden
    attacker = Browser(phone)
    app.tokens(attacker, scope=ONLINE)
    strange = forms(attacker.get(PATH, {"client_id": app.id}))[CONFIRM].hidden
    elsewhere = urlencode({"client_id": app.id, "post_logout_redirect_uri": LEFT})
    fields = {
        "another site": form,
        "no form token": {"to": form["to"]},
        "another session's form token": strange,
        "another page's form token": forms(web.authorize(app, prompt="consent"))["/authorize/consent"].hidden,
        "other fields": {**form, "to": f"oauth/logout?{elsewhere}"},
    }
    answer = web.post(
        CONFIRM, fields[by], origin="https://evil.example" if by == "another site" else "https://id.example"
    )
    assert answer.status == 400 or asks_to_confirm(answer)
    assert logged_in(web, app)


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        "https://app.example/cb",  # where logins go is not where logouts go
        f"{LEFT}/",
        f"{LEFT}?x=y",
        f"{LEFT}#x",
        f"{LEFT}%20",
        LEFT.upper(),
        LEFT.replace("https", "http"),
        "https://app.example:443/left",
        "https://app.example/x/../left",
        "//app.example/left",
        "javascript:alert(1)",
        "data:text/html,x",
    ],
)
@pytest.mark.parametrize("with_hint", [True, False])
def test_nobody_is_sent_to_an_unregistered_place_but_all_are_logged_out(
    web: Browser, app: App, uri: str, with_hint: bool
) -> None:
    """RP-Initiated Logout 1.0 section 3: the redirection alone is what must not be done."""
    tokens = app.tokens(web, scope=ONLINE)
    params = {"id_token_hint": tokens["id_token"]} if with_hint else {"client_id": app.id}
    request = {**params, "post_logout_redirect_uri": uri, "state": "secret"}
    first = web.get(PATH, request)
    if not with_hint:
        assert asks_to_confirm(first)
        assert asks_to_confirm(web.post(CONFIRM, {"to": f"oauth/logout?{urlencode(request)}"}))
        assert logged_in(web, app)
    for answer in (
        first,
        *([] if with_hint else [web.submit(first, CONFIRM)]),
        web.post(PATH, request),
        web.post(CONFIRM, {"to": f"oauth/logout?{urlencode(request)}"}),
        Browser(web.phone).get(PATH, request),
    ):
        assert (answer.status, answer.header("Location")) == (200, None)
        assert b"not known here to be its own" in answer.body
        assert not links(answer)
    assert callback_params(web.authorize(app, scope="openid", prompt="none"))["error"] == "login_required"


@pytest.mark.parametrize("client_id", ["", "unknown", "https://app.example/client.json"])
def test_without_a_client_nobody_is_sent_anywhere(web: Browser, app: App, client_id: str) -> None:
    app.tokens(web, scope=ONLINE)
    page = web.get(PATH, {"post_logout_redirect_uri": LEFT, **({"client_id": client_id} if client_id else {})})
    assert asks_to_confirm(page)
    answer = web.submit(page, CONFIRM)
    assert (answer.status, answer.header("Location"), links(answer)) == (200, None, [])


# --- where nobody has looked at the place ---


@pytest.fixture
def stranger(svc: Services, phone: Phone) -> App:
    """A client that registered itself."""
    return register(svc, phone, post_logout_redirect_uris=(LEFT,), registration_token="a digest")


def links(page: Answer) -> list[str]:
    return [unescape(each) for each in re.findall(r'<a class="button" href="([^"]+)"', page.body.decode())]


def test_a_client_that_nobody_vouched_for_sends_nobody_on_unasked(phone: Phone, web: Browser, stranger: App) -> None:
    tokens = stranger.tokens(web, scope=ONLINE)
    request = {"client_id": stranger.id, "post_logout_redirect_uri": LEFT, "state": "a b"}
    for params in (request, {**request, "id_token_hint": tokens["id_token"]}):
        page = Browser(phone).get(PATH, params)
        assert (page.status, page.header("Location")) == (200, None)
        assert b"<bdi>app.example</bdi>" in page.body
        assert links(page) == [f"{LEFT}?state=a+b"]


def test_the_page_that_asks_says_where_it_leads(web: Browser, stranger: App, app: App) -> None:
    for client in (stranger, app):
        app.tokens(web, scope=ONLINE)
        page = web.get(PATH, {"client_id": client.id, "post_logout_redirect_uri": LEFT})
        assert asks_to_confirm(page)
        assert b"<bdi>app.example</bdi>" in page.body
        assert place(web.submit(page, CONFIRM)) == LEFT


def test_a_client_that_nobody_vouched_for_sends_those_on_whose_session_it_has_shown(
    web: Browser, stranger: App
) -> None:
    tokens = stranger.tokens(web, scope=ONLINE)
    assert place(web.get(PATH, {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": LEFT})) == LEFT


def test_a_logout_is_reloaded_without_sending_a_form_again(web: Browser, app: App) -> None:
    app.tokens(web, scope=ONLINE)
    form = forms(web.get(PATH, {"client_id": app.id}))[CONFIRM]
    answer = send(web.phone, CONFIRM, form.hidden, headers=[("Cookie", f"{SESSION}={web.cookies[SESSION]}")])
    assert (answer.status, place(answer)) == (303, f"https://id.example{PATH}")


def test_a_client_does_not_borrow_anothers_place(svc: Services, phone: Phone, web: Browser, app: App) -> None:
    other = register(svc, phone)
    tokens = app.tokens(web, scope=ONLINE)
    answer = web.get(
        PATH, {"id_token_hint": tokens["id_token"], "client_id": other.id, "post_logout_redirect_uri": LEFT}
    )
    assert (answer.status, answer.header("Location")) == (400, None)
    assert logged_in(web, app)


@pytest.mark.parametrize("name", ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"])
def test_a_parameter_that_is_sent_twice_is_a_mistake(web: Browser, app: App, name: str) -> None:
    tokens = app.tokens(web, scope=ONLINE)
    good = {"id_token_hint": tokens["id_token"], "client_id": app.id, "post_logout_redirect_uri": LEFT, "state": "s"}
    assert web.get(PATH, [*good.items(), (name, good[name])]).status == 400
    assert web.get(PATH, {**good, name: "\x00"}).status == 400
    assert logged_in(web, app)


def test_who_is_not_logged_in_is_sent_on_all_the_same(phone: Phone, app: App) -> None:
    stranger = Browser(phone)
    answer = stranger.get(PATH, {"client_id": app.id, "post_logout_redirect_uri": f"{LEFT}?a=b", "state": "s"})
    assert callback_params(answer) == {"a": "b", "state": "s"}
    assert stranger.get(PATH).status == 200


def test_state_goes_nowhere_without_a_place(web: Browser, app: App) -> None:
    tokens = app.tokens(web, scope=ONLINE)
    answer = web.get(PATH, {"id_token_hint": tokens["id_token"], "state": "<script>secret"})
    assert answer.status == 200
    assert b"secret" not in answer.body


def test_a_form_of_the_clients_own_site_comes_without_cookies_and_is_sent_around(web: Browser, app: App) -> None:
    tokens = app.tokens(web, scope=ONLINE)
    fields = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": LEFT, "state": "s"}
    # SameSite=Lax: a browser leaves the cookie out of another site's POST, and sends it with the GET that follows.
    answer = send(web.phone, PATH, fields, headers=[("Origin", "https://app.example")])
    assert place(answer) == f"https://id.example{PATH}"
    assert callback_params(answer) == fields
    assert place(web.get(PATH, callback_params(answer))) == LEFT
    assert SESSION not in web.cookies


def test_twice_is_as_good_as_once(web: Browser, app: App) -> None:
    app.tokens(web, scope=ONLINE)
    page = web.get(PATH, {"client_id": app.id, "post_logout_redirect_uri": LEFT})
    assert place(web.submit(page, CONFIRM)) == place(web.submit(page, CONFIRM)) == LEFT


def test_a_cookie_that_comes_with_two_values_is_nobodys(phone: Phone, web: Browser, app: App) -> None:
    """A neighbour of our domain can set a cookie for us, too, and a browser may send it first."""
    app.tokens(web, scope=ONLINE)
    other = Browser(phone)
    app.tokens(other, scope=ONLINE)
    mine, theirs = (f"{SESSION}={each.cookies[SESSION]}" for each in (web, other))
    for cookie, expected in (
        (mine, True),
        (f"{mine}; {mine}", True),
        (f"{theirs}; {mine}", False),
        (f"{mine}; {theirs}", False),
    ):
        assert asks_to_confirm(phone.call(f"GET {PATH}", headers=[("Cookie", cookie)])) == expected


# Back-channel logout.


def claims_of(svc: Services, internet: Internet) -> tuple[dict[str, object], dict[str, object]]:
    (request,) = internet.requests
    token = request.form["logout_token"]
    (key,) = keys.published(svc)
    assert signed_by(key, token)
    header, claims = peek(token)
    return header, claims


def test_a_client_is_told_as_the_specification_has_it(
    svc: Services, web: Browser, app: App, internet: Internet, clock: Clock
) -> None:
    """Back-Channel Logout 1.0 section 2.4."""
    tokens = app.tokens(web, scope=ONLINE)
    _, of_login = peek(tokens["id_token"])
    web.get(PATH, {"id_token_hint": tokens["id_token"]})
    (request,) = internet.requests
    assert request.line == "POST /backchannel?of=latchkey"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    header, claims = claims_of(svc, internet)
    assert header["typ"] == "logout+jwt"
    assert {name: claims[name] for name in ("iss", "aud", "sub", "sid", "iat", "exp", "events")} == {
        **{name: of_login[name] for name in ("iss", "aud", "sub", "sid")},
        "iat": clock(),
        "exp": clock() + 120,
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    }
    assert claims["jti"]
    assert "nonce" not in claims


def test_a_pairwise_client_is_told_in_its_own_words(
    svc: Services, phone: Phone, web: Browser, internet: Internet
) -> None:
    app = register(
        svc,
        phone,
        subject_type="pairwise",
        backchannel_logout_uri=HOOK,
        backchannel_logout_session_required=True,
        post_logout_redirect_uris=(LEFT,),
    )
    tokens = app.tokens(web, scope=ONLINE)
    assert place(web.get(PATH, {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": LEFT})) == LEFT
    _, of_login = peek(tokens["id_token"])
    _, claims = claims_of(svc, internet)
    assert (claims["sub"], claims["sid"]) == (of_login["sub"], of_login["sid"])
    (user,) = {svc.users.find("ann@example.com")}
    assert claims["sub"] != user


def test_a_logout_token_is_no_other_token(phone: Phone, web: Browser, app: App, internet: Internet) -> None:
    tokens = app.tokens(web, scope=ONLINE)
    web.get(PATH, {"id_token_hint": tokens["id_token"]})
    token = internet.requests[0].form["logout_token"]
    assert refusal(phone.call("GET /oauth/userinfo", token=token)) == (401, "invalid_token")
    app.tokens(web, scope=ONLINE)
    assert asks_to_confirm(web.get(PATH, {"id_token_hint": token, "client_id": app.id}))


def test_every_client_that_took_part_is_told_and_no_other(
    svc: Services, phone: Phone, web: Browser, app: App, internet: Internet
) -> None:
    other = register(svc, phone, backchannel_logout_uri=OTHER_HOOK)
    register(svc, phone, backchannel_logout_uri="https://app.example/never")
    # Whose code waits has logged nobody in yet.
    web.code(register(svc, phone, backchannel_logout_uri="https://app.example/waits"), scope=ONLINE)
    app.tokens(web, scope=ONLINE)
    app.tokens(web, scope=ONLINE)
    tokens = other.tokens(web, scope="openid offline_access")
    other.tokens(Browser(phone), scope=ONLINE)
    web.get(PATH, {"id_token_hint": tokens["id_token"]})
    assert sorted(request.line for request in internet.requests) == [
        "POST /backchannel",
        "POST /backchannel?of=latchkey",  # which asked to be told by session, of each
        "POST /backchannel?of=latchkey",
    ]


@pytest.mark.parametrize(
    "answer",
    [Page(status=400), Page(status=500), Page(status=302, headers={"Location": OTHER_HOOK}), None],
)
def test_a_client_that_cannot_be_told_holds_nobody_back_and_is_logged(
    web: Browser, app: App, internet: Internet, answer: Page | None, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = app.tokens(web, scope=ONLINE)
    if answer is None:
        internet.addresses["app.example"] = ["169.254.169.254"]
    else:
        internet.pages[HOOK] = answer
    capsys.readouterr()
    assert place(web.get(PATH, {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": LEFT})) == LEFT
    assert SESSION not in web.cookies
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (warning,) = [line for line in lines if line.get("level") == "warning"]
    assert warning["receiver"] == app.id
    assert internet.dialled == ([] if answer is None else internet.dialled[:1])


def test_line_ends_in_a_forms_request_end_no_header(web: Browser, app: App) -> None:
    app.tokens(web, scope=ONLINE)
    answer = send(
        web.phone,
        CONFIRM,
        {"to": "oauth/logout?state=s\r\nSet-Cookie: injected=1\r\n\r\n<script>"},
        headers=[("Cookie", "; ".join(f"{name}={value}" for name, value in web.cookies.items()))],
    )
    assert answer.status == 303
    assert not set("\r\n<") & set(answer.header("Location") or "")


# Clients that cannot be told, or not in time.

DOCUMENT = "https://other.example/client.json"
REGISTERED = {"client_name": "Its own", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}


def by_document(svc: Services, internet: Internet, **more: str) -> Client:
    document = {**REGISTERED, "client_id": DOCUMENT, **more}
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    internet.pages[DOCUMENT] = Page(json.dumps(document).encode(), headers=headers)
    client = clients.find(svc, DOCUMENT, network=NETWORK)
    assert client
    return client


def hook_requests(internet: Internet) -> list[str]:
    return sorted(request.line for request in internet.requests if request.line.startswith("POST"))


def logged_reasons(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The clients that the log says were not told, and why."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {line["receiver"]: line["reason"] for line in lines if line.get("level") == "warning"}


def test_a_client_whose_document_cannot_be_had_keeps_no_other_from_being_told(
    svc: Services, clock: Clock, internet: Internet, capsys: pytest.CaptureFixture[str]
) -> None:
    svc = replace(svc, settings=replace(svc.settings, client_documents=True))
    with installed(svc):
        phone = DeliveringPhone(clock)
        app = register(svc, phone, backchannel_logout_uri=HOOK)
        phone.sign_up()
        web = Browser(phone)
        app.tokens(web, scope=ONLINE)
        App(phone, svc, by_document(svc, internet)).tokens(web, scope="openid")
        clock.advance(300 + 24 * 3600)  # the document's time is over, and the day after it
        for number in range(100):
            limits.outbound_fetch(svc, url=f"https://other.example/{number}", network=f"network {number}")
        capsys.readouterr()
        assert web.submit(web.get(PATH), CONFIRM).status == 200
    assert SESSION not in web.cookies
    assert hook_requests(internet) == ["POST /backchannel?of=latchkey"]
    assert logged_reasons(capsys) == {DOCUMENT: "fetch_host"}


def test_no_client_is_told_within_the_request_that_logs_out(
    phone: DeliveringPhone, web: Browser, app: App, internet: Internet
) -> None:
    app.tokens(web, scope=ONLINE)
    page = web.get(PATH)
    phone.delivers = False
    assert web.submit(page, CONFIRM).status == 200
    assert hook_requests(internet) == []
    delivery.deliver()
    assert hook_requests(internet) == ["POST /backchannel?of=latchkey"]


def test_a_document_that_a_logout_needs_counts_against_the_network_that_logs_out(
    svc: Services, clock: Clock, internet: Internet, capsys: pytest.CaptureFixture[str]
) -> None:
    one_fetch = {**svc.settings.limits, "fetch_network": (1, 900)}
    svc = replace(svc, settings=replace(svc.settings, client_documents=True, limits=one_fetch))
    with installed(svc):
        phone = DeliveringPhone(clock)
        phone.sign_up()
        web = Browser(phone)
        App(phone, svc, by_document(svc, internet, backchannel_logout_uri=OTHER_HOOK)).tokens(web, scope="openid")
        clock.advance(300 + 24 * 3600)  # the document's time is over, and the day after it
        other = web.get("/oauth/authorize?client_id=https://app.example/nothing.json")
        assert other.status == 400
        capsys.readouterr()
        assert web.submit(web.get(PATH), CONFIRM).status == 200
    assert hook_requests(internet) == []
    assert logged_reasons(capsys) == {DOCUMENT: "fetch_network"}


def test_clients_that_hang_hold_nobody_back_for_long(
    svc: Services, web: Browser, app: App, internet: Internet, capsys: pytest.CaptureFixture[str]
) -> None:
    """More of them than are called at once."""

    def hang(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(1)  # until the other side hangs up

    uri = "https://other.example/hangs"
    internet.pages[uri] = Page(write=hang)
    app.tokens(web, scope=ONLINE)
    (session,) = [each for each in svc.sessions.of_user(uid_of(svc)) if each.client_id == app.id]
    for number in range(20):
        template = Client(client_id=f"~{number}", redirect_uris=(CALLBACK,), backchannel_logout_uri=uri)
        manage.create(svc, template)
        svc.transactions.commit(
            svc.sessions.creation(replace(session, session_id=f"{number:032}", client_id=template.client_id))
        )
    capsys.readouterr()
    with installed(replace(svc, fetch=internet.fetch(seconds=0.5))):
        assert web.submit(web.get(PATH), CONFIRM).status == 200
        retries = {f"latchkey-dev-deliver-{item.message_id[:24]}-1" for item in delivery.waiting()}
    assert SESSION not in web.cookies
    assert hook_requests(internet)[0] == "POST /backchannel?of=latchkey"
    reasons = logged_reasons(capsys)
    assert reasons.keys() == {f"~{number}" for number in range(20)}
    assert len(retries) == 20  # each is tried again by itself
    assert retries <= delivery.schedules().keys()


def uid_of(svc: Services) -> str:
    uid = svc.users.find(EMAIL)
    assert uid
    return uid


def test_messages_to_one_host_are_counted_for_clients_that_nobody_looked_at(
    svc: Services, phone: Phone, web: Browser, internet: Internet, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = register(svc, phone, backchannel_logout_uri=HOOK)
    theirs = register(svc, phone, backchannel_logout_uri="https://OTHER.example:443/x", registration_token="00")
    for number in range(100):
        limits.back_channel(svc, url=f"https://other.example/{number}")
    for app in (ours, theirs):
        app.tokens(web, scope=ONLINE)
    capsys.readouterr()
    web.submit(web.get(PATH), CONFIRM)
    assert hook_requests(internet) == ["POST /backchannel?of=latchkey"]
    assert logged_reasons(capsys) == {theirs.id: "logout_token_host"}


# Sessions that end elsewhere than in their browser.


def of_browser(phone: Phone, token: str) -> str:
    """The browser's session in the list."""
    sessions = phone.call("GET /me/sessions", token=token).json()["sessions"]
    (session_id,) = [each["id"] for each in sessions if each["client_id"] == "browser"]
    return str(session_id)


@pytest.mark.parametrize("by", ["the list", "the end of all others", "a new password"])
def test_a_browsers_session_that_ends_elsewhere_is_told_like_a_logout(
    svc: Services, phone: Phone, web: Browser, app: App, internet: Internet, by: str
) -> None:
    tokens = app.tokens(web, scope="openid offline_access")
    here = register(svc, phone, first_party=True).tokens(web, scope="notes:read")
    _, of_login = peek(tokens["id_token"])
    token = phone.log_in()["access_token"]
    if by == "the list":
        answer = phone.call(f"DELETE /me/sessions/{of_browser(phone, token)}", token=token)
    elif by == "the end of all others":
        answer = phone.call("DELETE /me/sessions", token=token)
    else:
        change = {"current_password": PASSWORD, "new_password": "an entirely other phrase 7"}
        answer = phone.call("POST /me/password", change, token=token)
    assert answer.status == 204
    _, claims = claims_of(svc, internet)
    assert (claims["sub"], claims["sid"]) == (of_login["sub"], of_login["sid"])
    # As by a logout: what was granted for a user's absence stays, unless it is all that ends.
    assert alive(app, tokens["refresh_token"]) == (by == "the list")
    assert phone.call("GET /oauth/userinfo", token=here["access_token"]).status == 401
    assert not logged_in(web, app)
    assert phone.call("GET /me", token=token).status == 200


def test_a_session_that_is_no_browsers_ends_without_word(
    phone: Phone, web: Browser, app: App, internet: Internet
) -> None:
    app.tokens(web, scope=ONLINE)
    token, other = phone.log_in()["access_token"], phone.log_in()["access_token"]
    _, claims = peek(other)
    assert phone.call(f"DELETE /me/sessions/{claims['sid']}", token=token).status == 204
    assert internet.requests == []
    assert logged_in(web, app)


def test_who_left_already_is_not_told_again(phone: Phone, web: Browser, app: App, internet: Internet) -> None:
    app.tokens(web, scope="openid offline_access")
    web.submit(web.get(PATH), CONFIRM)
    assert phone.call("DELETE /me/sessions", token=phone.log_in()["access_token"]).status == 204
    assert len(hook_requests(internet)) == 1


@pytest.mark.parametrize("mode", wire.MODES)
def test_sessions_end_and_their_clients_are_told_or_neither(
    phone: DeliveringPhone, svc: Services, web: Browser, app: App, internet: Internet, mode: str
) -> None:
    app.tokens(web, scope=ONLINE)
    token = phone.log_in()["access_token"]
    failure, afterwards = wire.MODES[mode]
    phone.delivers = False
    with wire.watched(svc, wire.Wire(fail_at=2, failure=failure, afterwards=afterwards)) as traffic:
        answer = phone.call("DELETE /me/sessions", token=token)
    assert traffic.calls[1] == "TransactWriteItems"
    delivery.deliver()
    assert len(hook_requests(internet)) == (0 if logged_in(web, app) else 1)
    if answer.status == 503:
        assert phone.call("DELETE /me/sessions", token=token).status == 204
    delivery.deliver()
    assert len(hook_requests(internet)) == 1
    assert not logged_in(web, app)
