from ...flows.authentication import enrolment
from .mail import Contents, MailKind

MAIL = MailKind(enrolment.REMOVED, lambda *_: Contents())
