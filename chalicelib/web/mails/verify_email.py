from urllib.parse import urlencode

from ...domain.accounts.model import User
from ...domain.records.outbox import Mail
from ...flows.accounts import verification
from ...services import Services
from .mail import Contents, MailKind


def _contents(svc: Services, user: User, mail: Mail) -> Contents | None:
    if not verification.is_due(user) or user.email != mail.to:
        return None
    query = urlencode({"token": verification.link(svc, user), "ui_locales": mail.language})
    return Contents(f"{svc.settings.issuer}/account/verify-email?{query}", verification.code(svc, user))


MAIL = MailKind(verification.MAIL, _contents)
