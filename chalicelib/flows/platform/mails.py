from ...domain.accounts.model import User
from ...domain.records.outbox import Mail
from ...services import Services, Write
from . import outbox


def mail(svc: Services, name: str, user: User, *, language: str) -> tuple[Write, ...]:
    """A mail to the address of an account, to be written with what it tells; nothing where that or the sender is missing."""
    if not svc.settings.mail_from or not user.email:
        return ()
    return (outbox.message(svc, Mail(name=name, uid=user.uid, to=user.email, language=language)),)
