"""`python -m local.clients`: the OAuth clients of a stage.

Metadata is given as `name=value`, by the names of chalicelib/domain/client.py; a list has spaces between its parts.
There is no list of all clients: each is found by its id alone, and a scan of the users table is not for a command to make.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from chalicelib.domain.client import KEPT_HERE, Client
from chalicelib.domain.errors import LatchkeyError, NotFound
from chalicelib.flows import clients
from chalicelib.services import Services
from local import environments
from local.deploy import in_one_line

PLAIN = asdict(Client(client_id=""))


class CannotReadError(Exception):
    """A piece of metadata that makes no sense; the message says which."""


def metadata(pairs: Iterable[str]) -> dict[str, Any]:
    """Metadata as it was typed, each value as the kind of thing that its name stands for."""
    return dict(_piece(*pair.partition("=")) for pair in pairs)


def _piece(name: str, equals: str, text: str) -> tuple[str, Any]:
    usual = PLAIN.get(name)
    if not equals or usual is None or name in KEPT_HERE:
        raise CannotReadError(f"{name!r}: give name=value, of {', '.join(sorted(PLAIN.keys() - set(KEPT_HERE)))}")
    try:
        if isinstance(usual, bool):
            return name, {"yes": True, "no": False}[text]
        if isinstance(usual, tuple):
            return name, tuple(text.split())
        return name, text if isinstance(usual, str) else json.loads(text)
    except (KeyError, ValueError):
        kind = "yes or no" if isinstance(usual, bool) else "JSON"
        raise CannotReadError(f"{name} is {kind}") from None


def found(svc: Services, client_id: str) -> Client:
    """The client by its id; raises NotFound."""
    client = svc.clients.read(client_id)
    if client is None:
        raise NotFound("There is no client by that id.")
    return client


def run(asked: argparse.Namespace, svc: Services) -> None:
    """Does one command and prints what became of the client."""
    if asked.command == "create":
        client, secret = clients.create(svc, Client(client_id=asked.id or "", **metadata(asked.metadata)))
        show(client, secret)
    elif asked.command == "show":
        show(found(svc, asked.id))
    elif asked.command == "change":
        client = found(svc, asked.id)
        named = metadata(asked.metadata)
        changed, secret = clients.with_secret(replace(client, **named))
        show(clients.change(svc, client, changed, named=named), secret)
    elif asked.command == "rotate-secret":
        secret = clients.rotate_secret(svc, found(svc, asked.id), keep_old=not asked.at_once)
        show(found(svc, asked.id), secret)
    else:
        clients.delete(svc, asked.id)
        print("Deleted. Its sessions end with their next refresh.")


def show(client: Client, secret: str = "") -> None:
    """Prints what is particular about a client, and its secret if that is new."""
    told = {name: value for name, value in asdict(client).items() if value != PLAIN[name] or name == "client_id"}
    told |= {name: "kept as a digest" for name in ("secrets", "registration_token") if name in told}
    print(json.dumps(told, indent=2))
    if secret:
        print(f"client_secret (told this once): {secret}")


def command_line() -> argparse.ArgumentParser:
    """The parser: create, show, change, rotate-secret, delete."""
    parser = argparse.ArgumentParser(
        prog="python -m local.clients", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
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
        environments.add_options(command)
        if name == "create":
            command.add_argument("--id", help="its client_id (default: a random one)")
        else:
            command.add_argument("id", help="its client_id")
        if name in ("create", "change"):
            command.add_argument("metadata", nargs="*", metavar="name=value")
    made["rotate-secret"].add_argument("--at-once", action="store_true", help="the old secret is good no longer")
    return parser


def main(arguments: list[str] | None = None, *, svc: Services | None = None) -> None:
    """Read the command line and do it."""
    asked = command_line().parse_args(arguments)
    try:
        in_one_line(lambda: run(asked, svc or environments.services_of(asked)))
    except LatchkeyError as refusal:
        sys.exit(refusal.description)
    except CannotReadError as error:
        sys.exit(f"{error}.")


if __name__ == "__main__":
    main()
