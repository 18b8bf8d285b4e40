from .mail import Contents, MailKind

MAIL = MailKind("password_changed", lambda *_: Contents())
