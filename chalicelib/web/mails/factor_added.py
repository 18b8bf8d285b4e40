from ...flows.authentication import enrolment
from .mail import Contents, MailKind

MAIL = MailKind(enrolment.ADDED, lambda *_: Contents())
