"""What the local run starts from: tables, keys, a demo user and demo clients, and the files a deployment would ship.

Run as a program it prepares the place that its environment names, once; repeating it changes nothing.
"""

import json
import os
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
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
from chalicelib.store.aws.client import PATIENT

ADDRESS = "demo@example.com"
PASSWORD = "rivers-and-lanterns"
SENDER = "latchkey@example.com"
SERVICE_SECRET = "bridges-and-harbours"
APP = Client(
    client_id="demo-app",
    client_name="Demo app",
    token_endpoint_auth_method="none",
    application_type="native",
    grant_types=(CODE, REFRESH, DEVICE_CODE),
    redirect_uris=("http://127.0.0.1/callback",),
    scopes=("openid", "profile", "email", "offline_access", "account", "notes:read", "notes:write"),
)
SERVICE = Client(
    client_id="demo-service",
    client_name="Demo service",
    grant_types=(CLIENT_CREDENTIALS,),
    scopes=("notes:read", "notes:write"),
    introspects=True,
)
# What "Authorize" of /docs logs in for.
DOCS = Client(
    client_id="demo-docs",
    client_name="The reference of the API",
    token_endpoint_auth_method="none",
    application_type="native",
    grant_types=(CODE,),
    redirect_uris=("http://localhost/docs",),
    scopes=APP.scopes,
)


def prepare(settings: config.Settings) -> None:
    """Make what is missing, and write the public keys where the guard looks for them."""
    import boto3  # here, for `make serve` reads this file too, and would start a quarter of a second later

    tables.ensure(boto3.client("dynamodb"), **settings.tables)
    svc = services.build(settings, seconds=PATIENT)
    keys.ensure(svc)
    if settings.mail_from:
        _verify_sender()
    if svc.users.find(email.canonical(ADDRESS)) is None:
        # Whoever may sign up here, and whatever a hook says, the demo user is there.
        anybody = replace(settings, sign_up="open", mail_domains=(), refused_mail_domains=(), hooks_file="")
        with redirect_stdout(StringIO()):  # the line of its event: the first that is read here is the welcome
            signup.sign_up(
                replace(svc, settings=anybody),
                address=ADDRESS,
                password=PASSWORD,
                name="Demo",
                device="make serve",
                agent=UserAgent(network="local", language="en"),
            )
    _register(svc)
    Path(settings.jwks_file).write_text(json.dumps({"keys": keys.published(svc)}))
    _let_ask(svc, config.read_json(settings.apis_file))


def _verify_sender() -> None:
    import boto3

    ses: Any = boto3.client("sesv2")
    with suppress(ses.exceptions.AlreadyExistsException):
        ses.create_email_identity(EmailIdentity=SENDER)


def _register(svc: Services) -> None:
    for client, secret in ((APP, ""), (DOCS, ""), (SERVICE, SERVICE_SECRET)):
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
