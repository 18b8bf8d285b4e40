"""What requests load: our own client, and nothing of Amazon's."""

import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from chalicelib.store import tables

ROOT = Path(__file__).parents[3]
# All that a container does is done here by requests as API Gateway makes them.
REQUESTS = """
import json, os, sys
from urllib.parse import urlencode
from app import app
from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, Client
from chalicelib.flows.clients import manage
from chalicelib.services import services
from local.events import Api, Call, proxy_event


def ask(method, path, body=b"", kind="application/json"):
    headers = {"Content-Type": [kind]} if body else {}
    call = Call(method=method, path=path, query="", headers=headers, body=body, source_ip="198.51.100.7", at=0.0)
    event = proxy_event(call, Api("test", "api"), pattern=path, parameters={}, binary_types=())
    answer = app(event, None)
    assert answer["statusCode"] in (200, 201), answer
    return json.loads(answer["body"])


def post(path, body):
    return ask("POST", path, json.dumps(body).encode())


svc = services()
client, secret = manage.create(svc, Client(client_id="", token_endpoint_auth_method="client_secret_post",
    grant_types=(CLIENT_CREDENTIALS,), introspects=True))
account = {"email": "ann@example.com", "password": "correct horse battery staple"}
post("/signup", account)
session = post("/login", account)
session = post("/refresh", {"refresh_token": session["refresh_token"]})
assert post("/verify", {"token": session["access_token"]})
assert ask("GET", "/.well-known/jwks.json")["keys"]
form = {"client_id": client.client_id, "client_secret": secret, "token": session["access_token"]}
asked = ask("POST", "/oauth/introspect", urlencode(form).encode(), "application/x-www-form-urlencoded")
assert asked["active"]
print("LOADED", *sorted({"boto3", "botocore", "urllib3"} & sys.modules.keys()))
"""


@pytest.mark.parametrize(("client", "loaded"), [("off", []), ("boto3", ["boto3", "botocore", "urllib3"])])
def test_no_request_loads_amazons_client_unless_a_setting_says_so(
    served_moto: dict[str, str], client: str, loaded: list[str]
) -> None:
    names = {table: f"{table}-{client}" for table in ("users", "grants", "outbox")}
    for table in tables.definition(**names):
        boto3.client("dynamodb").create_table(**table)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCHKEY_"))},
        "AWS_ENDPOINT_URL": served_moto["endpoint_url"],
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "LATCHKEY_ISSUER": "https://id.example",
        "LATCHKEY_ALGORITHM": "ES256",
        "LATCHKEY_AWS_CLIENT": client,
        **{f"LATCHKEY_{table.upper()}_TABLE": name for table, name in names.items()},
        "LATCHKEY_KEYS_PATH": f"/{client}/keys",
    }
    run = [sys.executable, "-c", REQUESTS]
    process = subprocess.run(run, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stdout.splitlines()[-1].split() == ["LOADED", *loaded]
