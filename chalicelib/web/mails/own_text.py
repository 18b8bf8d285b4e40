"""A mail in the operator's own words, by their hook: it does not see the link and the code, which are put in here."""

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from ...domain.records import outbox
from ...flows.platform import hooks, notes
from ...services import Services
from ..http import request_log
from .mail import Contents

if TYPE_CHECKING:
    from ...hooks import MailKind

MAX_SUBJECT, MAX_BODY = 200, 50_000
LINK, CODE = "{link}", "{code}"


class OwnText(NamedTuple):
    """What is sent."""

    subject: str
    text: str
    html: str


def of_hook(svc: Services, message_id: str, message: outbox.Mail, language: str, contents: Contents) -> OwnText | None:
    """What the hook makes of a mail; None for the usual one, which is sent too where the hook fails."""

    def event(_: str) -> "MailKind":
        from ...hooks import MailKind

        return MailKind(
            id=message_id, name=message.name, language=language, link=bool(contents.link), code=bool(contents.code)
        )

    answer = hooks.after(svc, "mail", event)
    own = _filled(answer, contents) if answer is not None else None
    if answer is not None and own is None:
        notes.note("hook mail: answers no mail that could be sent")
    for each in notes.take():
        request_log.write(level="warning", failure="hook", message=message_id, reason=each)
    return own


def _filled(answer: object, contents: Contents) -> OwnText | None:
    from ...hooks import Mail

    if not isinstance(answer, Mail) or not all(
        isinstance(each, str) for each in (answer.subject, answer.text, answer.html)
    ):
        return None
    bodies = [each for each in (answer.text, answer.html) if each]
    places = [place for place, value in ((LINK, contents.link), (CODE, contents.code)) if value]
    has_way_on = all(not places or any(place in body for place in places) for body in bodies)
    # A locked telephone shows the subject.
    fit = 0 < len(answer.subject) <= MAX_SUBJECT and not any(place in answer.subject for place in (LINK, CODE))
    if not answer.text or not has_way_on or not fit or any(len(each) > MAX_BODY for each in bodies):
        return None
    if hooks.NOT_ONE_LINE.search(answer.subject):
        return None
    text = answer.text.replace(LINK, contents.link).replace(CODE, contents.code)
    html = answer.html.replace(LINK, escape(contents.link)).replace(CODE, escape(contents.code))
    bound_code = f"\n\n{contents.bound_code}\n" if contents.bound_code and CODE in answer.text else ""
    return OwnText(answer.subject, text.rstrip("\n") + bound_code if bound_code else text, html)
