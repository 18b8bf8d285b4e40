from urllib.parse import urlencode

from ...domain.accounts.model import User
from ...domain.records.outbox import EmailChangeMail, Mail
from ...flows.accounts import email_change
from ...flows.platform import sealing
from ...services import Services
from .mail import Contents, MailKind


def _contents(svc: Services, user: User, mail: Mail) -> Contents | None:
    change = email_change.change_of(svc, user, mail) if isinstance(mail, EmailChangeMail) else None
    if change is None:
        return None
    query = urlencode({"token": sealing.seal(svc, change), "ui_locales": mail.language})
    return Contents(f"{svc.settings.issuer}/account/change-email?{query}", email_change.code(svc, change))


MAIL = MailKind(email_change.MAIL, _contents)
