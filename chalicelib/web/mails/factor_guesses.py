from urllib.parse import urlencode

from ...domain.accounts.model import User
from ...domain.records.outbox import Mail
from ...flows.authentication import login
from ...services import Services
from .mail import Contents, MailKind


def _contents(svc: Services, _: User, mail: Mail) -> Contents:
    return Contents(f"{svc.settings.issuer}/account/forgot-password?{urlencode({'ui_locales': mail.language})}")


MAIL = MailKind(login.GUESSES, _contents)
