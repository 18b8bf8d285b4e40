"""What a mail is made of, and how that looks in text and in HTML."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from ...config import Brand
from ...domain.accounts.model import User
from ...domain.records import outbox
from ...services import Services
from ..http import languages
from ..http.languages import Texts

DIRECTORY = Path(__file__).parent / "texts"


@dataclass(frozen=True, slots=True)
class Contents:
    """What one mail has besides its texts: where its button leads, and the code that it shows; "" for neither.

    `values` are what it says in the {places} of its lead, besides its address.
    `code_for` is the host on whose pages alone browsers are to offer the code.
    """

    link: str = ""
    code: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    code_for: str = ""

    @property
    def bound_code(self) -> str:
        """The code as browsers read it for a host (W3C WICG, Origin-bound one-time codes), "" for none; the last line."""
        return f"@{self.code_for} #{self.code}" if self.code_for else ""


@dataclass(frozen=True, slots=True)
class MailKind:
    """A kind of mail: its name, which its texts begin with, and what one of it has. None if it is not to be sent any more.

    The user is the account as it is when the mail is sent. A kind that somebody can ask for who is not logged in is
    `unauthenticated`: where mail has come back, or was unwanted, none is sent.
    """

    name: str
    contents: Callable[[Services, User, outbox.Mail], Contents | None]
    unauthenticated: bool = False


@dataclass(frozen=True, slots=True)
class FirstMailKind:
    """A kind of mail to an address that nobody has an account with, yet or any more."""

    name: str
    contents: Callable[[Services, outbox.Mail], Contents]


def texts(language: str, texts_folder: str = "") -> Texts:
    """All texts of one language, those of a deployment's own folder among them."""
    return languages.texts(DIRECTORY, "mails", language, texts_folder)


def subject(name: str, of_mail: Texts, brand: Brand) -> str:
    """The subject; it has no code, for a locked telephone shows it."""
    return of_mail[f"{name}.subject"].format(brand=brand.name)


def as_text(name: str, of_mail: Texts, brand: Brand, to: str, contents: Contents) -> str:
    """The mail as plain text."""
    lines = [of_mail[f"{name}.lead"].format(brand=brand.name, address=to, **contents.values)]
    if contents.link:
        lines += [of_mail[f"{name}.button"] + ":", contents.link]
    if contents.code:
        lines += [of_mail[f"{name}.code"], contents.code]
    bound_code = [contents.bound_code] if contents.bound_code else []
    return "\n\n".join([*lines, of_mail[f"{name}.otherwise"], f"-- \n{brand.name}", *bound_code]) + "\n"


def as_html(name: str, of_mail: Texts, brand: Brand, to: str, contents: Contents) -> str:
    """The mail as HTML: no script, no image but the brand's, and nothing that tells who reads it and when."""
    values = {place: _isolated(value) for place, value in {**contents.values, "address": to}.items()}
    parts = [_paragraph(escape(of_mail[f"{name}.lead"]).format(brand=escape(brand.name), **values))]
    if contents.link:
        style = f"background:{brand.colour};color:#fff;padding:12px 20px;border-radius:8px;text-decoration:none"
        link = f'<a href="{escape(contents.link)}" style="{style}">{escape(of_mail[f"{name}.button"])}</a>'
        parts.append(_paragraph(link))
    if contents.code:
        code = f'<span dir="ltr" style="font:600 24px monospace;letter-spacing:4px">{contents.code}</span>'
        parts += [_paragraph(escape(of_mail[f"{name}.code"])), _paragraph(code)]
    parts.append(f'<p style="color:#555;margin:16px 0">{escape(of_mail[f"{name}.otherwise"])}</p>')
    if contents.bound_code:
        parts.append(f'<p dir="ltr" style="color:#555;margin:16px 0">{escape(contents.bound_code)}</p>')
    tag, _, direction = of_mail.language
    return (
        f'<!doctype html>\n<html lang="{tag}" dir="{direction}"><head><meta charset="utf-8">'
        f"<title>{escape(subject(name, of_mail, brand))}</title></head>\n"
        '<body style="font:16px/1.5 system-ui,sans-serif;color:#111;background:#fff;margin:0">'
        f'<div style="max-width:480px;margin:0 auto;padding:24px">\n{_brand(brand)}\n' + "\n".join(parts) + "\n"
        "</div></body></html>\n"
    )


def _isolated(value: str) -> str:
    return f"<b><bdi>{escape(value)}</bdi></b>"


def _paragraph(content: str) -> str:
    return f'<p style="margin:16px 0">{content}</p>'


def _brand(brand: Brand) -> str:
    if brand.logo:
        return f'<img src="{escape(brand.logo)}" alt="{escape(brand.name)}" height="40">'
    return f'<p style="font-weight:600;color:{brand.colour}">{escape(brand.name)}</p>'
