"""`./latchkey users`: the accounts of a stage, each by its e-mail address."""

import getpass
import json
import re
from typing import TYPE_CHECKING, Any

import click

from cli.target import with_services

if TYPE_CHECKING:
    from chalicelib.domain.accounts.model import User
    from chalicelib.services import Services

EMAIL = click.argument("email", metavar="EMAIL")
ROLE = re.compile(r"[!#-\[\]-~]{1,64}")
MAX_ROLES = 50  # they are in every access token of the user


@click.group("users")
def command() -> None:
    """The accounts of a stage."""


@command.command()
@EMAIL
@with_services
def find(svc: "Services", *, email: str) -> None:
    """Print an account."""
    _print(_find(svc, email))


@command.command()
@EMAIL
@with_services
def verify_email(svc: "Services", *, email: str) -> None:
    """Say that the address is its user's: `email_verified` in what clients are told from then on."""
    from chalicelib.flows.accounts import administration

    _print(_changed(administration.verify_email(svc, _find(svc, email)), email))


@command.command()
@EMAIL
@click.option("--language", default="en", show_default=True, help="The language of the mail.")
@with_services
def invite(svc: "Services", *, email: str, language: str) -> None:
    """Mail a link that makes an account with this address, once, within a week; also where nobody else may sign up."""
    from chalicelib.config import languages
    from chalicelib.flows.accounts import mailed_signup
    from cli.client_metadata import check_letters
    from cli.errors import CannotRunError
    from deploy import custom

    check_letters(email, what="The address")
    # A stage has those of this checkout's own texts, too: they went there with it.
    there = dict.fromkeys((*svc.settings.languages, *languages.tags_in(str(custom.folder() / custom.TEXTS))))
    if language not in there:
        raise CannotRunError(f"Mails are in {', '.join(there)}.")
    print(f"An invitation goes to {mailed_signup.invite(svc, address=email, language=language)}.")


@command.command()
@EMAIL
@click.option("--without-factors", is_flag=True, help="Who uses it loses the second factors: for a phone that is gone.")
@click.option("--mail", is_flag=True, help="Mail the usual link to the account's address, and print none.")
@click.option("--operator", default=getpass.getuser, help="Who you are, for the log (default: your user name here).")
@with_services
def link(svc: "Services", *, email: str, without_factors: bool, mail: bool, operator: str) -> None:
    """Print a link to a new password, good once and for 15 minutes: for who cannot get in and whom you know to be the owner.

    All sessions end when it is used. A second factor stays unless you say otherwise.
    """
    from urllib.parse import urlencode

    from chalicelib.flows.accounts import recovery
    from cli.client_metadata import check_letters
    from cli.errors import CannotRunError

    check_letters(operator, what="--operator")
    user = _find(svc, email)
    if user.disabled:
        raise CannotRunError("This account is disabled: no link opens it.")
    if mail:
        if without_factors:
            raise CannotRunError("A mailed link leaves the second factors: whoever reads the mail is asked for them.")
        recovery.mail_link(svc, user)
        print(f"A link goes to {user.email}.")
        return
    token = recovery.operator_link(svc, user, without_factors=without_factors, operator=operator[:100])
    print(f"{svc.settings.issuer}/account/reset-password?{urlencode({'token': token})}")


@command.command()
@EMAIL
@click.argument("names", nargs=-1, metavar="[ROLE]...")
@with_services
def roles(svc: "Services", *, email: str, names: tuple[str, ...]) -> None:
    """Replace the roles: those that are named, or none. Tokens have them from the next refresh on."""
    from chalicelib.flows.accounts import administration
    from cli.errors import CannotRunError

    if len(names) > MAX_ROLES or not all(ROLE.fullmatch(each) for each in names):
        raise CannotRunError(f"Roles are {MAX_ROLES} at most, of up to 64 letters without spaces and quotation marks.")
    _print(_changed(administration.set_roles(svc, _find(svc, email), tuple(dict.fromkeys(names))), email))


@command.command("attributes")
@EMAIL
@click.argument("assignments", nargs=-1, metavar="[NAME=VALUE]...")
@with_services
def set_attributes(svc: "Services", *, email: str, assignments: tuple[str, ...]) -> None:
    """Set attributes of LATCHKEY_ATTRIBUTES, or take away those without a value; numbers and lists as JSON has them."""
    from chalicelib.flows.accounts import account, administration

    user = _find(svc, email)
    if assignments:
        values = dict(_assignment(svc, each) for each in assignments)
        user = _changed(administration.set_attributes(svc, user, values), email)
    print(json.dumps(account.attributes(svc, user), indent=2, ensure_ascii=False))


@command.command("forget-devices")
@EMAIL
@with_services
def forget_devices(svc: "Services", *, email: str) -> None:
    """Have all remembered devices asked for every factor again. Sessions go on."""
    from chalicelib.domain.accounts.events import OPERATOR
    from chalicelib.flows.sessions import remembered_devices

    remembered_devices.forget_all(svc, _find(svc, email).uid, by=OPERATOR)


@command.command()
@EMAIL
@with_services
def disable(svc: "Services", *, email: str) -> None:
    """Close the account: nobody logs in to it any more, and all its sessions end."""
    from chalicelib.flows.accounts import administration

    user = _find(svc, email)
    if not user.disabled:
        administration.disable(svc, user)
    _print(_find(svc, email))


def _assignment(svc: "Services", text: str) -> tuple[str, Any]:
    from cli.client_metadata import check_letters
    from cli.errors import CannotRunError

    check_letters(text, what="The attribute")
    name, equals, value = text.partition("=")
    if not equals:
        raise CannotRunError(f"{text!r} is no NAME=VALUE.")
    kind, _, _ = svc.settings.attributes.get(name, ("string", "", 0))
    if not value or kind == "string":
        return name, value or None
    try:
        return name, json.loads(value)
    except ValueError:
        raise CannotRunError(f"{value!r} is no {kind} as JSON has it.") from None


def _find(svc: "Services", email: str) -> "User":
    from chalicelib.domain.accounts.email import canonical
    from cli.client_metadata import check_letters

    check_letters(email, what="The address")
    uid = svc.users.find(canonical(email))
    return _changed(svc.users.read(uid) if uid else None, email)


def _changed(user: "User | None", email: str) -> "User":
    from chalicelib.domain.errors import NotFound

    if user is None:
        raise NotFound(f"There is no account with the address {email!r} here.")
    return user


def _print(user: "User") -> None:
    members = {
        name: getattr(user, name)
        for name in (
            *("uid", "email", "email_verified", "name", "roles"),
            *("disabled", "created_at", "email_problem", "delete_after"),
        )
    }
    print(json.dumps(members, indent=2, ensure_ascii=False))
