from urllib.parse import urlencode

from ...domain.accounts.model import User
from ...domain.records.outbox import Mail
from ...flows.accounts import mailed_signup
from ...services import Services
from .mail import Contents, MailKind


def _contents(svc: Services, user: User, mail: Mail) -> Contents | None:
    if user.disabled or user.email != mail.to:
        return None
    return Contents(f"{svc.settings.issuer}/authorize/login?{urlencode({'ui_locales': mail.language})}")


MAIL = MailKind(mailed_signup.ACCOUNT_EXISTS, _contents, unauthenticated=True)
