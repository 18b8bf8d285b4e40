"""Pages: the frame around every template, in the reader's language and the operator's brand, and the headers they need."""

import time
from base64 import b64encode
from functools import lru_cache, partial
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ...config import Settings
from ...domain.oauth.client import host_of
from ..http import languages, plurals
from ..http.answers import Answer
from ..http.languages import Texts
from . import stylesheet

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

DIRECTORY = Path(__file__).parent


def _script(name: str) -> str:
    """A script as pages have it inside: without indentation, and without lines that say what the next ones do."""
    lines = map(str.strip, (DIRECTORY / "static" / name).read_text().splitlines())
    return "\n".join(line for line in lines if not line.startswith("// "))


# It saves a click on the page that posts an answer back to a client.
SUBMIT = "document.forms[0].submit()"
SUBMIT_HASH = b64encode(sha256(SUBMIT.encode()).digest()).decode()
# What a browser works before a password is looked at; it asks nobody for anything.
WORK = (DIRECTORY / "static" / "proof_of_work.js").read_text()
WORK_HASH = b64encode(sha256(WORK.encode()).digest()).decode()
# What helps in forms, and does nothing that they need.
FORMS = _script("forms.js")
FORMS_HASH = b64encode(sha256(FORMS.encode()).digest()).decode()
# In seconds, the largest first.
UNITS = {"months": 30 * 24 * 3600, "days": 24 * 3600, "hours": 3600, "minutes": 60}


def page(
    settings: Settings,
    template: str,
    *,
    language: str,
    now: int,
    sends_to: str = "",
    here: str = "",
    instead_of: str = "",
    **values: Any,
) -> Answer:
    """A page; `sends_to` is the redirect URI that its forms may lead to besides ourselves.

    Who chooses another language on it comes back to where they were, or `here`; `instead_of` is what the request wanted.
    """
    texts = messages(language, settings.texts_folder)
    body = (
        templates()
        .get_template(template)
        .render(
            t=texts,
            **_functions(texts, now),
            language=texts.language,
            languages=[languages.language(tag, settings.texts_folder) for tag in settings.languages],
            choice={"to": here, "instead_of": instead_of},
            footer=settings.brand.links(language),
            issuer=settings.issuer,
            brand=settings.brand,
            style=_markup(stylesheet.stylesheet(settings.brand.colour)),
            submit=SUBMIT,
            passkeys=passkeys_script(),
            work_script=_markup(WORK),
            forms_script=_markup(FORMS),
            **values,
        )
    )
    return Answer(body=body, headers=headers(settings, sends_to, passkeys=passkeys_script() in body))


def _functions(texts: Texts, now: int) -> dict[str, Any]:
    """What templates call."""
    return {
        "error_text": partial(error_text, texts),
        "moment": partial(moment, texts, now),
        "lasting": partial(lasting, texts),
        "fill": fill,
        "initial": initial,
        "host_of": host_of,
    }


def headers(settings: Settings, sends_to: str = "", *, passkeys: bool = False) -> dict[str, str | list[str]]:
    """The headers of every page; on a developer's machine logos may come by plain http.

    A page with `passkeys` has their script, which asks this server for what to ask the browser.
    """
    images = "'self' https: http:" if settings.local else "'self' https:"  # a policy cannot name [::1]
    # Browsers hold a form to this list on every redirect that follows it, also when the client's own server
    # redirects once more: the redirect URI alone would be too little, and of what follows only the scheme is known.
    forms = f"'self' {_schemes(sends_to)}".strip()
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": f"default-src 'none'; {_styles(settings)}; img-src {images}; "
        f"{_scripts(passkeys)}; form-action {forms}; frame-ancestors 'none'; base-uri 'none'",
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        # Not no-referrer: a form would then be sent with `Origin: null`, as a form of another site can be.
        "Referrer-Policy": "same-origin",
    }


def _styles(settings: Settings) -> str:
    return f"style-src 'sha256-{stylesheet.digest(settings.brand.colour)}'"


def _scripts(passkeys: bool) -> str:
    if not passkeys:
        return f"script-src 'sha256-{FORMS_HASH}' 'sha256-{SUBMIT_HASH}' 'sha256-{WORK_HASH}'"
    digest = b64encode(sha256(passkeys_script().encode()).digest()).decode()
    return f"script-src 'sha256-{FORMS_HASH}' 'sha256-{digest}'; connect-src 'self'"


@lru_cache(maxsize=1)
def passkeys_script() -> "Markup":
    """The script of the pages that ask a browser for a passkey; without it they show no sign of that."""
    return _markup(_script("passkeys.js"))


def _markup(text: str) -> "Markup":
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - of our own files


def _schemes(uri: str) -> str:
    return " ".join(dict.fromkeys(("https:", f"{urlsplit(uri).scheme}:"))) if uri else ""


def api_name(settings: Settings, resource: str) -> str:
    """The name of an API for people: the brand for our own, the host for any other, for an API may call itself anything."""
    return resource.removeprefix("https://").rstrip("/") if resource else settings.brand.name


@lru_cache(maxsize=1)
def templates() -> "Environment":
    """The templates, loaded when the first page is asked for: no other request needs Jinja."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(DIRECTORY / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def fill(text: str, **values: str) -> "Markup":
    """A text with values in its {places}, each isolated, so that it cannot disturb text of the other direction."""
    from markupsafe import Markup, escape

    isolated = Markup("<b><bdi>{}</bdi></b>")
    return escape(text).format(**{name: isolated.format(value) for name, value in values.items()})


def initial(name: str) -> str:
    """The first letter of a name, as a capital where its script has any; "" for a name without one."""
    return next((letter.upper()[0] for letter in name if letter.isalpha()), "")


def error_text(texts: Texts, error: str, wait: int) -> str:
    """What a person reads about an error, "" for none; `wait` seconds until a try may help."""
    text = texts.get(f"error.{error}", texts["error.other"]) if error else ""
    if wait < UNITS["minutes"]:
        return text.replace("{wait}", _count(texts, "seconds", max(1, wait)))
    # Minutes are too many of them where a limit is a day's.
    unit = "minutes" if wait <= 2 * UNITS["hours"] else "hours"
    return text.replace("{wait}", _count(texts, unit, ceil(wait / UNITS[unit])))


class Moment(NamedTuple):
    """When something was, as people read it and as programs do: `utc` is the value of a `<time>`."""

    ago: str
    date: str
    utc: str


def moment(texts: Texts, now: int, at: int) -> Moment:
    """A moment of the past; nobody's time zone is known here, so its date says which one it has."""
    utc = time.gmtime(at)
    places = {"day": str(utc.tm_mday), "month": texts[f"month.{utc.tm_mon}"], "year": str(utc.tm_year)}
    date = texts["time.date"].format(**places, time=time.strftime("%H:%M", utc))
    return Moment(ago(texts, now - at), date, time.strftime("%Y-%m-%dT%H:%MZ", utc))


def ago(texts: Texts, seconds: int) -> str:
    """How long something is past, in the largest unit of which there is one."""
    for unit, length in UNITS.items():
        if seconds >= length:
            return texts["time.ago"].replace("{time}", _count(texts, unit, seconds // length))
    return texts["time.now"]


def lasting(texts: Texts, seconds: int, text: str) -> str:
    """A text with a time of whole days in its place for that."""
    return text.replace("{days}", _count(texts, "days", seconds // UNITS["days"]))


def _count(texts: Texts, unit: str, n: int) -> str:
    """A number of units, in the form that the language has for it."""
    return texts[f"{unit}.{plurals.form(texts.language.tag, n)}"].format(n=n)


def messages(language: str, texts_folder: str = "") -> Texts:
    """All texts of one language, those of a deployment's own folder among them."""
    return languages.texts(DIRECTORY / "messages", "pages", language, texts_folder)
