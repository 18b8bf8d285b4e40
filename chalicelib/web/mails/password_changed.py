from ...flows.accounts import password_rules
from .mail import Contents, MailKind

MAIL = MailKind(password_rules.CHANGED, lambda *_: Contents())
