from ...domain.accounts.model import User
from ...domain.records.outbox import EmailChangeMail, Mail
from ...flows.accounts import email_change
from ...services import Services
from .mail import Contents, MailKind


def _contents(svc: Services, user: User, mail: Mail) -> Contents | None:
    change = email_change.change_of(svc, user, mail) if isinstance(mail, EmailChangeMail) else None
    # Anybody can be a guest: a link that somebody else presses would give theirs this address, with its mail read once.
    return Contents(code=email_change.code(svc, change)) if change else None


MAIL = MailKind(email_change.GUEST_MAIL, _contents)
