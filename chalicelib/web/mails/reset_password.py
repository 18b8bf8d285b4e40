from urllib.parse import urlencode

from ...domain.accounts.model import User
from ...domain.records.outbox import Mail
from ...flows.accounts import recovery
from ...services import Services
from .mail import Contents, MailKind


def _contents(svc: Services, user: User, mail: Mail) -> Contents | None:
    if user.disabled or user.email != mail.to:
        return None
    query = urlencode({"token": recovery.link(svc, user), "ui_locales": mail.language})
    return Contents(f"{svc.settings.issuer}/account/reset-password?{query}")


MAIL = MailKind(recovery.MAIL, _contents, unauthenticated=True)
