from urllib.parse import urlsplit

from ...domain.accounts.model import User
from ...domain.records.outbox import LoginMail, Mail
from ...flows.authentication.factors import email_code
from ...services import Services
from .mail import Contents, MailKind


def _contents(svc: Services, user: User, mail: Mail) -> Contents | None:
    if not isinstance(mail, LoginMail) or user.disabled or user.email != mail.to or svc.now() >= mail.expires_at:
        return None
    host = urlsplit(svc.settings.issuer).hostname or ""
    return Contents(code=email_code.code(svc, user, attempt_id=mail.attempt_id), code_for=host)


MAIL = MailKind(email_code.MAIL, _contents)
