"""The pages that are for who is logged in, as they are declared, and what an account needs so that each shows its forms."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from chalicelib.domain.accounts.events import EVENTS, Event
from chalicelib.domain.authentication.user_agent import UserAgent
from chalicelib.domain.oauth.client import Client
from chalicelib.flows.accounts import mail_problems
from chalicelib.flows.authentication import api_login
from chalicelib.flows.authentication.factors import recovery_code
from chalicelib.services import Services
from chalicelib.web.metadata.apis import operations
from tests.support.phone import NETWORK, PASSWORD

AGENT = UserAgent(network=NETWORK, language="en")
PATHS = [each.path for each in operations() if each.logged_in and each.method == "GET"]
FRESH = {each.path for each in operations() if each.fresh and each.method == "GET"}
FRESH_FORMS = {each.path for each in operations() if each.fresh and each.method == "POST"}
FORMS = [each.path for each in operations() if each.logged_in and each.method == "POST"]


def sessions_on_devices(svc: Services, email: str) -> None:
    """Sessions with a name, with the longest, and with none."""
    for device in ("Layla\u2019s phone", "a tablet with a name of a hundred characters ".ljust(100, "x"), ""):
        api_login.with_password(svc, address=email, password=PASSWORD, agent=AGENT, device=device)


def recovery_codes(svc: Services, email: str) -> None:
    """A factor that no login asks for, so that the password still logs in."""
    user = svc.users.read(svc.users.find(email) or "")
    assert user
    factor, _ = recovery_code.new_codes(svc, user)
    assert svc.transactions.commit(svc.factors.enrolment(user, factor)) is None


def bounced(svc: Services, email: str) -> None:
    """An address to which mail came back, and another one that waits to be confirmed."""
    assert mail_problems.note(svc, email, "bounce")
    user = svc.users.read(svc.users.find(email) or "")
    assert user
    until, version = svc.now() + 3600, user.token_version
    waiting = replace(user, pending_email="new@example.com", pending_email_until=until, pending_email_version=version)
    assert svc.transactions.commit(svc.users.email_change_request(user, waiting)) is None


def allowed_app(svc: Services, email: str) -> None:
    """An application that may use the account, with scopes of ours and one without a text."""
    client = Client(client_id="garden", client_name="Garden Planner", scopes=("openid", "email", "plants"))
    svc.clients.create(client)
    user = svc.users.read(svc.users.find(email) or "")
    assert user
    assert svc.clients.remember_consent(user, "garden", client.scopes, since=0, now=svc.now())


def activity(svc: Services, email: str) -> None:
    """An event of each kind that is kept, from a browser, by an application and by an operator."""
    uid = svc.users.find(email) or ""
    kept = [name for name, kind in EVENTS.items() if kind.kept]
    where: dict[str, Any] = {
        "network": "2001:db8:0:1::/64",
        "browser": "Firefox",
        "system": "Windows",
        "client": "garden",
    }
    events = [Event(id=name, type=name, at=svc.now(), factor="totp", **where) for name in kept]
    events += [Event(id="operator", type="roles_changed", at=svc.now(), by="operator")]
    events += [Event(id="new", type="login", at=svc.now() - 3000, device="new", system="iOS", network="192.0.2.1")]
    svc.transactions.commit(svc.events.addition(uid, tuple(events), seconds=86400, now=svc.now()))


# By path, for the account with an e-mail address and the password of everybody here; most pages need nothing.
STATES: Mapping[str, Callable[[Services, str], None]] = {
    "/account/sessions": sessions_on_devices,
    "/account/factors": recovery_codes,
    "/account/email": bounced,
    "/account/apps": allowed_app,
    "/account/activity": activity,
}


def prepare(svc: Services, email: str) -> None:
    """Brings an account into a state in which every page shows all of its forms."""
    for prepare_for_page in STATES.values():
        prepare_for_page(svc, email)
