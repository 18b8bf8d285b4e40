from urllib.parse import urlencode

from ...domain.records.outbox import Mail
from ...flows.accounts import mailed_signup
from ...services import Services
from .mail import Contents, FirstMailKind


def _contents(svc: Services, mail: Mail) -> Contents:
    query = urlencode({"token": mailed_signup.link(svc, mail.to, invitation=True), "ui_locales": mail.language})
    return Contents(f"{svc.settings.issuer}/account/sign-up?{query}")


MAIL = FirstMailKind(mailed_signup.INVITATION, _contents)
