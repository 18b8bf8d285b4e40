"""What the local run starts from: tables, keys, a demo user and demo clients, and the files a deployment would ship.

Run as a program it prepares the embedded AWS that its environment names, once; repeating it changes nothing.
"""

import json
import os
import urllib.request
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from chalicelib import config, services
from chalicelib.domain.accounts import email
from chalicelib.domain.authentication.user_agent import UserAgent
from chalicelib.domain.oauth import scopes
from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, CODE, DEVICE_CODE, REFRESH, Client
from chalicelib.flows.accounts import signup
from chalicelib.flows.clients import manage
from chalicelib.flows.platform import keys, limits
from chalicelib.services import Services
from chalicelib.store import tables
from chalicelib.store.aws.client import PATIENT, AwsClient, AwsError
from local import demo

APP = Client(
    client_id=demo.APP,
    client_name="Demo app",
    token_endpoint_auth_method="none",
    application_type="native",
    grant_types=(CODE, REFRESH, DEVICE_CODE),
    redirect_uris=(demo.REDIRECT_URI,),
    scopes=("openid", "profile", "email", "offline_access", "account", "notes:read", "notes:write"),
)
SERVICE = Client(
    client_id=demo.SERVICE,
    client_name="Demo service",
    grant_types=(CLIENT_CREDENTIALS,),
    scopes=("notes:read", "notes:write"),
    introspects=True,
)
DOCS = Client(
    client_id=demo.DOCS,
    client_name="The reference of the API",
    token_endpoint_auth_method="none",
    application_type="native",
    grant_types=(CODE,),
    redirect_uris=("http://localhost/docs",),
    scopes=APP.scopes,
)


def prepare(settings: config.Settings) -> None:
    """Make what is missing in the embedded AWS, and write the public keys where the guard looks for them."""
    transport = services.transports(settings, PATIENT)
    _make_tables(AwsClient(transport("dynamodb")), settings)
    if settings.mail_from:
        _verify_sender()
    fill(services.build(settings, transport=transport))


def fill(svc: Services) -> None:
    """Make the keys, the demo user and the demo's clients in tables that are there, and write the public keys."""
    keys.ensure(svc)
    if svc.users.find(email.canonical(demo.ADDRESS)) is None:
        # Whoever may sign up here, with whatever else, and whatever a hook says, the demo user is there.
        anybody = replace(
            svc.settings,
            sign_up="open",
            mail_domains=(),
            refused_mail_domains=(),
            proof_of_work="off",
            second_factor="optional",
            hooks_file="",
        )
        with redirect_stdout(StringIO()):  # the line of its event: the first that is read here is the welcome
            signup.sign_up(
                replace(svc, settings=anybody),
                address=demo.ADDRESS,
                password=demo.PASSWORD,
                name="Demo",
                device="make serve",
                agent=UserAgent(network="local", language="en"),
            )
    _register(svc)
    Path(svc.settings.jwks_file).write_text(json.dumps({"keys": keys.published(svc)}))
    _let_ask(svc, config.read_json(svc.settings.apis_file))


def _make_tables(client: AwsClient, settings: config.Settings) -> None:
    # Without boto3, which takes half as long to start as all the rest: there is nothing to wait for here, nor a backup.
    for table in tables.definition(**settings.tables):
        try:
            client.call("CreateTable", **table)
        except AwsError as error:
            if error.code != "ResourceInUseException":
                raise
        name = table["TableName"]
        expiry = client.call("DescribeTimeToLive", TableName=name)["TimeToLiveDescription"]
        if expiry.get("TimeToLiveStatus") != "ENABLED":
            specification = {"Enabled": True, "AttributeName": tables.EXPIRY}
            client.call("UpdateTimeToLive", TableName=name, TimeToLiveSpecification=specification)


def _verify_sender() -> None:
    # Of one that is there already it is made anew.
    content = json.dumps({"EmailIdentity": demo.SENDER}).encode()
    headers = {"Authorization": f"Credential={os.environ['AWS_ACCESS_KEY_ID']}/", "Content-Type": "application/json"}
    address = f"{os.environ['AWS_ENDPOINT_URL']}/v2/email/identities"
    with urllib.request.urlopen(urllib.request.Request(address, content, headers), timeout=PATIENT.attempt):
        pass


def _register(svc: Services) -> None:
    for client, secret in ((APP, ""), (DOCS, ""), (SERVICE, demo.SERVICE_SECRET)):
        known = svc.clients.read(client.client_id)
        if known and known.made_by_operator:
            continue
        if known:  # of an earlier version, which made it past the place where clients are made
            manage.delete(svc, client.client_id)
        manage.create(svc, client, secret=secret)


def _let_ask(svc: Services, registry: Mapping[str, Any]) -> None:
    """Let the demo's clients ask for what the APIs of this run need, which may be more than when they were made."""
    needed = {scope for api in registry.values() for scope in scopes.needed(api["scopes"])}
    for client in (APP, DOCS, SERVICE):
        known = svc.clients.read(client.client_id)
        if known and (missing := sorted(needed.difference(known.scopes))):
            manage.replace_by(svc, known, replace(known, scopes=(*known.scopes, *missing)), network=limits.OPERATORS)


if __name__ == "__main__":
    prepare(config.load(os.environ))
