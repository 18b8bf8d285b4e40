from urllib.parse import urlencode

from ...domain.accounts.model import User
from ...domain.records.outbox import Mail
from ...flows.accounts import email_change
from ...services import Services
from .mail import Contents, MailKind


def _contents(svc: Services, user: User, mail: Mail) -> Contents | None:
    if user.email == mail.to:
        return None
    if user.previous_email != mail.to:
        return Contents()  # one between: the undo is the right of the address before it
    query = urlencode({"token": email_change.undo_link(svc, user), "ui_locales": mail.language})
    return Contents(f"{svc.settings.issuer}/account/undo-email-change?{query}")


MAIL = MailKind(email_change.NOTICE, _contents)
