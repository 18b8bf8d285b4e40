"""`python -m cli.keys`: the keys of a stage, and rotating them by hand; by itself it happens when they are due."""

import argparse
from datetime import UTC, datetime

from chalicelib.domain.crypto.keyset import KeySet
from chalicelib.flows.platform import keys
from chalicelib.services import Services
from cli import target
from deploy.errors import in_one_line


def table(keyset: KeySet, now: int) -> list[str]:
    """One line a key: kind, number, state, since, from or until when, and for a signing key its algorithm and kid."""
    rows: list[tuple[str, int | str, str, int, str]] = [
        ("signing", key.number, keyset.state(key, now).value, key.active_at, f"{key.algorithm}  {key.kid}")
        for key in keyset.signing
    ]
    maker = keyset.handle_key(now) if keyset.refresh else None
    for refresh in keyset.refresh:
        state = "active" if refresh is maker else "next" if refresh.active_at > now else "retiring"
        rows.append(("refresh", refresh.number, state, refresh.active_at, ""))
    rows += [("retired", "", "until", key.until, f"{key.jwk['alg']}  {key.jwk['kid']}") for key in keyset.retired]
    return [
        f"{kind}  {number:>3}  {state:<8}  {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z  {more}".rstrip()
        for kind, number, state, at, more in rows
    ]


def numbers(keyset: KeySet) -> tuple[list[int], list[int]]:
    """The numbers of all keys: a rotation changes them, for it never gives a new key the number of one that is there."""
    return [key.number for key in keyset.signing], [key.number for key in keyset.refresh]


def run(asked: argparse.Namespace, svc: Services) -> None:
    """Lists the keys, after rotating them if that is asked for."""
    before = svc.keys.read(svc.now())
    after = keys.rotate(svc, lead=asked.lead, at_once=asked.at_once) if asked.command == "rotate" else before
    print("\n".join(table(after, svc.now())) or "No keys yet: the first deployment or the first login makes them.")
    if asked.command == "rotate" and numbers(after) == numbers(before):
        print("Nothing was due.")


def command_line() -> argparse.ArgumentParser:
    """The parser: list, rotate."""
    parser = argparse.ArgumentParser(prog="python -m cli.keys", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="show the keys and their states")
    rotating = commands.add_parser("rotate", help="publish successors of keys that are due, delete spent ones")
    for command in (listing, rotating):
        target.add_options(command)
    listing.set_defaults(at_once=False, lead=0)
    rotating.add_argument("--at-once", action="store_true", help="whether or not they are due")
    rotating.add_argument(
        "--lead",
        type=_seconds,
        default=keys.LEAD_SECONDS,
        help="seconds from now until they sign; verifiers must have read them by then (default: a day)",
    )
    return parser


def _seconds(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: it is seconds, a whole number")
    return int(text)


def main(arguments: list[str] | None = None, *, svc: Services | None = None) -> None:
    """Read the command line and do it."""
    asked = command_line().parse_args(arguments)
    in_one_line(lambda: run(asked, svc or target.services_of(asked)))


if __name__ == "__main__":
    main()
