from urllib.parse import urlencode, urlsplit

from ...domain.accounts.model import User
from ...domain.records.outbox import LoginMail, Mail
from ...flows.authentication import mailed_login
from ...flows.platform import sealing
from ...services import Services
from .mail import Contents, MailKind


def _contents(svc: Services, user: User, mail: Mail) -> Contents | None:
    link = mailed_login.link_of(svc, user, mail) if isinstance(mail, LoginMail) else None
    if link is None:
        return None
    query = urlencode({"token": sealing.seal(svc, link), "ui_locales": mail.language})
    return Contents(
        f"{svc.settings.issuer}/authorize/mailed?{query}",
        mailed_login.code(svc, link),
        code_for=urlsplit(svc.settings.issuer).hostname or "",
    )


MAIL = MailKind(mailed_login.MAIL, _contents, unauthenticated=True)
