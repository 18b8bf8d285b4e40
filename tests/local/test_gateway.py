"""What reaches a function, and what the gateway answers by itself, in our error shape."""

import base64
import threading
from typing import Any

import pytest
from chalice.app import Chalice, CORSConfig, Response

from local.gateway import BODY_LIMIT, Gateway


def echo() -> Chalice:
    """Return an app that answers with the event it was given."""
    app = Chalice("echo")
    anything = ["*/*"]

    def event(**_parameters: str) -> Any:
        request: Any = app.current_request
        return request.to_original_event()

    app.route("/", methods=["GET"], name="root")(event)
    app.route("/things", methods=["GET", "POST"], content_types=anything, name="things")(event)
    app.route("/things/{thing}/parts/{part}", methods=["GET"], name="part")(event)
    app.route("/things/new/{kind}/parts", methods=["GET"], name="kind")(event)
    app.route("/files/{path+}", methods=["GET"], name="files")(event)
    app.route("/files/{zone}", methods=["GET"], name="zone")(event)
    app.route("/open", methods=["GET"], cors=CORSConfig(allow_origin="https://a.example"), name="open")(event)
    return app


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(echo(), api_id="api1", stage="dev", now=lambda: 1_700_000_000.25)


def test_the_event_is_that_of_a_rest_api(gateway: Gateway) -> None:
    headers = [("User-Agent", "phone"), ("X-Many", "1"), ("x-many", "2"), ("X-Forwarded-For", "6.6.6.6")]
    answer = gateway.handle("GET", "/things?a=1&a=%C3%A9&b=", headers, source_ip="10.1.2.3")
    event = answer.json()
    context = event.pop("requestContext")

    assert event == {
        "resource": "/things",
        "path": "/things",
        "httpMethod": "GET",
        "headers": {"User-Agent": "phone", "X-Many": "2", "X-Forwarded-For": "6.6.6.6, 10.1.2.3"},
        "multiValueHeaders": {
            "User-Agent": ["phone"],
            "X-Many": ["1", "2"],
            "X-Forwarded-For": ["6.6.6.6, 10.1.2.3"],
        },
        "queryStringParameters": {"a": "é", "b": ""},
        "multiValueQueryStringParameters": {"a": ["1", "é"], "b": [""]},
        "pathParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }
    assert context["requestId"] == answer.header("x-amzn-RequestId")
    assert context["identity"]["sourceIp"] == "10.1.2.3"
    assert context["identity"]["userAgent"] == "phone"
    members = (
        "apiId",
        "stage",
        "accountId",
        "path",
        "resourcePath",
        "domainName",
        "requestTime",
        "requestTimeEpoch",
    )
    assert {name: context[name] for name in members} == {
        "apiId": "api1",
        "stage": "dev",
        "accountId": "000000000000",
        "path": "/things",
        "resourcePath": "/things",
        "domainName": "api1.execute-api.us-east-1.amazonaws.com",
        "requestTime": "14/Nov/2023:22:13:20 +0000",
        "requestTimeEpoch": 1_700_000_000_250,
    }
    assert "authorizer" not in context


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/", "/", None),
        ("/things/", "/things", None),
        ("/things/1/parts/2", "/things/{thing}/parts/{part}", {"thing": "1", "part": "2"}),
        ("/things/a%2Fb/parts/%20", "/things/{thing}/parts/{part}", {"thing": "a%2Fb", "part": "%20"}),
        ("/things/new/x/parts", "/things/new/{kind}/parts", {"kind": "x"}),
        ("/things/new/parts/x", "/things/{thing}/parts/{part}", {"thing": "new", "part": "x"}),
        ("/files/a/b.txt", "/files/{path+}", {"path": "a/b.txt"}),
        ("/files/a", "/files/{zone}", {"zone": "a"}),
    ],
)
def test_a_path_is_matched_to_its_route_and_to_that_route_s_parameters_alone(
    gateway: Gateway, path: str, resource: str, parameters: dict[str, str] | None
) -> None:
    event = gateway.handle("GET", path).json()
    assert (event["resource"], event["pathParameters"]) == (resource, parameters)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("GET", "/things/1"),
        ("GET", "/things//parts/2"),
        ("GET", "//things"),
        ("GET", "/things;x"),
        ("GET", ""),
        ("DELETE", "/things"),
        ("HEAD", "/things"),
        ("OPTIONS", "/things"),
        ("PROPFIND", "/things"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer marked-secret"}])
def test_an_unknown_path_or_method_is_a_404_that_echoes_nothing(
    gateway: Gateway, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = gateway.handle(method, path, headers)
    assert answer.status == 404
    assert answer.json() == {"error": "not_found", "error_description": "There is no such route."}
    assert "marked-secret" not in str(answer)


def test_every_answer_of_the_gateway_s_own_names_its_request_and_is_not_to_be_stored(
    gateway: Gateway,
) -> None:
    first, second = (gateway.handle("GET", "/nothing") for _ in range(2))
    assert first.header("Content-Type") == "application/json"
    assert first.header("Cache-Control") == "no-store"
    assert first.header("X-Request-Id")
    assert first.header("X-Request-Id") != second.header("X-Request-Id")


def test_web_pages_of_every_origin_may_read_the_gateway_s_own_answers(gateway: Gateway) -> None:
    assert gateway.handle("GET", "/nothing").header("Access-Control-Allow-Origin") == "*"


def test_a_preflight_of_a_cors_route_is_answered_without_the_function(gateway: Gateway) -> None:
    answer = gateway.handle("OPTIONS", "/open")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("Access-Control-Allow-Origin") == "https://a.example"
    assert answer.header("Access-Control-Allow-Methods") == "GET,OPTIONS"


def test_a_body_reaches_the_function_as_text_and_a_binary_one_in_base64(gateway: Gateway) -> None:
    text = gateway.handle("POST", "/things", {"content-type": "application/json"}, '{"é": 1}'.encode()).json()
    assert (text["body"], text["isBase64Encoded"]) == ('{"é": 1}', False)

    binary = gateway.handle("POST", "/things", {"content-type": "application/octet-stream"}, b"\xff\x00").json()
    assert (base64.b64decode(binary["body"]), binary["isBase64Encoded"]) == (b"\xff\x00", True)

    broken = gateway.handle("POST", "/things", {"content-type": "application/json"}, b"\xff{}").json()
    assert broken["body"] == "\ufffd{}"


@pytest.mark.parametrize("body", [None, b"x" * (BODY_LIMIT + 1)])
def test_a_body_over_ten_megabytes_is_413(gateway: Gateway, body: bytes | None) -> None:
    answer = gateway.handle("POST", "/things", {}, body)
    assert (answer.status, answer.json()["error"]) == (413, "payload_too_large")


def answering(response: Any) -> Gateway:
    app = Chalice("answering")
    app.route("/")(lambda: response)
    return Gateway(app)


def test_several_cookies_are_several_headers() -> None:
    response = Response("", status_code=302, headers={"Location": "/x", "Set-Cookie": ["a=1", "b=2"]})
    answer = answering(response).handle("GET", "/")
    assert answer.status == 302
    assert [value for name, value in answer.headers if name == "Set-Cookie"] == ["a=1", "b=2"]
    assert answer.header("location") == "/x"


def test_a_binary_answer_is_sent_as_the_bytes_it_is() -> None:
    response = Response(b"\xff\x00", headers={"Content-Type": "application/octet-stream"})
    answer = answering(response).handle("GET", "/", {"Accept": "application/octet-stream"})
    assert (answer.status, answer.body) == (200, b"\xff\x00")


@pytest.mark.parametrize("value", ["a\rb", "snow ☃"])
def test_a_header_that_cannot_be_sent_is_a_fault_of_the_function(value: str) -> None:
    answer = answering(Response("", headers={"X-Odd": value})).handle("GET", "/")
    assert (answer.status, answer.json()["error"]) == (502, "server_error")


def test_what_escapes_from_the_function_is_502_and_tells_nothing() -> None:
    app = echo()

    @app.middleware("http")
    def exits(_event: Any, _get_response: Any) -> Any:
        return "not a response"

    answer = Gateway(app).handle("GET", "/")
    assert (answer.status, answer.json()["error"]) == (502, "server_error")


def test_a_request_in_one_thread_is_never_seen_by_another() -> None:
    app = Chalice("threads")
    both_inside = threading.Barrier(8)

    @app.route("/{name}")
    def name(name: str) -> str:
        both_inside.wait(30)
        request: Any = app.current_request
        assert app.lambda_context is request.lambda_context
        return str(request.uri_params["name"]) + name

    gateway = Gateway(app)
    answers: dict[str, str] = {}

    def call(name: str) -> None:
        answers[name] = gateway.handle("GET", f"/{name}").body.decode()

    threads = [threading.Thread(target=call, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {str(number): f"{number}{number}" for number in range(8)}


def test_an_app_may_stand_behind_two_gateways() -> None:
    app = echo()
    one, two = Gateway(app, api_id="one"), Gateway(app, api_id="two")
    assert [each.handle("GET", "/").json()["requestContext"]["apiId"] for each in (one, two)] == [
        "one",
        "two",
    ]


def test_an_api_key_that_nobody_checks_stops_the_gateway_before_it_serves() -> None:
    app = Chalice("keyed")
    app.route("/", api_key_required=True)(dict)
    with pytest.raises(ValueError, match="API key"):
        Gateway(app)
