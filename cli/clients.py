"""`./latchkey clients`: the OAuth clients of a stage."""

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from cli.target import with_services

if TYPE_CHECKING:
    from chalicelib.domain.oauth.client import Client
    from chalicelib.services import Services

HEADINGS = ("Client", "Name", "Made by", "Authenticates", "Grants", "Scopes", "Beyond the usual")
CLIENT_ID = click.argument("client_id", metavar="ID")
METADATA = click.argument("metadata", nargs=-1, metavar="[NAME=VALUE]...")
FOR = click.option("--for", "product", metavar="NAME", help="End with the settings of a product (docs/clients.md).")
NEW_SCOPES = click.option("--new-scopes", is_flag=True, help="Take scopes that nothing here knows yet.")


@click.group("clients")
def command() -> None:
    """The OAuth clients of a stage.

    Metadata is given as NAME=VALUE, by the names of chalicelib/domain/oauth/client.py; a list has spaces between its
    parts.
    """


@command.command()
@METADATA
@click.option("--id", "client_id", default="", metavar="ID", help="Its client_id (default: a random one).")
@click.option("--url", default="", help="Where that product is (default: as it says itself).")
@FOR
@NEW_SCOPES
@with_services
def create(
    svc: "Services", *, metadata: tuple[str, ...], client_id: str, product: str | None, url: str, new_scopes: bool
) -> None:
    """Register a client; print its id and, once, its secret. For a product it has what that one needs."""
    from chalicelib.domain.oauth.client import Client
    from chalicelib.flows.clients import manage
    from cli import recipes
    from cli.client_metadata import check_letters

    check_letters(client_id, what="The id")
    if url and not product:
        raise click.UsageError("--url says where the product of --for is: give both.")
    typed = recipes.read(product).metadata(metadata, url=url) if product else metadata
    client, secret = manage.create(svc, Client(client_id=client_id, **_read(svc, typed, new_scopes=new_scopes)))
    _print(svc, client, secret, product=product)


@command.command()
@CLIENT_ID
@FOR
@with_services
def show(svc: "Services", *, client_id: str, product: str | None) -> None:
    """Print a client."""
    _print(svc, _find(svc, client_id), product=product)


@command.command("list")
@with_services
def list_clients(svc: "Services") -> None:
    """Show all clients, and what each is allowed beyond the usual. It reads the whole users table."""
    from cli.drawing import print_rows

    clients = sorted(_all(svc), key=lambda client: client.client_id)
    if clients:
        print_rows(HEADINGS, [_row(each) for each in clients])
        click.echo("`./latchkey clients show ID --for NAME` has the settings of a product: docs/clients.md.", err=True)
    else:
        print("No clients yet: `./latchkey clients create` makes one.")


@command.command()
@CLIENT_ID
@METADATA
@NEW_SCOPES
@with_services
def change(svc: "Services", *, client_id: str, metadata: tuple[str, ...], new_scopes: bool) -> None:
    """Replace some of a client's metadata."""
    from chalicelib.flows.clients import manage

    client = _find(svc, client_id)
    values = _read(svc, metadata, new_scopes=new_scopes, earlier=client.scopes)
    changed, secret = manage.with_secret(replace(client, **values))
    _print(svc, manage.change(svc, client, changed, named=values), secret)


@command.command()
@CLIENT_ID
@click.option("--at-once", is_flag=True, help="The old secret is good no longer.")
@with_services
def rotate_secret(svc: "Services", *, client_id: str, at_once: bool) -> None:
    """Make a new secret; the old one stays good until the next rotation."""
    from chalicelib.flows.clients import manage

    secret = manage.rotate_secret(svc, _find(svc, client_id), keep_old=not at_once)
    _print(svc, _find(svc, client_id), secret)


@command.command()
@CLIENT_ID
@click.option("--for", "product", metavar="NAME", help="Compare it with what a product needs (docs/clients.md).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@with_services
def doctor(svc: "Services", *, client_id: str, product: str | None, as_json: bool) -> None:
    """Say why a client is refused: its last refusals, what holds for it, and what of it can't work."""
    from cli import client_doctor

    client = client_doctor.of_document(svc, client_id) or _find(svc, client_id)
    diagnosis = client_doctor.diagnose(svc, client, product=product)
    print(json.dumps(diagnosis, indent=2) if as_json else client_doctor.text(diagnosis))


@command.command()
@CLIENT_ID
@with_services
def delete(svc: "Services", *, client_id: str) -> None:
    """Remove a client for good."""
    from chalicelib.flows.clients import manage

    manage.delete(svc, _find(svc, client_id).client_id)
    print("Deleted. Its sessions end with their next refresh.")


def _read(svc: "Services", typed: Iterable[str], *, new_scopes: bool, earlier: Iterable[str] = ()) -> dict[str, Any]:
    from cli import client_metadata

    values = client_metadata.metadata(typed)
    if not new_scopes:
        client_metadata.check_scopes(svc, values, earlier=earlier)
    client_metadata.check_resources(svc, values)
    return values


def _find(svc: "Services", client_id: str) -> "Client":
    from chalicelib.domain.errors import NotFound
    from cli.client_metadata import check_letters

    check_letters(client_id, what="The id")
    client = svc.clients.read(client_id)
    if client is None:
        raise NotFound(f"There is no client {client_id!r} here.")
    return client


def _all(svc: "Services") -> list["Client"]:
    # Here and not in the store, whose verbs the routes have the rights for: none of them scans a table.
    from chalicelib.store.aws.boto3_transport import boto3_transport
    from chalicelib.store.aws.client import PATIENT, AwsClient
    from chalicelib.store.clients import from_item

    pages = AwsClient(boto3_transport("dynamodb", seconds=PATIENT)).pages(
        "Scan",
        TableName=svc.settings.users_table,
        FilterExpression="sk = :client",
        ExpressionAttributeValues={":client": {"S": "client"}},
        ConsistentRead=True,
    )
    return [from_item(item) for page in pages for item in page["Items"]]


def _row(client: "Client") -> tuple[str, ...]:
    from chalicelib.domain.oauth.client import PRIVILEGES

    profile = [f"security_profile={client.security_profile}"] if client.fapi else []
    grants = " ".join(each.rpartition(":")[2] for each in client.grant_types)
    waived = [f"{name}=no" for name in client.waivers]
    beyond = [*profile, *waived, *(name for name in PRIVILEGES if getattr(client, name))]
    made_by = "operator" if client.made_by_operator else "itself"
    method = client.token_endpoint_auth_method
    return client.client_id, client.client_name, made_by, method, grants, " ".join(client.scopes), " ".join(beyond)


def _print(svc: "Services", client: "Client", secret: str = "", *, product: str | None = None) -> None:
    """Print all that holds for a client, what it has not chosen too, its secret if that is new, and a product's recipe."""
    from chalicelib.flows.sessions import lifetimes
    from cli import client_doctor, recipes

    digests = {name: "kept as a digest" for name in ("secrets", "registration_token") if getattr(client, name)}
    print(json.dumps({**asdict(client), **lifetimes.of_client(svc, client), **digests}, indent=2))
    for warning in client_doctor.warnings(svc, client):
        click.echo(warning, err=True)
    if secret:
        print(f"client_secret (told this once): {secret}")
    if product:
        print(f"\n{recipes.text(recipes.read(product), svc.settings.issuer, client, secret)}")
