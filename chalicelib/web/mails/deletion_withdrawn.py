from ...flows.sessions import kept_account
from .mail import Contents, MailKind

MAIL = MailKind(kept_account.MAIL, lambda *_: Contents())
