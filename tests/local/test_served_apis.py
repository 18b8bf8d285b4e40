"""An API of a developer's own behind the guard, as docs/local.md tells to run it: a Chalice app, and any HTTP server."""

import json
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local import demo, serve, served_apis
from tests.local.test_serve import CLEAN, ROOT, Run, copied, running, stopped

pytestmark = pytest.mark.xdist_group("serve")

MANUAL = (ROOT / "docs" / "local.md").read_text().partition("## An API of your own")[2]
BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", MANUAL, re.DOTALL))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def todos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manual's app, which like many has a `chalicelib` and prints."""
    folder = tmp_path_factory.mktemp("apps") / "todos"
    (folder / "chalicelib").mkdir(parents=True)
    (folder / "chalicelib" / "__init__.py").touch()
    (folder / "chalicelib" / "todos.py").write_text("TODOS = []\nprint('printed by the app')\n")
    more = """
    @app.authorizer(ttl_seconds=0)
    def door(request):
        from chalice import AuthResponse
        return AuthResponse(routes=["/own"] if request.token == "open" else [], principal_id="me")


    @app.route("/own", authorizer=door)
    def own():
        return {"by": app.current_request.context["authorizer"]["principalId"], "set": os.environ["SET_FOR_DEV"]}


    @app.route("/open", cors=True)
    def open_to_all():
        return {"python": sys.executable}


    @app.route("/broken")
    def broken():
        raise SystemError("not caught")


    @app.route("/todos/{which}", methods=["DELETE"])
    def forgotten(which):
        return {"deleted": which}
    """
    (folder / "app.py").write_text("import sys\n" + BLOCKS["python"] + textwrap.dedent(more))
    scopes = json.loads(BLOCKS["json"]) | {"DELETE /todos/{which}": "todos:write"}
    (folder / "scopes.json").write_text(json.dumps(scopes))
    (folder / ".chalice").mkdir()
    config = {"stages": {"dev": {"environment_variables": {"SET_FOR_DEV": "yes"}}}}
    (folder / ".chalice" / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def run(checkout: Path, todos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    options = (f"--app={todos}", "--scopes=scopes.json", "--api-port=0")
    with running(checkout, tmp_path_factory.mktemp("serve") / "state", options=options) as started:
        yield started


def port_of(run: Run, name: str) -> int:
    match = re.search(rf"^{name} +http://(?:127\.0\.0\.1|localhost):(\d+)", run.welcome, re.MULTILINE)
    assert match, run.welcome
    return int(match[1])


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="the manual calls curl")
def test_the_manual_s_run_answers_what_the_manual_says(run: Run) -> None:
    script = BLOCKS["bash"]
    for documented, real in (("8000", port_of(run, "Latchkey")), ("8003", port_of(run, "todos"))):
        script = re.sub(rf"(127\.0\.0\.1|localhost):{documented}\b", rf"\1:{real}", script)
    script = "\n".join(f"{line}; echo" if line.startswith("curl") else line for line in script.splitlines())
    done = subprocess.run(["bash", "-eu"], input=script, capture_output=True, text=True, check=True)  # noqa: S607
    # A long line of the manual is broken before a space.
    assert (done.stdout, done.stderr) == (BLOCKS["text"].replace("\n ", " "), "")


def test_an_app_s_own_authorizer_and_its_open_routes_work_beside_the_guard(run: Run) -> None:
    port = port_of(run, "todos")
    assert run.call(port, "GET", "/own", token="open")[0] == 403  # the header is "Bearer open"
    assert run.call(port, "GET", "/own", headers={"Authorization": "open"}) == (200, {"by": "me", "set": "yes"})
    assert run.call(port, "GET", "/open") == (200, {"python": sys.executable})
    assert run.call(port, "GET", "/broken")[0] == 500
    assert run.call(port, "GET", "/nowhere")[0] == 404


def test_a_route_that_the_map_guards_and_the_app_does_not_is_told(run: Run) -> None:
    assert run.call(port_of(run, "todos"), "DELETE", "/todos/1") == (200, {"deleted": "1"})
    message = "DELETE /todos/{which} is in the scope map and has no authorizer in app.py: it is open to everybody"
    assert message in run.log.read_text()


def test_the_demo_s_clients_may_ask_for_its_scopes(run: Run) -> None:
    answer = run.post_form(
        "/oauth/token",
        {"grant_type": "client_credentials", "scope": "todos:read"},
        user=(demo.SERVICE, demo.SERVICE_SECRET),
    )
    assert answer["scope"] == "todos:read"
    assert run.call(port_of(run, "todos"), "GET", "/todos", token=answer["access_token"])[0] == 200


def test_it_goes_with_the_run(run: Run) -> None:  # the last test of this run
    assert stopped(run, signal.SIGTERM) == replace(CLEAN, processes=6)


def test_an_app_that_cannot_be_imported_is_told_and_served_once_it_can(checkout: Path, tmp_path: Path) -> None:
    folder = tmp_path / "late"
    folder.mkdir()
    (folder / "app.py").write_text("import nothing_of_this_name")
    (folder / "scopes.json").write_text('{"GET /late": "late:read"}')
    with running(
        checkout, tmp_path / "state", options=(f"--app={folder}", "--api-port=0"), until="It does not start, see above; "
        "it is tried again at the next edit."
    ) as run:  # fmt: skip
        log = run.log.read_text()
        assert "No module named 'nothing_of_this_name'" in log
        assert f"late: {folder / 'app.py'} cannot be imported, see above." in log
        (folder / "app.py").write_text("from chalice import Chalice\napp = Chalice('late')\n")
        run.printed_until("Edited: started anew.")


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        message = {"line": f"{self.command} {self.path}", "headers": self.headers.items(), "body": list(body)}
        content = json.dumps(message).encode()
        self.send_response(207 if self.command == "POST" else 200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_OPTIONS = do_DELETE = do_GET

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        pass


@contextmanager
def echo() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as served:
        threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{served.server_port}"
        finally:
            served.shutdown()


OPENAPI = {
    "openapi": "3.1.0",
    "paths": {
        "/items": {
            "get": {"security": [{"oauth": ["items:read"]}]},
            "post": {"security": [{"oauth": ["items:write"]}]},
        },
        "/items/{id}": {"delete": {"security": [{"oauth": ["items:write"]}]}},
        "/health": {"get": {"security": []}},
    },
}


def test_any_server_stands_behind_the_guard_and_hears_who_is_asking_from_nobody_else(
    checkout: Path, tmp_path: Path
) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(OPENAPI))
    with ExitStack() as stack:
        with echo() as url:
            options = (f"--upstream={url}/v1/", f"--scopes={tmp_path / 'openapi.json'}", "--api-port=0", "--name=mine")
            run = stack.enter_context(running(checkout, tmp_path / "state", options=options))
            port = port_of(run, "mine")
            token = run.log_in(scope="items:read items:write")["access_token"]
            sub = run.call(run.ports[0], "GET", "/me", token=run.log_in()["access_token"])[1]["sub"]
            lies = {"X-Latchkey-Sub": "somebody", "x_latchkey_scope": "everything", "X.Latchkey.Roles": "owner"}
            lies["Connection"] = "close"
            status, message = run.call(
                port, "POST", "/items?a=1&a=2&b=%26", {"text": "é"}, token, headers={**lies, "X-Own": "kept"}
            )
            assert (status, message["line"]) == (207, "POST /v1/items?a=1&a=2&b=%26")
            assert bytes(message["body"]) == json.dumps({"text": "é"}).encode()
            headers = {name.lower().replace("_", "-"): value for name, value in message["headers"]}
            assert headers["x-latchkey-sub"] == sub
            assert set(headers["x-latchkey-scope"].split()) == {"items:read", "items:write"}
            assert headers["x-own"] == "kept"
            assert "owner" not in headers.values()
            assert [name for name, _ in message["headers"]].count("Content-Length") == 1
            assert run.call(port, "DELETE", "/items/7", token=token)[1]["line"] == "DELETE /v1/items/7"

            # A server may take such a path for another route's, which needs another scope.
            for path in ("/items/..", "/items/%2e%2e", "/items/..%2Fhealth", "/items/.", "/items/a%5c..%5c..%5cb"):
                assert run.call(port, "DELETE", path, token=token) == (400, {"error": "invalid_request"})

            reader = run.log_in(scope="items:read")["access_token"]
            assert run.call(port, "POST", "/items", {}, reader)[1]["error"] == "insufficient_scope"
            assert run.call(port, "GET", "/items")[1]["error"] == "invalid_token"
            assert run.call(port, "GET", "/elsewhere", token=token)[0] == 404
            _, message = run.call(port, "GET", "/health", headers={"X-Latchkey-Sub": "somebody"})
            assert not [name for name, _ in message["headers"] if name.lower().startswith("x-latchkey")]
            assert run.call(port, "OPTIONS", "/items")[1]["line"] == "OPTIONS /v1/items"
            body = bytes(range(256))
            assert bytes(run.call(port, "POST", "/items", token=token, content=body)[1]["body"]) == body
        assert run.call(port, "GET", "/items", token=reader)[0] == 502
        assert f"{url}/v1/ does not answer" in run.log.read_text()


def test_a_server_without_a_name_is_called_upstream(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(OPENAPI))
    made = served_apis.of_the_developer(
        app=None, upstream="http://127.0.0.1:3000", scopes=tmp_path / "openapi.json", name=None
    )
    assert made
    assert made.name == "upstream"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port=80000"], "there is no port 80000: the last one is 65535"),
        (["--aws-port=80000"], "there is no port 80000: the last one is 65535"),
        (["--scopes=x.json"], "SCOPES= is a scope map, of which API? name its folder with APP=, or its URL with UPSTREAM="),
        (["--app=/nowhere"], "APP=/nowhere is not the folder of a Chalice app: it has no app.py"),
        (["--upstream=localhost:3000", "--scopes=x.json"],
         "UPSTREAM=localhost:3000 is not the URL of a server, like http://127.0.0.1:3000"),
        (["--upstream=http://127.0.0.1:3000"], "SCOPES= is missing: a file that says which route needs which scope"),
        ([f"--app={served_apis.EXAMPLE}"], "the API cannot be called 'notes' here: choose a name with NAME="),
        ([f"--app={served_apis.EXAMPLE}", "--name=a b"], "the API cannot be called 'a b' here: choose a name with NAME="),
        ([f"--app={served_apis.EXAMPLE}", "--upstream=http://a.example"],
         "APP= and UPSTREAM= are two APIs, and there is room for one"),
        ([f"--app={served_apis.EXAMPLE}", "--name=mine", "--scopes=requirements.txt"],
         f"{served_apis.EXAMPLE}/requirements.txt is neither a scope map nor an OpenAPI document"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    free = [f"--state={tmp_path}", "--port=0", "--notes-port=0", "--aws-port=0", "--api-port=0"]
    assert refused_here([*free, *options]) == 1
    assert capsys.readouterr() == ("", f"Cannot serve: {message}.\n")


def refused_here(arguments: list[str]) -> int:
    """Have it refused in this process, for a start takes longer than all that is tried; return the exit status."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        return serve.main(arguments)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_make_passes_on_what_was_typed_and_nothing_of_the_same_name_in_the_shell() -> None:
    def commands(*typed: str) -> str:
        made = ["make", "-n", "-o", ".venv/.made", "-o", ".venv-aws/.made", "serve", *typed]
        shell = {"PATH": "/usr/bin:/bin", "NAME": "a machine", "APP": "another"}
        return subprocess.run(made, cwd=ROOT, env=shell, capture_output=True, text=True, check=True).stdout

    assert "--app" not in commands()
    assert "--name" not in commands()
    assert "--app '../to do' --scopes 'scopes.json'" in re.sub(
        " +", " ", commands("APP=../to do", "SCOPES=scopes.json")
    )
    assert "--upstream 'http://127.0.0.1:3000'" in commands("UPSTREAM=http://127.0.0.1:3000")
