import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from app import app
from chalicelib.domain import errors
from chalicelib.domain.oauth.client import Client
from chalicelib.flows.accounts import mailed_signup, recovery, verification
from chalicelib.flows.clients import authenticate, manage
from chalicelib.guard.scope_map import SCOPES
from chalicelib.services import services, use
from chalicelib.web.http.answers import STATUS
from chalicelib.web.metadata import apis
from deploy import reference
from local.gateway import Answer
from tests.support import code_app, counter, email_change, mailed_login, passkey_sign_up
from tests.support.authenticator import Authenticator
from tests.support.browser import CALLBACK
from tests.support.documented import check
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone
from tests.support.remembered import DEVICE_ID, remember

OPERATIONS = Path(__file__).with_name("operations.json")
VOID = {"meta", "link", "br", "hr", "img", "input"}


@pytest.fixture
def document(phone: Phone) -> dict[str, Any]:
    description: dict[str, Any] = phone.call("GET /openapi.json").json()
    return description


def lines(document: dict[str, Any]) -> set[str]:
    return {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    import openapi_spec_validator  # a third of a second, which each worker would take

    assert document["openapi"].startswith("3.1.")
    openapi_spec_validator.validate(document)


def test_the_document_has_every_route_of_the_app_and_no_other(document: dict[str, Any]) -> None:
    served = {f"{method} {path}" for path, methods in app.routes.items() for method in methods}
    assert lines(document) == {line for line in served if not line.startswith("OPTIONS ")}


def test_every_route_but_a_page_can_be_asked_for_its_methods(document: dict[str, Any]) -> None:
    with_options = {path for path, methods in app.routes.items() if "OPTIONS" in methods}
    assert with_options == {path for path, item in document["paths"].items() if not any(map(is_page, item.values()))}


def is_page(operation: dict[str, Any]) -> bool:
    """Whether it answers in HTML where something is wrong."""
    return "text/html; charset=utf-8" in operation["responses"]["500"]["content"]


def test_what_a_route_needs_is_in_the_document(document: dict[str, Any]) -> None:
    needed = {line: operation_of(document, line).get("security") for line in lines(document)}
    guarded = {line: [{"login": [scope]}, {"bearer": [scope]}] for line, scope in SCOPES.items()}
    of_clients = [f"POST /oauth/{name}" for name in (*authenticate.ENDPOINTS, "introspect")]
    own: dict[str, Any] = {
        **{f"{method} /oauth/userinfo": [{"login": ["openid"]}, {"bearer": ["openid"]}] for method in ("GET", "POST")},
        **{line: [{"client": []}, {}] for line in of_clients},
        "POST /oauth/register": [{"initial": []}, {}],
        **{f"{method} /oauth/register/{{client_id}}": [{"registration": []}] for method in ("GET", "PUT", "DELETE")},
    }
    assert {line: security for line, security in needed.items() if security} == {**guarded, **own}


def test_each_scheme_is_one_that_an_operation_takes_with_scopes_that_it_has(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    needs = [each for line in lines(document) for each in operation_of(document, line).get("security", [])]
    assert {name for requirement in needs for name in requirement} == schemes.keys()
    (flow,) = schemes["login"]["flows"].values()
    assert {scope for each in needs for scope in each.get("login", [])} == flow["scopes"].keys()
    assert all(flow["scopes"].values())
    assert all(scheme["description"] for scheme in schemes.values())


def test_an_operation_s_name_stays_as_it_is_for_clients_are_generated_of_it(document: dict[str, Any]) -> None:
    names = {operation_of(document, line)["operationId"]: line for line in lines(document)}
    of_programs = {name: line for name, line in names.items() if not is_page(operation_of(document, line))}
    # A new one is a line more there; a line that is there never changes.
    assert of_programs == json.loads(OPERATIONS.read_text())


def test_every_operation_is_named_once_and_explained(document: dict[str, Any]) -> None:
    operations = [operation_of(document, line) for line in lines(document)]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"].endswith(".") for operation in operations)


def test_an_assertion_may_be_for_each_endpoint_that_takes_one() -> None:
    takes_one = {each.path for each in apis.operations() if "client_assertion" in each.takes}
    assert takes_one == {f"/oauth/{name}" for name in authenticate.ENDPOINTS}


def kinds_of(error: type[errors.LatchkeyError]) -> Iterator[type[errors.LatchkeyError]]:
    for kind in error.__subclasses__():
        yield kind
        yield from kinds_of(kind)


def test_every_error_that_is_not_oauth_s_own_has_a_status_of_its_own() -> None:
    # Not those of the pages, which are never anything but pages.
    kinds = [kind for kind in kinds_of(errors.LatchkeyError) if kind.__module__ == errors.__name__]
    codes = {kind.code for kind in kinds if not issubclass(kind, errors.OAuthError)}
    assert codes - STATUS.keys() == set()
    assert STATUS.keys() - codes - {"server_error"} == {"invalid_client"}


def operation_of(document: dict[str, Any], line: str) -> dict[str, Any]:
    method, _, path = line.partition(" ")
    operation: dict[str, Any] = document["paths"][path][method.lower()]
    return operation


class Checked(Phone):
    """A phone that holds every answer against the document."""

    document: dict[str, Any]
    covered: set[tuple[str, int]]
    real: dict[str, Any]

    def call(self, line: str, *arguments: Any, **more: Any) -> Answer:
        answer = super().call(line, *arguments, **more)
        line_of_operation = check(self.document, line.partition("?")[0], answer)
        self.covered.add((line_of_operation, answer.status))
        described = operation_of(self.document, line_of_operation)["responses"][str(answer.status)]
        for media in described.get("content", {}).values():
            if name := media["schema"].get("$ref", "").rpartition("/")[2]:
                self.real.setdefault(name, answer.json())
        return answer


def unlike(example: Any, real: Any) -> bool:
    """Whether an example has another shape than what was really answered; what is left out of either counts for nothing."""
    if isinstance(example, dict) and isinstance(real, dict):
        return any(unlike(example[name], real[name]) for name in example.keys() & real.keys())
    if isinstance(example, list) and isinstance(real, list):
        return any(map(unlike, example, real))
    as_text = [isinstance(each, str) and ("." in each, len(each) == 32, each.isdigit()) for each in (example, real)]
    return type(example) is not type(real) or as_text[0] != as_text[1]


def verify_address(phone: Phone, access: str) -> None:
    """By a wrong code and the right one, and once more."""
    user = services().users.read(services().users.find(EMAIL) or "")
    assert user
    for code in ("000000", verification.code(services(), user)):
        phone.call("POST /me/email/verification", token=access)
        phone.call("POST /me/email/verification/code", {"code": code}, token=access)
    phone.call("POST /me/email/verification", token=access)


def forget_password(phone: Phone) -> None:
    """Where no mail is sent, and where it is; and without a password, or an account."""
    log_in_by_mail(phone)
    be_a_guest(phone)
    phone.call("POST /password/reset", {"email": EMAIL})
    use(replace(services(), settings=replace(services().settings, mail_from="login@id.example")))
    phone.call("POST /password/reset", {"email": EMAIL})
    bob = services().users.read(services().users.find("bob@example.com") or "")
    assert bob
    with counter.installed():
        if not bob.has_factor("counter"):
            counter.enrol(services(), bob.uid)
        verified = services().users.verify_email(bob)
        assert verified
        link = recovery.link(services(), verified)
        for token in ("x", link):
            phone.call("POST /password/reset/challenge", {"token": token, "factor": "counter"})
        proof = {"token": link, "new_password": "an entirely other phrase 7"}
        for more in ({}, {"factor": "counter", "answer": "x"}):
            phone.call("POST /password/reset/confirm", {**proof, **more})
    for token in ("x", recovery.link(services(), bob)):
        phone.call("POST /password/reset/confirm", {"token": token, "new_password": "an entirely other phrase 7"})


def log_in_by_mail(phone: Phone) -> None:
    """Where no mail is sent, and where it is: by a wrong code and the right one, which is good once."""
    phone.call("POST /login/code", {"email": EMAIL})
    phone.call("POST /login/code/confirm", {"login_token": "x", "code": "000000"})
    svc = services()
    use(replace(svc, settings=replace(svc.settings, mail_from="login@id.example")))
    phone.call("POST /login/code", {"email": "nobody"})
    login_token = phone.call("POST /login/code", {"email": "bob@example.com"}).json()["login_token"]
    for code in ("000000", mailed_login.code_for(services(), login_token)) * 2:
        phone.call("POST /login/code/confirm", {"login_token": login_token, "code": code})
    use(svc)


def be_a_guest(phone: Phone) -> None:
    """Where there are none, and where there are: with what a guest has not, and by an upgrade."""
    phone.call("POST /signup/guest")
    svc = services()
    use(replace(svc, settings=replace(svc.settings, guests=True)))
    access = phone.call("POST /signup/guest", {"name": "Somebody"}).json()["access_token"]
    phone.call("POST /me/email/verification", token=access)
    new = {"email": "guest@example.com", "password": PASSWORD}
    for change in ({"email": EMAIL}, {"password": "password"}, {}, {}):
        phone.call("POST /me/upgrade", {**new, **change}, token=access)
    access = phone.call("POST /signup/guest").json()["access_token"]
    for email in ("x", EMAIL, "key@example.com"):
        begun = phone.call("POST /me/upgrade/passkey", {"email": email}, token=access)
        if begun.status == 200:
            token, options = passkey_sign_up.token_and_options(begun)
            answer = json.dumps(Authenticator().create(options))
            for body in ({"token": "x", "answer": answer}, {"token": token, "answer": "x"}):
                phone.call("POST /me/upgrade/passkey/confirm", body, token=access)
            phone.call("POST /me/upgrade/passkey/confirm", {"token": token, "answer": answer}, token=access)
    use(svc)


def sign_up_by_passkey(phone: Phone) -> None:
    """By an address, well and badly, and by a mail's link."""
    svc = services()
    for body in ({}, {"email": "x"}, {"token": "x"}):
        phone.call("POST /signup/passkey", body)
    for email in ("fay@example.com", EMAIL):
        token, options = passkey_sign_up.begin(phone, email)
        made = Authenticator().create(options)
        for text, answer in (("x", made), (token, {}), (token, made)):
            passkey_sign_up.confirm(phone, text, answer)
    link = mailed_signup.link(svc, "gus@example.com")
    for policy in ("closed", "verified"):
        use(replace(svc, settings=replace(svc.settings, sign_up=policy, refused_mail_domains=("example.net",))))
        phone.call("POST /signup/passkey", {"email": "gus@example.com"})
    phone.call("POST /signup/passkey", {"email": "gus@example.net"})
    passkey_sign_up.confirm(phone, token, made)
    token, options = passkey_sign_up.begin_by_link(phone, link)
    for _ in range(2):
        passkey_sign_up.confirm(phone, token, Authenticator().create(options))
    use(svc)


def change_address(phone: Phone, access: str) -> None:
    """By a wrong code and the right one; with what is wrong; and taken back."""
    user = services().users.read(services().users.find(EMAIL) or "")
    assert user
    token, code = email_change.change_token(services(), user)
    for change in ({"code": "000000"}, {"token": "x"}, {}):
        phone.call("POST /me/email/confirm", {"token": token, "code": code, **change}, token=access)
    body = {"email": "ann@new.example", "password": "an entirely other phrase 7"}
    for change in ({}, {"password": "wrong"}, {"email": "x"}):
        phone.call("POST /me/email", {**body, **change}, token=access)
    for _ in range(2):
        phone.call("DELETE /me/email", token=access)


def ask_for_documents(phone: Phone) -> None:
    """Those of passkeys with no app and no other website, and with one of each."""
    svc = services()
    android = {"com.example.app": (":".join(["AB"] * 32),)}
    apple, origins = ("A1B2C3D4E5.com.example.app",), ("https://garden.example",)
    for settings in (
        svc.settings,
        replace(svc.settings, android_apps=android, apple_apps=apple, passkey_origins=origins),
    ):
        use(replace(svc, settings=settings))
        for path in ("apple-app-site-association", "assetlinks.json", "webauthn", "passkey-endpoints"):
            phone.call(f"GET /.well-known/{path}")
    phone.call("GET /openapi.json")
    phone.call("GET /docs")
    phone.call("GET /docs/reference.js")
    folder = reference.installed()
    use(replace(svc, settings=replace(svc.settings, reference=str(folder))))
    for name in ("reference.js", "swagger-ui.css"):
        phone.call(f"GET /docs/{name}")
    use(svc)


def sign_up_by_mail(phone: Phone) -> None:
    """Where nobody may sign up, where a mail comes first, and by its link."""
    svc, new = services(), {"email": "eve@example.com", "password": PASSWORD}
    token = mailed_signup.link(svc, "eve@example.com")
    for policy in ("closed", "verified"):
        use(replace(svc, settings=replace(svc.settings, sign_up=policy, refused_mail_domains=("example.net",))))
        phone.call("POST /signup", new)
    phone.call("POST /signup", {**new, "email": "eve@example.net"})
    refused = mailed_signup.link(svc, "eve@example.net")
    for link, password in (("x", PASSWORD), (refused, PASSWORD), (token, "password"), (token, PASSWORD)):
        phone.call("POST /signup/confirm", {"token": link, "password": password})
    use(svc)
    sign_up_by_passkey(phone)


def change_factors(phone: Phone, clock: Clock) -> None:
    """Adds, lists, names and removes one, and what is not there; and adds one in a login that needs it."""
    add_factor_in_login(phone, clock)
    signed_up = phone.sign_up("cid@example.com")
    access = signed_up["access_token"]
    remember(services(), signed_up["user"]["sub"])
    begun, app = code_app.begin(phone, access, clock)
    phone.call("POST /me/factors", {"kind": "x"}, token=access)
    for answer in ("x", app.code(), app.code()):
        phone.call("POST /me/factors/confirm", {"token": begun, "answer": answer}, token=access)
    (factor,) = phone.call("GET /me/factors", token=access).json()["factors"]
    phone.call("GET /me/devices", token=access)
    for query in ("", "?before=x"):
        phone.call(f"GET /me/activity{query}", token=access)
    for device_id in ("x", DEVICE_ID):
        phone.call(f"DELETE /me/devices/{device_id}", token=access)
    phone.call("DELETE /me/devices", token=access)
    phone.call("POST /me/factors/recovery-codes", token=access)
    for factor_id in (factor["id"], "x"):
        phone.call(f"PATCH /me/factors/{factor_id}", {"name": "Mine"}, token=access)
    for _ in range(2):
        code_app.begin(phone, access, clock)
        code_app.enrol(phone, access, clock)
    phone.call("POST /me/factors", {"kind": "totp"}, token=access)
    for _ in range(2):
        phone.call(f"DELETE /me/factors/{factor['id']}", token=access)
    clock.advance(6 * 60)
    phone.call(f"DELETE /me/factors/{factor['id']}", token=access)


def add_factor_in_login(phone: Phone, clock: Clock) -> None:
    """Logs in where that needs a second factor, which is added then, well and badly."""
    svc, dee = services(), {"email": "dee@example.com", "password": PASSWORD}
    phone.call("POST /signup", dee)
    use(replace(svc, settings=replace(svc.settings, aal2_scopes=frozenset({"notes:write"}))))
    begun = phone.call("POST /login", {**dee, "scope": "notes:write"}).json()
    step = {"mfa_token": begun["mfa_token"]}
    phone.call("POST /login/enrolment", {**step, "kind": "x"})
    phone.call("POST /login/enrolment", {"mfa_token": "x", "kind": "totp"})
    begun_enrolment = phone.call("POST /login/enrolment", {**step, "kind": "totp"}).json()
    app = code_app.CodeApp(begun_enrolment["challenge"]["uri"], clock)
    for answer in ("x", app.code(), app.code()):
        phone.call("POST /login/enrolment/confirm", {**step, "token": begun_enrolment["token"], "answer": answer})
        clock.advance(1)
    use(svc)


def take_consent_back(phone: Phone, access: str) -> None:
    """Of an application, and of none."""
    svc = services()
    client, _ = manage.create(svc, Client(client_id="notes-app", client_name="Notes", redirect_uris=(CALLBACK,)))
    user = svc.users.read(svc.users.find(EMAIL) or "")
    assert user
    svc.clients.remember_consent(user, client.client_id, ("openid", "email"), since=client.created_at, now=svc.now())
    (consent,) = phone.call("GET /me/consents", token=access).json()["consents"]
    for _ in range(2):
        phone.call(f"DELETE /me/consents/{consent['id']}", token=access)


def read_all_and_delete_later(phone: Phone) -> None:
    """An account that has a copy of itself, and can be had back for a day."""
    phone.call("GET /me/export", token=phone.log_in()["access_token"])
    usual = services()
    use(replace(usual, settings=replace(usual.settings, deletion_seconds=24 * 3600)))
    phone.call("DELETE /me", token=phone.sign_up("carl@example.com")["access_token"])
    use(usual)


def walk(phone: Phone, clock: Clock) -> None:
    """Does all that can be done at the endpoints, well and badly."""
    credentials = {"email": EMAIL, "password": PASSWORD}
    phone.call("POST /signup", {**credentials, "name": "Ann", "device": "Pixel 9"})
    phone.call("POST /signup", credentials)
    phone.call("POST /signup", {"email": "bob@example.com", "password": "password"})
    phone.call("POST /login", credentials)
    phone.call("POST /login", {**credentials, "password": "wrong"})
    phone.call("POST /login", {**credentials, "scope": "admin"})
    phone.call("POST /login", raw=b"{")
    phone.call("POST /login", raw=b"x" * 65537)
    phone.call("POST /login", raw=b"a=b", headers={"Content-Type": "application/x-www-form-urlencoded"})
    with counter.installed():
        counter.enrol(services(), phone.sign_up("bob@example.com")["user"]["sub"])
        more = phone.call("POST /login", {**credentials, "email": "bob@example.com"}).json()
        begun = {"mfa_token": more["mfa_token"], "factor": "counter"}
        phone.call("POST /login/challenge", begun)
        phone.call("POST /login/proof", {**begun, "answer": "x"})
        uid = services().users.find("bob@example.com") or ""
        phone.call("POST /login/proof", {**begun, "answer": counter.code(uid, 1)})
    phone.call("POST /login/proof", {**begun, "mfa_token": "x", "answer": "x"})
    phone.call("POST /login/passkey", {"scope": "account"})
    phone.call("POST /refresh", {"refresh_token": "x"})
    session = phone.refresh(phone.log_in()["refresh_token"])
    access = session["access_token"]
    phone.call("POST /verify", {"token": access})
    phone.call("POST /verify", {"token": "x"})
    for token in (access, None, phone.log_in(scope="notes:read")["access_token"]):
        phone.call("GET /me", token=token)
    read_all_and_delete_later(phone)
    phone.call("PATCH /me", {"name": "Ann B."}, token=access)
    verify_address(phone, access)
    take_consent_back(phone, access)
    change_factors(phone, clock)
    sessions = phone.call("GET /me/sessions", token=access)
    other = next(s["id"] for s in sessions.json()["sessions"] if not s["current"])
    phone.call(f"DELETE /me/sessions/{other}", token=access)
    phone.call(f"DELETE /me/sessions/{other}", token=access)
    phone.call("DELETE /me/sessions", token=access)
    new = {"current_password": PASSWORD, "new_password": "an entirely other phrase 7"}
    phone.call("POST /me/password", {**new, "new_password": "password"}, token=access)
    phone.call("POST /me/password", new, token=access)
    forget_password(phone)
    sign_up_by_mail(phone)
    clock.advance(6 * 60)
    access = phone.refresh(session["refresh_token"])["access_token"]
    change_address(phone, access)
    phone.call("DELETE /me", token=access)
    phone.call("DELETE /me", {"password": "an entirely other phrase 7"}, token=access)
    phone.call("POST /logout", {"refresh_token": session["refresh_token"]})
    for path in ("jwks.json", "oauth-authorization-server", "openid-configuration", "oauth-protected-resource"):
        phone.call(f"GET /.well-known/{path}")
    ask_for_documents(phone)


def test_every_answer_at_the_first_endpoint_is_one_that_the_document_describes(
    clock: Clock, document: dict[str, Any]
) -> None:
    checked = Checked(clock)
    checked.document, checked.covered, checked.real = document, set(), {}
    walk(checked, clock)
    pages = {f"{each.method} {each.path}" for each in apis.operations() if each.page}
    json_lines = {line for line in lines(document) - pages if re.match(r"\w+ /(?!oauth|.*known.*\{)", line)}
    assert {line for line, status in checked.covered if status < 300} == json_lines
    examples = {name: document["components"]["schemas"][name]["examples"][0] for name in checked.real}
    assert [name for name, real in checked.real.items() if unlike(examples[name], real)] == []
    assert {status for _, status in checked.covered} >= {200, 201, 204, 400, 401, 403, 404, 409, 413, 415, 422}


class Page(HTMLParser):
    """Reads a page strictly: every element that is opened is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], f"</{tag}> closes what is not open"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))


@pytest.fixture
def page(phone: Phone) -> Page:
    return Page(phone.call("GET /docs").body.decode())


def test_the_page_lists_every_operation(page: Page, document: dict[str, Any]) -> None:
    assert lines(document) <= {text for tag, text in page.texts if tag == "code"}


def test_the_page_explains_every_operation_and_leads_to_the_document(page: Page, document: dict[str, Any]) -> None:
    texts = {text for tag, text in page.texts}
    assert {operation_of(document, line)["summary"] for line in lines(document)} <= texts
    assert {tag["name"] for tag in document["tags"]} <= texts
    ids = {f"#{attributes['id']}" for _, attributes in page.tags if "id" in attributes}
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links[0] == "openapi.json"
    assert len(links[1:]) == len(document["tags"])
    assert set(links[1:]) <= ids


def test_the_groups_are_by_who_calls_and_each_is_in_one(page: Page, document: dict[str, Any]) -> None:
    groups = {group["name"]: group["tags"] for group in document["x-tagGroups"]}
    assert [name for tags in groups.values() for name in tags] == [tag["name"] for tag in document["tags"]]
    assert {name.partition(" ")[0] for name in groups} == {"For"}
    assert groups.keys() <= {text for _, text in page.texts}


def test_the_page_loads_nothing_and_runs_nothing(page: Page) -> None:
    names = {name for _, attributes in page.tags for name in attributes}
    assert not {"src", "srcset", "style", "action", "data"} & names
    assert not any(name.startswith("on") for name in names)
    assert not {"script", "link", "iframe", "object", "img", "form", "base"} & {tag for tag, _ in page.tags}
    styles = "".join(text for tag, text in page.texts if tag == "style")
    assert "url(" not in styles
    assert "@import" not in styles
    assert "http" not in styles


def test_the_page_allows_its_own_style_by_its_hash_and_nothing_else(page: Page, phone: Phone) -> None:
    policy = phone.call("GET /docs").header("Content-Security-Policy") or ""
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    styles = "".join(text for tag, text in page.texts if tag == "style")
    digest = b64encode(hashlib.sha256(styles.encode()).digest()).decode()
    assert directives.pop("style-src") == f"'sha256-{digest}'"
    assert directives["default-src"] == "'none'"
    assert set(directives.values()) == {"'none'"}


def test_the_page_names_its_language_and_title(page: Page) -> None:
    assert page.tags[0] == ("html", {"lang": "en"})
    assert any(tag == "title" and text for tag, text in page.texts)


@pytest.fixture
def rendered(phone: Phone) -> Phone:
    """A phone at a deployment that has asked for the renderer."""
    settings = replace(services().settings, reference=str(reference.installed()), reference_client="docs")
    use(replace(services(), settings=settings))
    return phone


def test_with_the_renderer_nothing_may_come_from_elsewhere_or_run_in_the_page_itself(rendered: Phone) -> None:
    policy = rendered.call("GET /docs").header("Content-Security-Policy") or ""
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    files = f"{services().settings.issuer}/docs/"
    expected = {"script-src": files, "style-src": files, "img-src": "data:", "connect-src": "'self'"}
    assert {name: directives.pop(name) for name in expected} == expected
    assert set(directives.values()) == {"'none'"}
    assert "form-action" in directives
    assert directives["default-src"] == "'none'"


def test_with_the_renderer_the_page_is_a_list_still_for_who_runs_no_scripts(
    rendered: Phone, document: dict[str, Any]
) -> None:
    page = Page(rendered.call("GET /docs").body.decode())
    assert lines(document) <= {text for tag, text in page.texts if tag == "code"}
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "script"]
    links = [attributes["href"] for tag, attributes in page.tags if tag == "link"]
    assert all(each and each.startswith("docs/") for each in [*sources, *links])
    assert not {"style", "iframe", "object", "form", "base"} & {tag for tag, _ in page.tags}


def test_each_file_of_the_page_is_there_and_may_be_kept_for_good_and_is_what_it_says(rendered: Phone) -> None:
    page = Page(rendered.call("GET /docs").body.decode())
    places = [
        attributes.get("src") or attributes.get("href") or ""
        for tag, attributes in page.tags
        if tag in ("script", "link")
    ]
    assert len(places) == 4
    for place in places:
        answer = rendered.call(f"GET /{place}")
        kind = "text/javascript" if ".js?" in place else "text/css"
        assert (answer.status, answer.header("Content-Type")) == (200, f"{kind}; charset=utf-8")
        assert "immutable" in (answer.header("Cache-Control") or "")
        assert answer.header("X-Content-Type-Options") == "nosniff"
        assert hashlib.sha256(answer.body).hexdigest().startswith(place.partition("?")[2])


@pytest.mark.parametrize(
    "name", ["pages.css", "..%2Freference.js", "LICENSE", "swagger-ui-bundle.js.LICENSE.txt", "docs.css"]
)
def test_no_other_file_is_served(rendered: Phone, name: str) -> None:
    assert rendered.call(f"GET /docs/{name}").status == 404


@pytest.mark.parametrize("name", ["reference.js", "swagger-ui-bundle.js"])
def test_without_the_renderer_no_file_of_it_is_served(phone: Phone, name: str) -> None:
    assert phone.call(f"GET /docs/{name}").status == 404
