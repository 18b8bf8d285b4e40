"""What the local run starts from, in this process: the demo's clients are clients like any other."""

from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from chalicelib.config import Settings
from chalicelib.domain.oauth.client import Client
from chalicelib.flows.clients import authenticate as clients
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from local import demo
from local.preparation import APP, SERVICE, fill, prepare
from tests.support.browser import Browser, basic
from tests.support.phone import NETWORK, Phone


def is_vouched_for(phone: Phone) -> bool:
    """Whether a mistake of demo-app is told to it, and not on the page for clients that nobody vouches for."""
    uri = "http://127.0.0.1:5555/callback"
    answer = Browser(phone).get(
        "/oauth/authorize", {"client_id": "demo-app", "redirect_uri": uri, "response_type": "token"}
    )
    location = answer.header("Location") or ""
    return answer.status == 303 and location.startswith(f"{uri}?error=unsupported_response_type")


def test_the_demos_clients_are_vouched_for(svc: Services, phone: Phone) -> None:
    fill(svc)
    assert is_vouched_for(phone)


@pytest.mark.parametrize("policy", ["verified", "invitation", "closed"])
def test_the_demos_user_is_there_whoever_may_sign_up(svc: Services, phone: Phone, policy: str) -> None:
    fill(replace(svc, settings=replace(svc.settings, sign_up=policy, mail_domains=("example.net",))))
    phone.log_in(demo.ADDRESS, demo.PASSWORD)


@pytest.mark.parametrize("demand", [{"proof_of_work": "on"}, {"second_factor": "required"}], ids=str)
def test_the_demos_user_is_there_whatever_a_sign_up_takes(svc: Services, phone: Phone, demand: dict[str, str]) -> None:
    fill(replace(svc, settings=replace(svc.settings, **demand)))  # type: ignore[arg-type]
    phone.log_in(demo.ADDRESS, demo.PASSWORD)


def test_no_hook_keeps_the_demos_user_out(svc: Services, phone: Phone, tmp_path: Path) -> None:
    file = tmp_path / "hooks.py"
    file.write_text("def before_sign_up(event): raise ValueError\ndef before_login(event): raise ValueError\n")
    fill(replace(svc, settings=replace(svc.settings, hooks_file=str(file))))
    phone.log_in(demo.ADDRESS, demo.PASSWORD)


@pytest.mark.parametrize("client", [APP, SERVICE], ids=lambda client: client.client_id)
def test_so_are_those_that_an_earlier_run_left(svc: Services, client: Client) -> None:
    svc.clients.create(client)  # as it was once done, past the place where clients are made
    fill(svc)
    made = svc.clients.read(client.client_id)
    assert made is not None
    assert made.made_by_operator
    assert replace(made, created_at=0, version=client.version, secrets=()) == client


def test_a_second_start_changes_nothing_not_even_what_a_developer_has_changed(svc: Services) -> None:
    fill(svc)
    made = clients.find(svc, "demo-app", network=NETWORK)
    assert made is not None
    changed = manage.change(svc, made, replace(made, client_name="Mine"))
    fill(svc)
    assert clients.find(svc, "demo-app", network=NETWORK) == changed


def test_the_services_secret_is_the_one_that_is_told(svc: Services) -> None:
    fill(svc)
    header = basic("demo-service", demo.SERVICE_SECRET)
    assert clients.authenticate(svc, {}, header, network=NETWORK).client_id == "demo-service"


def test_tables_are_made_with_their_expiry_and_a_second_start_finds_them(aws: None, settings: Settings) -> None:  # noqa: ARG001
    there = replace(settings, amazon_client=True)
    for _ in range(2):
        prepare(there)
        for name in there.tables.values():
            expiry = boto3.client("dynamodb").describe_time_to_live(TableName=name)["TimeToLiveDescription"]
            assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
