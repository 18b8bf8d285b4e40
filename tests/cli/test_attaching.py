"""What `./latchkey apis add` prints is finished: each snippet is read as its tool reads it, and what is attached so works."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from itertools import product
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from deploy.registered_apis import Register
from deploy.stages import PROJECT
from tests.guard.test_guard import Event, Gate, allowed, arn, gate, http_1_event, http_2_event, rest_event, token_event
from tests.support.commands import remember_guard, run
from tests.support.prover import Prover

__all__ = ["gate"]

API = "notes12345"
GUARD = "arn:aws:lambda:eu-central-1:123456789012:function:latchkey-dev-guard_request"
URI = f"arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/{GUARD}/invocations"
CALLERS = f"arn:aws:execute-api:eu-central-1:123456789012:{API}/authorizers/*"
SCOPES = {"GET /notes": "notes:read", "POST /notes": "notes:write", "ANY /things": "notes:write"}
TTL = {"stateless": 300, "bounded": 60, "strict": 0}
PLUGINS = Path("/opt/tf-plugins")
TERRAFORM, NODE = shutil.which("terraform"), shutil.which("node")
CHOICES = list(product(("policy", "simple"), TTL, (False, True)))
every_choice = pytest.mark.parametrize(("answer", "revocation", "proofs"), CHOICES)


def checkout(folder: Path) -> Register:
    (folder / "chalicelib").mkdir()
    shutil.copytree(PROJECT / ".chalice", folder / ".chalice", ignore=shutil.ignore_patterns("deploy*"))
    (folder / "scopes.json").write_text(json.dumps(SCOPES))
    return Register(folder)


@pytest.fixture
def register(tmp_path: Path) -> Register:
    """A checkout that knows its guards: where they are is asked of AWS for what `added` prints."""
    register = checkout(tmp_path)
    remember_guard(tmp_path)
    return register


class Printed:
    """What `add` printed, cut into its snippets by the kind of API and the tool."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kinds = {
            kind: self._parts(chapter) for kind, chapter in re.findall(r"(?ms)^== An? (\w+) API(.*?)(?=^==|\Z)", text)
        }

    def _parts(self, chapter: str) -> dict[str, str]:
        chapters = re.findall(r"(?m)^  ([A-Z][\w ]+):\n((?:    .*\n|\n(?=    ))+)", chapter)
        return {tool: dedent(text) for tool, text in chapters}

    def options(self, kind: str, command: str) -> dict[str, list[str]]:
        """The options of one command of the AWS CLI, as a shell passes them on."""
        lines = self.kinds[kind]["AWS CLI"].replace("\\\n", " ").splitlines()
        (words,) = [shlex.split(line) for line in lines if f" {command} " in line]
        options: dict[str, list[str]] = {}
        for word in words[3:]:
            if word.startswith("--"):
                options[word] = []
            else:
                options[list(options)[-1]].append(word)
        return options


def add(register: Register, answer: str, revocation: str, *, proofs: bool) -> Printed:
    file = str(register.project / "scopes.json")
    arguments = ["add", "--id", API, "--name", "notes", "--file", file, "--revocation", revocation, "--answer", answer]
    with redirect_stdout(StringIO()) as output:
        run("apis", *arguments, *(["--dpop"] if proofs else []), on=register)
    return Printed(output.getvalue())


@dataclass(frozen=True)
class Added:
    """An API that was added: what was printed, and how it is registered."""

    printed: Printed
    registered: Mapping[str, Any]


Adding = Callable[[str, str, bool], Added]


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory, aws: None) -> Adding:  # noqa: ARG001 - credentials
    """The API as it is added with a choice, once for all tests that read what was printed."""

    @cache
    def adding(answer: str, revocation: str, proofs: bool) -> Added:
        register = checkout(tmp_path_factory.mktemp("register"))
        return Added(add(register, answer, revocation, proofs=proofs), register.read())

    return adding


def requests(kind: str, printed: Printed, token: str, proof: str | None, method: str) -> Iterator[Event]:
    """The events that API Gateway makes for an API that is attached as the command line says, and as the CDK does it."""
    scheme = "Bearer" if proof is None else "DPoP"
    options = printed.options(kind, "create-authorizer")
    if kind == "REST":
        shape = token_event if options["--type"] == ["TOKEN"] else rest_event
        yield with_headers(shape(f"{scheme} {token}", API, method), proof)
        return
    event = with_headers(http_2_event(f"{scheme} {token}", API, method), proof)
    event["requestContext"]["http"]["path"] = "/prod/notes"
    values = {"$request.header.Authorization": f"{scheme} {token}", "$context.routeKey": event["routeKey"]}
    yield {**event, "identitySource": [values[source] for source in options.get("--identity-source", [])] or None}
    if "--no-enable-simple-responses" in options:
        yield {**with_headers(http_1_event(f"{scheme} {token}", API, method), proof), "identitySource": None}


def with_headers(event: Event, proof: str | None) -> Event:
    event.get("requestContext", {})["domainName"] = "x.example"
    if proof is not None and "headers" in event:
        event["headers"]["DPoP"] = proof
        event.get("multiValueHeaders", {})["DPoP"] = [proof]
    return event


def lets_in(answer: Mapping[str, Any], method: str) -> bool:
    if "isAuthorized" in answer:
        return bool(answer["isAuthorized"])
    return allowed(answer["policyDocument"], arn(API, method, "/notes"))


@every_choice
def test_an_api_attached_exactly_as_printed_lets_in_who_may_and_nobody_else(
    added: Adding, gate: Gate, answer: str, revocation: str, proofs: bool
) -> None:
    made = added(answer, revocation, proofs)
    printed = made.printed
    gate.register(**made.registered)
    owner = Prover(gate.clock)
    bound, free = gate.token("notes:read", cnf={"jkt": owner.thumbprint}), gate.token("notes:read")
    for kind, method in product(printed.kinds, ("GET", "POST")):
        simple = kind == "HTTP" and answer == "simple"
        for event in requests(kind, printed, free, None, method):
            decision = gate.authorize(event)
            assert lets_in(decision, method) is (method == "GET")
            assert ("isAuthorized" in decision) is simple
        for count in range(len(list(requests(kind, printed, free, None, method)))):
            proof = owner.proof(method=method, htu="https://x.example/prod/notes", token=bound)
            decision = gate.authorize(list(requests(kind, printed, bound, proof, method))[count])
            assert (decision == 401) if not proofs else (lets_in(decision, method) is (method == "GET"))
    assert set(printed.kinds) == ({"HTTP"} if answer == "simple" else {"REST", "HTTP"})


@every_choice
def test_the_command_line_has_every_value_in_its_place(
    added: Adding, answer: str, revocation: str, proofs: bool
) -> None:
    printed = added(answer, revocation, proofs).printed
    ttl = ["0" if proofs else str(TTL[revocation])]
    for kind in printed.kinds:
        made, permission = (printed.options(kind, command) for command in ("create-authorizer", "add-permission"))
        assert made["--authorizer-uri"] == [URI]
        assert made["--authorizer-result-ttl-in-seconds"] == ttl
        assert permission["--function-name"] == [GUARD]
        assert permission["--source-arn"] == [CALLERS]
        assert ("--identity-source" in made) is not proofs
        # An answer for one route that is kept must be kept for that route.
        assert kind == "REST" or proofs or (answer == "simple") is ("$context.routeKey" in made["--identity-source"])


@every_choice
def test_the_sam_snippet_has_every_value_in_its_place_and_leaves_preflights_open(
    added: Adding, answer: str, revocation: str, proofs: bool
) -> None:
    printed = added(answer, revocation, proofs).printed
    for kind, tools in printed.kinds.items():
        api = yaml.safe_load(tools["SAM"])
        assert api["Type"] == ("AWS::Serverless::Api" if kind == "REST" else "AWS::Serverless::HttpApi")
        auth = api["Properties"]["Auth"]
        made = auth["Authorizers"][auth["DefaultAuthorizer"]]
        assert made["FunctionArn"] == GUARD
        assert made["Identity"]["ReauthorizeEvery"] == (0 if proofs else TTL[revocation])
        if kind == "REST":
            assert made["FunctionPayloadType"] == ("REQUEST" if proofs else "TOKEN")
            assert auth["AddDefaultAuthorizerToCorsPreflight"] is False
            assert "Cors" in api["Properties"]
            continue
        assert (made["AuthorizerPayloadFormatVersion"], made["EnableSimpleResponses"]) == ("2.0", answer == "simple")
        assert made["EnableFunctionDefaultPermissions"] is True
        assert ("Headers" in made["Identity"]) is not proofs
        assert (made["Identity"].get("Context") == ["routeKey"]) is (answer == "simple" and not proofs)
        assert "CorsConfiguration" in api["Properties"]


def test_terraform_takes_every_snippet(added: Adding, tmp_path: Path) -> None:
    if TERRAFORM is None or not PLUGINS.exists():
        pytest.skip("Terraform and a mirror of its AWS provider are not here")
    root = tmp_path / "terraform"
    modules = []
    for number, (answer, proofs) in enumerate(product(("policy", "simple"), (False, True))):
        printed = added(answer, "bounded", proofs).printed
        for kind, tools in printed.kinds.items():
            assert (tools["Terraform"].count(URI), tools["Terraform"].count(CALLERS)) == (1, 1)
            folder = root / f"{answer}_{kind}_{number}"
            folder.mkdir(parents=True)
            (folder / "main.tf").write_text(tools["Terraform"])
            modules.append(f'module "{folder.name}" {{\n  source = "./{folder.name}"\n}}\n')
    # A module each, for the provider takes seconds to start.
    (root / "main.tf").write_text('provider "aws" {\n  region = "eu-central-1"\n}\n' + "".join(modules))
    for command in (["init", "-backend=false", f"-plugin-dir={PLUGINS}"], ["validate"]):
        done = subprocess.run([TERRAFORM, *command, "-no-color"], cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@every_choice
def test_what_is_for_the_cdk_has_every_value_in_its_place(
    added: Adding, answer: str, revocation: str, proofs: bool
) -> None:
    ttl = 0 if proofs else TTL[revocation]
    for tools in added(answer, revocation, proofs).printed.kinds.values():
        assert f"functionArn: '{GUARD}'" in tools["CDK"]
        assert f"Duration.seconds({ttl})" in tools["CDK"]
        assert ("$context.routeKey" in tools["CDK"]) is (answer == "simple" and not proofs)


def test_node_can_read_what_is_for_the_cdk(added: Adding) -> None:
    if NODE is None:
        pytest.skip("Node is not here")
    modules = [tools["CDK"] for choice in CHOICES for tools in added(*choice).printed.kinds.values()]
    # One Node for all: each is parsed as a module, and none is run.
    parse = "JSON.parse(require('fs').readFileSync(0)).forEach(text => new (require('vm').SourceTextModule)(text))"
    command = [NODE, "--experimental-vm-modules", "-e", parse]
    subprocess.run(command, input=json.dumps(modules), text=True, check=True)


def test_an_any_route_of_an_http_api_is_given_an_options_route_beside_it(added: Adding) -> None:
    output = added("simple", "stateless", False).printed.text
    assert "create-route --api-id notes12345 --route-key 'OPTIONS /things' --authorization-type NONE" in output
    (cors,) = re.findall(r"(?s)--cors-configuration \\\n *'(.*?)'", output)
    assert set(json.loads(cors)) == {"AllowOrigins", "AllowMethods", "AllowHeaders"}


def test_what_is_not_known_is_a_blank_to_fill_in(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(register.project / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(register.project / "none"))
    shutil.rmtree(register.project / ".chalice" / "deployed")
    output = add(register, "policy", "strict", proofs=False).text
    assert "arn:aws:lambda:<region>:<account>:function:latchkey-dev-guard_request" in output


def login_scopes(register: Register, stage: str) -> list[str]:
    config = json.loads((register.project / ".chalice" / "config.json").read_text())
    offered: str = config["stages"][stage]["lambda_functions"]["api_handler"]["environment_variables"][
        "LATCHKEY_SCOPES"
    ]
    return offered.split()


def command(register: Register, *words: str, stage: str = "prod") -> None:
    run("apis", "--stage", stage, *words, on=register)


def adding(register: Register, api_id: str, scopes: dict[str, str], *more: str) -> None:
    file = register.project / f"{api_id}.json"
    file.write_text(json.dumps(scopes))
    command(register, "add", "--id", api_id, "--name", api_id, "--file", str(file), "--revocation", "stateless", *more)


def test_a_new_apis_scopes_are_opened_to_the_logins_of_its_stage_and_closed_again_with_it(
    register: Register,
) -> None:
    before = (register.project / ".chalice" / "config.json").read_text()
    adding(register, "api1", {"GET /a": "a:read", "PUT /a": "account a:write"})
    assert login_scopes(register, "prod") == ["account", "a:read", "a:write"]
    assert login_scopes(register, "dev") == ["account", "notes:read", "notes:write"]
    adding(register, "api2", {"GET /b": "a:read b:read"})
    command(register, "remove", "--id", "api1")
    assert login_scopes(register, "prod") == ["account", "a:read", "b:read"]  # the other one needs it
    command(register, "remove", "--id", "api2")
    assert login_scopes(register, "prod") == ["account", "a:read"]
    assert before != (register.project / ".chalice" / "config.json").read_text()


def test_what_an_operator_closed_stays_closed_when_the_api_is_changed(register: Register) -> None:
    adding(register, "api1", {"GET /a": "a:read", "GET /b": "a:admin"})
    config = register.project / ".chalice" / "config.json"
    config.write_text(config.read_text().replace(" a:admin", "").replace("a:admin ", ""))
    adding(register, "api1", {"GET /a": "a:read", "GET /b": "a:admin", "GET /c": "a:list"})
    assert login_scopes(register, "prod") == ["account", "a:read", "a:list"]


def test_an_api_that_was_added_for_one_stage_opens_its_scopes_in_another_when_it_is_added_for_that(
    register: Register,
) -> None:
    adding(register, "api1", {"GET /a": "a:read"})
    file = str(register.project / "api1.json")
    command(register, "add", "--id", "api1", "--name", "a", "--file", file, "--revocation", "strict", stage="dev")
    assert login_scopes(register, "dev") == ["account", "notes:read", "notes:write", "a:read"]
    command(register, "remove", "--id", "api1")
    assert [login_scopes(register, stage) for stage in ("dev", "prod")] == [
        ["account", "notes:read", "notes:write"],
        ["account"],
    ]


def test_scopes_that_not_every_user_may_have_can_be_left_closed(
    register: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    adding(register, "api1", {"GET /a": "a:admin"}, "--keep-scopes")
    assert login_scopes(register, "prod") == ["account"]
    assert "No login can ask for a:admin in the stage prod" in capsys.readouterr().out


def test_what_was_in_the_stage_before_the_api_stays_when_the_api_goes(register: Register) -> None:
    before = (register.project / ".chalice" / "config.json").read_text()
    file = str(register.project / "scopes.json")
    command(register, "add", "--id", "api1", "--name", "n", "--file", file, "--revocation", "strict", stage="dev")
    command(register, "remove", "--id", "api1", stage="dev")
    assert (register.project / ".chalice" / "config.json").read_text() == before


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_our_own_api_of_whatever_stage_is_not_registered(register: Register, stage: str) -> None:
    (register.project / ".chalice" / "deployed").mkdir(exist_ok=True)
    ours = {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": "own1234567", "rest_api_url": "https://x/"}
    (register.project / ".chalice" / "deployed" / f"{stage}.json").write_text(json.dumps({"resources": [ours]}))
    with pytest.raises(SystemExit, match=f"own1234567 is Latchkey's own API in the stage {stage}"):
        adding(register, "own1234567", {"GET /a": "a"})
    assert register.read() == {}
