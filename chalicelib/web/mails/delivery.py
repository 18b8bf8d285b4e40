from collections.abc import Mapping

import msgspec

from ... import mailer
from ...domain.accounts.model import User
from ...domain.records.outbox import Mail, Message
from ...flows.platform.outbox import NotDelivered
from ...services import Services
from ..http.languages import language_of
from . import (
    account_deleted,
    account_exists,
    change_email,
    deletion_scheduled,
    deletion_withdrawn,
    email_changed,
    email_code,
    factor_added,
    factor_guesses,
    factor_removed,
    guest_email,
    invitation,
    log_in,
    mail,
    new_device,
    own_text,
    password_changed,
    reset_password,
    sign_up,
    verify_email,
)
from .mail import Contents, FirstMailKind, MailKind

# A kind of mail is a file of this room, and a line here.
KINDS: tuple[MailKind | FirstMailKind, ...] = (
    account_deleted.MAIL,
    account_exists.MAIL,
    change_email.MAIL,
    deletion_scheduled.MAIL,
    deletion_withdrawn.MAIL,
    email_changed.MAIL,
    email_code.MAIL,
    factor_added.MAIL,
    factor_guesses.MAIL,
    factor_removed.MAIL,
    guest_email.MAIL,
    invitation.MAIL,
    log_in.MAIL,
    new_device.MAIL,
    password_changed.MAIL,
    reset_password.MAIL,
    sign_up.MAIL,
    verify_email.MAIL,
)
MAILS = {kind.name: kind for kind in KINDS}


def deliver(svc: Services, message_id: str, message: Mail) -> Mapping[str, Message]:
    """Sends a mail, unless its account is gone by now; raises NotDelivered."""
    settings, kind = svc.settings, MAILS[message.name]
    user = svc.users.read(message.uid) if isinstance(kind, MailKind) else None
    # Their own language before that of the request, which may be a stranger's; of a profile it may be any text.
    locale = user.claims.get("locale", "") if user else ""
    language = language_of(settings.languages, f"{locale} {message.language}", "")
    message = msgspec.structs.replace(message, language=language)
    contents = _contents(svc, kind, user, message)
    if contents is None:
        return {}
    of_mail = (message.name, mail.texts(language, settings.texts_folder), settings.brand)
    own = own_text.of_hook(svc, message_id, message, language, contents)
    subject, text, html = own or (
        mail.subject(*of_mail),
        mail.as_text(*of_mail, message.to, contents),
        mail.as_html(*of_mail, message.to, contents),
    )
    try:
        mailer.send(
            sender=svc.settings.mail_from,
            to=message.to,
            subject=subject,
            text=text,
            html=html,
            headers=_headers(message_id),
            configuration_set=svc.settings.ses_configuration_set,
        )
    except mailer.NotSentError as failure:
        raise NotDelivered("SES", str(failure)) from None
    return {}


def _contents(svc: Services, kind: MailKind | FirstMailKind, user: User | None, message: Mail) -> Contents | None:
    if isinstance(kind, FirstMailKind):
        return kind.contents(svc, message)
    if user is None or (kind.unauthenticated and user.email_problem):
        return None
    return kind.contents(svc, user, message)


def _headers(message_id: str) -> dict[str, str]:
    return {
        # No holiday answers to it (RFC 3834 section 5).
        "Auto-Submitted": "auto-generated",
        # Mailboxes file mails of one subject together and hide the newest; one that refers to none stays by itself.
        "References": f"<{message_id}@latchkey.invalid>",
    }
