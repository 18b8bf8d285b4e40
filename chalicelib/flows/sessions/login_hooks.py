"""What the operator's own functions are asked and told of logins."""

from typing import TYPE_CHECKING

from ...domain.authentication.model import Authenticated
from ...services import Services
from ..platform import hooks

if TYPE_CHECKING:
    from ...hooks import Login


def before_login(svc: Services, login: Authenticated, client_id: str) -> None:
    """Asks whether a login may be finished whose user has proved all that it needs; raises Refused."""
    hooks.check(svc, "before_login", lambda event_id: _login(event_id, login, client_id), uid=login.user.uid)


def after_login(svc: Services, login: Authenticated, client_id: str) -> None:
    """Tells of a session that a login has begun, and not of what its user begins inside that."""
    if login.agent:
        hooks.after(svc, "after_login", lambda event_id: _login(event_id, login, client_id))


def _login(event_id: str, login: Authenticated, client_id: str) -> "Login":
    from ...hooks import Login

    return Login(
        id=event_id,
        user=hooks.as_user(login.user),
        client_id=client_id,
        amr=login.amr,
        level=login.acr,
        network=login.agent.network if login.agent else "",
        language=login.agent.language if login.agent else "",
    )
