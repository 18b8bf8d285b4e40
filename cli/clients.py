"""`python -m cli.clients`: the OAuth clients of a stage.

Metadata is given as `name=value`, by the names of chalicelib/domain/oauth/client.py; a list has spaces between its parts.
There is no list of all clients: each is found by its id alone, and a scan of the users table is not for a command to make.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from chalicelib.config import registered_apis
from chalicelib.domain.errors import LatchkeyError, NotFound
from chalicelib.domain.oauth import scopes
from chalicelib.domain.oauth.claims import OPENID_SCOPES
from chalicelib.domain.oauth.client import Client
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from cli import target
from cli.client_metadata import USUAL, CannotReadError, check_letters, meant, metadata
from deploy.errors import in_one_line

URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#]+")


def found(svc: Services, client_id: str) -> Client:
    """The client by its id; raises NotFound."""
    client = svc.clients.read(client_id)
    if client is None:
        raise NotFound(f"There is no client {client_id!r} here.")
    return client


def check_scopes(svc: Services, named: Mapping[str, Any], *, had: Iterable[str] = ()) -> None:
    """Raises CannotReadError for a scope that no login can ask for and no API needs: it is most likely misspelt."""
    apis = registered_apis(svc.settings.apis_file).values()
    known = {
        *OPENID_SCOPES,
        *svc.settings.scopes,
        *svc.settings.self_registered_scopes,
        *(scope for api in apis for scope in scopes.needed(api["scopes"])),
        *had,
    }
    for scope in named.get("scopes", ()):
        if scope not in known:
            raise CannotReadError(
                f"scopes={scope}: nothing here knows it{meant(scope, known)} "
                f"There are {', '.join(sorted(known))}; --new-scopes takes others."
            )


def check_resources(svc: Services, named: Mapping[str, Any]) -> None:
    """Raises CannotReadError for what no request can name: it is no URI (RFC 8707), nor what an API here is called."""
    for each in named.get("resources", ()):
        if not URI.fullmatch(each) and each not in svc.settings.audiences:
            raise CannotReadError(f"resources={each}: it is a URI without a fragment, like https://api.example.")


def run(asked: argparse.Namespace, svc: Services) -> None:
    """Does one command and prints what became of the client."""
    check_letters(asked.id or "", what="The id")
    if asked.command == "create":
        named = metadata(asked.metadata)
        if not asked.new_scopes:
            check_scopes(svc, named)
        check_resources(svc, named)
        client, secret = manage.create(svc, Client(client_id=asked.id or "", **named))
        show(client, secret)
    elif asked.command == "show":
        show(found(svc, asked.id))
    elif asked.command == "change":
        client = found(svc, asked.id)
        named = metadata(asked.metadata)
        if not asked.new_scopes:
            check_scopes(svc, named, had=client.scopes)
        check_resources(svc, named)
        changed, secret = manage.with_secret(replace(client, **named))
        show(manage.change(svc, client, changed, named=named), secret)
    elif asked.command == "rotate-secret":
        secret = manage.rotate_secret(svc, found(svc, asked.id), keep_old=not asked.at_once)
        show(found(svc, asked.id), secret)
    else:
        manage.delete(svc, found(svc, asked.id).client_id)
        print("Deleted. Its sessions end with their next refresh.")


def show(client: Client, secret: str = "") -> None:
    """Prints what is particular about a client, and its secret if that is new."""
    told = {name: value for name, value in asdict(client).items() if value != USUAL[name] or name == "client_id"}
    told |= {name: "kept as a digest" for name in ("secrets", "registration_token") if name in told}
    print(json.dumps(told, indent=2))
    if secret:
        print(f"client_secret (told this once): {secret}")


def command_line() -> argparse.ArgumentParser:
    """The parser: create, show, change, rotate-secret, delete."""
    parser = argparse.ArgumentParser(
        prog="python -m cli.clients", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    made = {
        name: commands.add_parser(name, help=told)
        for name, told in {
            "create": "register a client; prints its id and, once, its secret",
            "show": "print a client",
            "change": "replace some of a client's metadata",
            "rotate-secret": "a new secret; the old one stays good until the next rotation",
            "delete": "remove a client for good",
        }.items()
    }
    for name, command in made.items():
        target.add_options(command)
        if name == "create":
            command.add_argument("--id", help="its client_id (default: a random one)")
        else:
            command.add_argument("id", help="its client_id")
        if name in ("create", "change"):
            command.add_argument("metadata", nargs="*", metavar="name=value")
            command.add_argument("--new-scopes", action="store_true", help="take scopes that nothing here knows yet")
    made["rotate-secret"].add_argument("--at-once", action="store_true", help="the old secret is good no longer")
    return parser


def main(arguments: list[str] | None = None, *, svc: Services | None = None) -> None:
    """Read the command line and do it."""
    asked = command_line().parse_args(arguments)
    try:
        in_one_line(lambda: run(asked, svc or target.services_of(asked)))
    except LatchkeyError as refusal:
        sys.exit(refusal.description)
    except CannotReadError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
