"""Requests that no client of ours sends: one clear refusal in the one shape, and nothing changed in the tables."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from chalice.app import Chalice

from app import app
from chalicelib.services import Services
from chalicelib.store.aws.client import Transport
from chalicelib.web.http.middleware import middleware
from local.gateway import Answer, Gateway
from tests.support import wire
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal

GOOD: dict[str, dict[str, Any]] = {
    "POST /signup": {"email": "new@example.com", "password": PASSWORD},
    "POST /login": {"email": EMAIL, "password": PASSWORD},
    "POST /refresh": {"refresh_token": "r"},
    "POST /logout": {"refresh_token": "r"},
    "POST /verify": {"token": "t"},
    "PATCH /me": {"name": "Ann"},
    "DELETE /me": {"password": PASSWORD},
    "POST /me/password": {"current_password": PASSWORD, "new_password": "an entirely other phrase 7"},
}
FIELDS = [(line, name) for line, body in GOOD.items() for name in body] + [
    ("POST /signup", "name"),
    ("POST /signup", "device"),
    ("POST /login", "device"),
    ("POST /login", "scope"),
    ("POST /refresh", "scope"),
]
every_line = pytest.mark.parametrize("line", GOOD)


class Api:
    """The public endpoints with a user logged in, and a look at the tables before and after."""

    def __init__(self, phone: Phone, svc: Services) -> None:
        self.phone, self.svc = phone, svc
        session = phone.sign_up()
        self.access, self.other = session["access_token"], phone.log_in()["access_token"]
        GOOD["POST /refresh"]["refresh_token"] = GOOD["POST /logout"]["refresh_token"] = session["refresh_token"]
        GOOD["POST /verify"]["token"] = self.access

    def send(self, line: str, raw: bytes | None = None, body: object = None, headers: Any = ()) -> Answer:
        token = self.access if "/me" in line else None
        return self.phone.call(line, body, raw=raw, token=token, headers=headers)

    def assert_refused(self, answer: Answer, *expected: tuple[int, str]) -> None:
        """The answer is one of these refusals, and says nothing of what was sent."""
        assert refusal(answer) in expected, answer
        assert len(answer.json()["error_description"]) > 10
        assert answer.header("X-Request-Id")

    def tables(self) -> list[Any]:
        """All that is stored, but for the counts of attempts."""
        client, settings = self.svc.users._client, self.svc.settings
        stored = [
            item
            for table in (settings.users_table, settings.grants_table)
            for item in client.call("Scan", TableName=table)["Items"]
        ]
        return sorted((item for item in stored if not item["pk"]["S"].startswith("attempts#")), key=str)


@pytest.fixture
def api(phone: Phone, svc: Services) -> Iterator[Api]:
    """The endpoints; whatever a test sends in, the tables are the same afterwards, and nobody asked them anything."""
    api = Api(phone, svc)
    before = api.tables()
    yield api
    assert api.tables() == before


MALFORMED = {
    "nothing": b" ",
    "no JSON": b"email=ann@example.com&password=x",
    "half": b'{"email": "ann@example.com", "pass',
    "two": b'{"email":"a@example.com","password":"x"}{"email":"a@example.com","password":"x"}',
    "trailing comma": b'{"email":"a@example.com",}',
    "single quotes": b"{'email':'a@example.com'}",
    "comment": b'{/* hi */"email":"a@example.com"}',
    "NaN": b'{"email":NaN}',
    "BOM": b'\xef\xbb\xbf{"email":"a@example.com","password":"x"}',
    "UTF-16": '{"email":"a@example.com"}'.encode("utf-16"),
    "broken UTF-8": b'{"email":"a@example.com","password":"correct horse \xff battery staple"}',
    "half a character": b'{"email":"a@example.com","password":"correct horse \xe2\x82 battery"}',
    "overlong": b'{"email":"a@example.com","password":"\xc0\xaf\xc0\xae correct horse battery"}',
    "a surrogate in UTF-8": b'{"email":"a@example.com","password":"\xed\xa0\x80 correct horse battery"}',
    "a lone surrogate": b'{"email":"a@example.com","password":"\\ud800 correct horse battery"}',
    "a lone low surrogate": b'{"email":"a@example.com","password":"\\udc00 correct horse battery"}',
    "surrogates the wrong way round": b'{"email":"a@example.com","password":"\\udc00\\ud800 correct horse"}',
    "a raw NUL": b'{"email":"a@example.com","password":"a\x00b correct horse battery"}',
    "a raw newline": b'{"email":"a@example.com","password":"a\nb correct horse battery"}',
    "only a NUL": b"\x00",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    "array": b"[]",
    "null": b"null",
    "text": b'"text"',
    "number": b"1",
    "true": b"true",
    "huge number": b"9" * 5000,
    "huge exponent": b'{"email":1e999999}',
    "empty object in array": b"[{}]",
    "deep": b"[" * 60_000,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "deep in a field": b'{"email":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "many fields": json.dumps({f"field{number}": number for number in range(2500)}).encode(),
}


@every_line
def test_a_body_that_is_not_what_the_route_takes_is_refused(api: Api, line: str) -> None:
    for raw in MALFORMED.values():
        api.assert_refused(api.send(line, raw), (400, "invalid_request"))


@every_line
def test_broken_utf8_in_the_right_field_is_refused_and_not_repaired(api: Api, line: str) -> None:
    # API Gateway puts U+FFFD for what it cannot read: two passwords, or two accounts, would come out as one.
    for name in GOOD[line]:
        good = json.dumps({**GOOD[line], name: "MARK"})
        for spoilt in (b"correct horse \xff staple", b"ann\xfe@example.com", b"\x80"):
            raw = good.encode().replace(b"MARK", spoilt)
            api.assert_refused(api.send(line, raw), (400, "invalid_request"))


@every_line
def test_a_body_over_64_kib_is_refused_and_one_of_exactly_that_is_read(api: Api, line: str) -> None:
    padded = json.dumps(GOOD[line]).encode().ljust(64 * 1024)
    api.assert_refused(api.send(line, padded + b" "), (413, "payload_too_large"))
    api.assert_refused(api.send(line, b"[" * 100_000), (413, "payload_too_large"))
    api.assert_refused(api.send(line, b"[".ljust(64 * 1024)), (400, "invalid_request"))


def test_a_body_of_eleven_megabytes_is_refused_by_the_gateway(api: Api) -> None:
    answer = api.send("POST /signup", b" " * (11 * 1024 * 1024))
    assert refusal(answer)[0] == 413


@every_line
def test_an_unknown_field_is_refused_and_not_repeated(api: Api, line: str) -> None:
    for name in (
        "role",
        "roles",
        "id",
        "uid",
        "pk",
        "email_verified",
        "__proto__",
        "",
        "Password",
        "x" * 1000,
        "\u0000",
    ):
        answer = api.send(line, body={**GOOD[line], name: "mark-of-the-sender"})
        api.assert_refused(answer, (400, "invalid_request"))
        assert "mark-of-the-sender" not in str(answer.body)
        assert len(name) < 5 or name == "Password" or name.encode() not in answer.body


WRONG: list[object] = [None, True, False, 0, 1, 1.5, [], ["a"], {}, {"a": "b"}, {"$ne": ""}, [[]], 10**30]


@pytest.mark.parametrize(("line", "name"), FIELDS, ids=str)
def test_a_field_of_another_type_is_refused(api: Api, line: str, name: str) -> None:
    for value in WRONG:
        nullable = value is None and (line, name) in {
            ("POST /login", "scope"),
            ("POST /refresh", "scope"),
            ("DELETE /me", "password"),
        }
        if not nullable:
            api.assert_refused(api.send(line, body={**GOOD[line], name: value}), (400, "invalid_request"))


@pytest.mark.parametrize(("line", "name"), FIELDS, ids=str)
def test_a_field_that_is_too_long_is_refused(api: Api, line: str, name: str) -> None:
    for text in ("x" * 8193, "\u00e9" * 8193):
        api.assert_refused(api.send(line, body={**GOOD[line], name: text}), (400, "invalid_request"))


@every_line
def test_a_field_that_is_missing_is_refused(api: Api, line: str) -> None:
    for name in GOOD[line]:
        if line != "DELETE /me":
            body = {other: value for other, value in GOOD[line].items() if other != name}
            api.assert_refused(api.send(line, body=body), (400, "invalid_request"))


@pytest.mark.parametrize(
    ("line", "name"), [("POST /signup", "name"), ("POST /signup", "device"), ("PATCH /me", "name")]
)
def test_control_characters_in_what_is_shown_to_people_are_refused(api: Api, line: str, name: str) -> None:
    for text in ("\x00", "Ann\x00", "Ann\n", "Ann\r\nBcc: all@example.com", "\x1b[31mAnn", "\x7f", "a\tb"):
        api.assert_refused(api.send(line, body={**GOOD[line], name: text}), (400, "invalid_request"))


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json-patch+json",
        "text/json",
        "application/json, text/plain",
        "application/octet-stream",
        "image/png",
        "*/*",
        "json",
        "application/json\x00",
        ";",
        "a" * 3000,
    ],
)
def test_a_body_that_is_not_called_json_is_refused(api: Api, content_type: str | None) -> None:
    for line, body in GOOD.items():
        pairs = [("Authorization", f"Bearer {api.access}")] if "/me" in line else []
        pairs += [] if content_type is None else [("Content-Type", content_type)]
        method, _, path = line.partition(" ")
        answer = api.phone.gateway.handle(method, path, pairs, json.dumps(body).encode())
        api.assert_refused(answer, (415, "unsupported_media_type"))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/json; charset=utf8",
        "application/json ; charset=iso-8859-1",
        "application/json; charset=utf-8; x=y",
        "application/json;",
    ],
)
def test_json_by_its_other_spellings_is_taken(phone: Phone, content_type: str) -> None:
    body = {"email": EMAIL, "password": PASSWORD}
    assert phone.call("POST /signup", body, headers={"Content-Type": content_type}).status == 201


@every_line
def test_a_missing_body_is_refused(api: Api, line: str) -> None:
    if line != "DELETE /me":
        api.assert_refused(api.send(line), (415, "unsupported_media_type"))
        answer = api.send(line, headers={"Content-Type": "application/json"})
        api.assert_refused(answer, (400, "invalid_request"))


@every_line
@pytest.mark.parametrize("name", ["Content-Type", "content-type", "Origin"])
def test_a_header_that_must_be_single_is_refused_when_doubled(api: Api, line: str, name: str) -> None:
    values = (
        ["application/json"] * 2 if name.lower() == "content-type" else ["https://app.example", "https://x.example"]
    )
    answer = api.send(line, body=GOOD[line], headers=[(name, values[0]), (name.lower(), values[1])])
    api.assert_refused(answer, (400, "invalid_request"))


@pytest.mark.parametrize("second", ["same", "other", "", "Basic x", "Bearer x"])
def test_a_doubled_authorization_header_opens_nothing(api: Api, second: str) -> None:
    bearer = f"Bearer {api.access}"
    value = {"same": bearer, "other": f"Bearer {api.other}"}.get(second, second)
    for pair in ([bearer, value], [value, bearer]):
        for name in ("Authorization", "authorization"):
            answer = api.phone.call("PATCH /me", {"name": "X"}, headers=[("Authorization", pair[0]), (name, pair[1])])
            api.assert_refused(answer, (400, "invalid_request"), (401, "invalid_token"))
            answer = api.phone.call("POST /login", GOOD["POST /login"], headers=[("Authorization", x) for x in pair])
            api.assert_refused(answer, (400, "invalid_request"))
    assert api.phone.call("GET /me", token=api.access).json()["name"] == ""


@pytest.mark.parametrize(
    "authorization",
    ["Basic YTpi", "Digest x", "Bearer", "Bearer ", "{token}", "Token {token}", "bearer", "\x00", "Bearer \x00"],
)
def test_an_authorization_that_is_no_bearer_token_is_refused_on_every_guarded_route(
    api: Api, authorization: str
) -> None:
    value = authorization.replace("{token}", api.access)
    for line in (
        "GET /me",
        "PATCH /me",
        "DELETE /me",
        "GET /me/sessions",
        "DELETE /me/sessions/x",
        "POST /me/password",
    ):
        answer = api.phone.call(line, GOOD.get(line), headers={"Authorization": value})
        api.assert_refused(answer, (401, "invalid_token"))


def test_no_authorization_is_refused_on_every_guarded_route(api: Api) -> None:
    for line in (
        "GET /me",
        "PATCH /me",
        "DELETE /me",
        "GET /me/sessions",
        "DELETE /me/sessions/x",
        "POST /me/password",
    ):
        api.assert_refused(api.phone.call(line, GOOD.get(line)), (401, "invalid_token"))


SIDS = [
    "x" * 3000,
    "%23",
    "a%23b",
    "a%00b",
    "..",
    "%2e%2e",
    "%2F",
    "*",
    "\u00e9" * 700,
    "%F0%9F%98%80",
    "%ff%fe",
    "%",
    "x;y",
    "-",
]


@pytest.mark.parametrize("sid", SIDS, ids=lambda sid: sid[:10])
def test_a_session_by_an_odd_name_is_not_found(api: Api, sid: str) -> None:
    with wire.watched(api.svc) as traffic:
        answer = api.send(f"DELETE /me/sessions/{sid}")
    api.assert_refused(answer, (404, "not_found"))
    if len(sid) * len(sid[0].encode()) > 1024:
        # DynamoDB itself would call so long a key a malformed request, which is a fault of ours.
        assert "UpdateItem" not in traffic.calls


LONG_WHEN_FOLDED = [
    "\ufdfa" * 250 + "@x.y",
    "x@" + "\ufdfa" * 200,
    "#" * 250 + "@x.y",
    "%" * 254,
    "\u1e9e" * 250 + "@x.y",
]


@pytest.mark.parametrize("email", LONG_WHEN_FOLDED, ids=lambda email: repr(email[:4]))
def test_an_address_that_no_key_can_hold_belongs_to_nobody(phone: Phone, svc: Services, email: str) -> None:
    phone.sign_up()
    longest = []

    def note_key_length(proceed: Transport, operation: str, request: Mapping[str, Any]) -> Any:
        if operation == "GetItem":
            longest.append(len(request["Key"]["pk"]["S"].encode()))
        return proceed(operation, request)

    with wire.intercepted(svc.users._client, note_key_length):
        answer = phone.call("POST /login", {"email": email, "password": PASSWORD})
    assert refusal(answer) == (401, "invalid_credentials")
    assert all(length <= 2048 for length in longest)


ODD_ADDRESSES = [
    "ann",
    "@",
    "ann@",
    "@example.com",
    "ann@example",
    "ann@@example.com",
    "ann@example..com",
    "ann@.example.com",
    "ann@example.com.",
    " ann@example.com",
    "ann@example.com ",
    "ann@exam ple.com",
    "ann\n@example.com",
    "ann@example.com\r\nBcc: x@y.example",
    "ann@example.com\x00",
    "a\x00nn@example.com",
    "Ann <ann@example.com>",
    "ann@example.com,ben@example.com",
    "ann@[127.0.0.1]",
    "ann@127.0.0.1",
    "ann@localhost",
    '"ann b"@example.com',
    "ann(comment)@example.com",
    "ann@-example.com",
    "ann@xn--\u00e9.com",
    "ann@xn--a.com",
    "\u202eann@example.com",
    "ann@\u200d.com",
    "ann@" + "a" * 64 + ".com",
    "a" * 250 + "@example.com",
    "ann@" + ".".join(["a"] * 130) + ".com",
    "\U0001f600@",
]


@pytest.mark.parametrize("email", ODD_ADDRESSES, ids=ascii)
def test_what_is_no_address_signs_nobody_up_and_logs_nobody_in(api: Api, email: str) -> None:
    api.assert_refused(api.send("POST /signup", body={"email": email, "password": PASSWORD}), (400, "invalid_request"))
    answer = api.send("POST /login", body={"email": email, "password": PASSWORD})
    api.assert_refused(answer, (401, "invalid_credentials"), (400, "invalid_request"))


# What Chalice and the gateway answer by themselves
def test_an_unknown_path_is_not_found(api: Api) -> None:
    for path in ("/nope", "/signup/x", "/.git/config", "/me/x", "/.well-known/", "/%00", "/" + "x" * 5000):
        assert refusal(api.phone.call(f"GET {path}")) == (404, "not_found")


def test_an_unknown_method_is_refused(api: Api) -> None:
    for line in (
        "GET /login",
        "PUT /me",
        "DELETE /signup",
        "PATCH /login",
        "HEAD /me",
        "TRACE /me",
        "CONNECT /me",
        "BREW /",
    ):
        assert refusal(api.phone.call(line, token=api.access)) == (404, "not_found")


def lambda_event(method: str, resource: str, **changes: Any) -> dict[str, Any]:
    """What Lambda gets from a REST API, for what our own gateway never sends on."""
    return {
        "resource": resource,
        "path": resource,
        "httpMethod": method,
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "httpMethod": method,
            "resourcePath": resource,
            "requestId": "request-1",
            "identity": {"sourceIp": "198.51.100.7"},
        },
        "body": None,
        "isBase64Encoded": False,
        **changes,
    }


def from_lambda(answer: dict[str, Any]) -> Answer:
    several = answer.get("multiValueHeaders") or {}
    headers = [*answer["headers"].items(), *[(name, value) for name, values in several.items() for value in values]]
    return Answer(answer["statusCode"], headers, answer["body"].encode())


@pytest.mark.parametrize(
    ("method", "resource", "expected"),
    [
        ("GET", "/nope", (405, "method_not_allowed")),  # which no gateway sends on
        ("PUT", "/me", (405, "method_not_allowed")),
        ("GET", "/login", (405, "method_not_allowed")),
    ],
)
def test_what_chalice_refuses_by_itself_has_our_shape(
    api: Api, method: str, resource: str, expected: tuple[int, str]
) -> None:
    answer = from_lambda(app(lambda_event(method, resource), None))
    api.assert_refused(answer, expected)
    assert answer.header("X-Request-Id") == "request-1"
    assert answer.header("Allow") is not None  # RFC 9110 section 15.5.6


@pytest.mark.parametrize(
    "authorizer", [None, {}, {"sub": ""}, {"sub": "u"}, {"sub": "u", "sid": "s"}, {"principalId": "u"}]
)
def test_a_guarded_route_that_was_reached_without_the_guard_refuses(api: Api, authorizer: Any) -> None:
    for line in ("GET /me", "DELETE /me", "GET /me/sessions"):
        method, _, resource = line.partition(" ")
        event = lambda_event(method, resource)
        event["requestContext"]["authorizer"] = authorizer
        api.assert_refused(from_lambda(app(event, None)), (401, "invalid_token"))


@pytest.mark.parametrize("exp", ["0", "", None, "1799999999", "1800000000"])
def test_a_context_that_has_expired_or_says_no_expiry_is_refused(api: Api, clock: Clock, exp: Any) -> None:
    assert clock() == 1_800_000_000
    event = lambda_event("GET", "/me")
    event["requestContext"]["authorizer"] = {"sub": "u", "sid": "s", "scope": "account", "exp": exp}
    api.assert_refused(from_lambda(app(event, None)), (401, "invalid_token"))


def test_a_context_without_the_scope_is_forbidden(api: Api) -> None:
    for scope in ("", "accounts", "notes:read", "account:read", "ACCOUNT"):
        event = lambda_event("GET", "/me")
        event["requestContext"]["authorizer"] = {"sub": "u", "sid": "s", "scope": scope, "exp": "1900000000"}
        api.assert_refused(from_lambda(app(event, None)), (403, "insufficient_scope"))


def strange_app() -> Chalice:
    """An app behind our middleware whose routes fail in Chalice's own ways."""
    strange = Chalice("strange")
    strange.register_middleware(middleware, "http")

    def crash() -> None:
        raise RuntimeError("secret in the message")

    strange.route("/crash", methods=["GET"], name="crash")(crash)
    strange.route("/json", methods=["POST"], name="json")(dict)
    return strange


@pytest.mark.parametrize(
    ("line", "headers", "expected"),
    [
        ("GET /crash", {}, (500, "server_error")),
        ("POST /json", {"Content-Type": "text/plain"}, (415, "unsupported_media_type")),
    ],
)
def test_chalices_own_failures_leave_in_our_shape_without_a_trace(
    api: Api, line: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    method, _, path = line.partition(" ")
    answer = Gateway(strange_app()).handle(method, path, headers, b"{}" if method == "POST" else b"")
    api.assert_refused(answer, expected)
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body


# CORS
def test_an_allowed_origin_may_read_answers_and_refusals(api: Api) -> None:
    origin = {"Origin": "https://app.example"}
    for line in ("POST /verify", "POST /login"):
        answer = api.phone.call(line, headers=origin)
        assert answer.header("Access-Control-Allow-Origin") == "https://app.example"
        assert "Origin" in (answer.header("Vary") or "")
        assert answer.header("Access-Control-Allow-Credentials") is None
        assert "X-Request-Id" in (answer.header("Access-Control-Expose-Headers") or "")


def test_what_the_gateway_answers_by_itself_is_for_every_origin_to_read(api: Api) -> None:
    answer = api.phone.call("GET /me", headers={"Origin": "https://app.example"})
    assert (answer.status, answer.header("Access-Control-Allow-Origin")) == (401, "*")
    assert answer.header("Access-Control-Allow-Credentials") is None
    exposed = (answer.header("Access-Control-Expose-Headers") or "").replace(" ", "").split(",")
    assert "WWW-Authenticate" in exposed


FOREIGN = [
    "https://evil.example",
    "http://app.example",
    "https://app.example.evil.example",
    "https://evil-app.example",
    "https://APP.example",
    "https://app.example:8443",
    "https://app.example/",
    "null",
    "*",
    "https://app.example https://evil.example",
    "https://app.example\x00",
]


@pytest.mark.parametrize("origin", FOREIGN, ids=repr)
def test_a_foreign_origin_may_read_nothing(api: Api, origin: str) -> None:
    for line in ("OPTIONS /login", "OPTIONS /me", "POST /verify"):
        answer = api.phone.call(line, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        assert answer.header("Access-Control-Allow-Origin") is None
        assert origin.encode() not in answer.body


def test_a_cache_keeps_answers_for_each_origin_apart(api: Api) -> None:
    for headers in ({}, {"Origin": "https://app.example"}, {"Origin": "https://evil.example"}):
        answer = api.phone.call("GET /.well-known/jwks.json", headers=headers)
        assert "Origin" in (answer.header("Vary") or "")


def test_a_preflight_of_an_allowed_origin_is_answered_without_a_token(api: Api) -> None:
    for path in ("/login", "/me", "/me/sessions/x", "/me/password"):
        headers = {
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "DELETE",
            "Access-Control-Request-Headers": "authorization,content-type,dpop",
        }
        answer = api.phone.call(f"OPTIONS {path}", headers=headers)
        assert answer.status == 204
        assert answer.header("Access-Control-Allow-Origin") == "https://app.example"
        methods = (answer.header("Access-Control-Allow-Methods") or "").replace(" ", "").split(",")
        assert {"GET", "POST", "PATCH", "DELETE"} <= set(methods)
        allowed_headers = (answer.header("Access-Control-Allow-Headers") or "").lower().replace(" ", "").split(",")
        # A single-page app that binds its tokens sends proofs, and reads the nonce for the next one.
        assert {"authorization", "content-type", "dpop"} <= set(allowed_headers)
        assert "DPoP-Nonce" in (answer.header("Access-Control-Expose-Headers") or "").split(",")
