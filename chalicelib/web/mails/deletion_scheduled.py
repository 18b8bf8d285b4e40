import time
from urllib.parse import urlencode

from ...domain.accounts.model import User
from ...domain.records.outbox import Mail
from ...flows.accounts import deletion
from ...services import Services
from .mail import Contents, MailKind


def _contents(svc: Services, user: User, mail: Mail) -> Contents | None:
    if not user.delete_after or user.email != mail.to:
        return None  # they want to keep it by now
    values = {"time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(user.delete_after))}
    query = urlencode({"ui_locales": mail.language})
    return Contents(f"{svc.settings.issuer}/authorize/login?{query}", values=values)


MAIL = MailKind(deletion.SCHEDULED, _contents)
