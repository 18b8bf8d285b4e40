"""`./latchkey keys`: the keys of a stage, and rotating them by hand; by itself it happens when they are due."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cli.target import with_services

if TYPE_CHECKING:
    from chalicelib.domain.crypto.keyset import KeySet
    from chalicelib.services import Services

HEADINGS = ("Key", "Number", "State", "Since or until", "Algorithm", "Kid")


class Seconds(click.ParamType[int]):
    """A length of time as it is typed."""

    name = "seconds"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seconds; refuse what is no whole number."""
        if not value.isdecimal():
            self.fail(f"{value!r}: it is seconds, a whole number", param, ctx)
        return int(value)


@click.group("keys")
def command() -> None:
    """The keys of a stage.

    They are rotated by themselves when they are due; `rotate` does it by hand.
    """


@command.command("list")
@with_services
def list_keys(svc: "Services") -> None:
    """Show the keys and their states."""
    _print(svc.keys.read(svc.now()), svc.now())


@command.command()
@click.option("--at-once", is_flag=True, help="Whether or not they are due.")
@click.option(
    "--lead",
    type=Seconds(),
    help="Seconds from now until they sign; verifiers must have read them by then (default: a day).",
)
@with_services
def rotate(svc: "Services", *, at_once: bool, lead: int | None) -> None:
    """Publish successors of keys that are due, delete spent ones."""
    from chalicelib.flows.platform import keys

    before = svc.keys.read(svc.now())
    after = keys.rotate(svc, lead=keys.LEAD_SECONDS if lead is None else lead, at_once=at_once)
    _print(after, svc.now())
    if _numbers(after) == _numbers(before):
        print("Nothing was due.")


def _print(keyset: "KeySet", now: int) -> None:
    from cli.drawing import print_rows

    if table := rows(keyset, now):
        print_rows(HEADINGS, table)
    else:
        print("No keys yet: the first deployment or the first login makes them.")


def rows(keyset: "KeySet", now: int) -> list[tuple[str, ...]]:
    """One row a key: kind, number, state, since, from or until when, and for a signing key its algorithm and kid."""
    signing = [
        ("signing", str(key.number), keyset.state(key, now).value, _date(key.active_at), key.algorithm, key.kid)
        for key in keyset.signing
    ]
    maker = keyset.handle_key(now) if keyset.refresh else None
    refresh = []
    for key in keyset.refresh:
        state = "active" if key is maker else "next" if key.active_at > now else "retiring"
        refresh.append(("refresh", str(key.number), state, _date(key.active_at), "", ""))
    retired = [("retired", "", "until", _date(key.until), key.jwk["alg"], key.jwk["kid"]) for key in keyset.retired]
    return [*signing, *refresh, *retired]


def _date(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"


def _numbers(keyset: "KeySet") -> tuple[list[int], list[int]]:
    """The numbers of all keys: a rotation changes them, for it never gives a new key the number of one that is there."""
    return [key.number for key in keyset.signing], [key.number for key in keyset.refresh]
