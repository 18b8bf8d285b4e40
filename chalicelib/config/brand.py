"""How the pages present themselves, and where their footer leads."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from . import values

LINK = re.compile(r"https://[^\s\"'<>{}]+(\{language\}[^\s\"'<>{}]*)?")
MAILTO = re.compile(r"mailto:[^\s\"'<>{}?]+@[^\s\"'<>{}?]+(\?[^\s\"'<>{}]*)?")


# What the guard imports has tuples where they do: a frozen dataclass takes five times as long to make, at each cold start.
class Brand(NamedTuple):
    """How the pages present themselves; the colour is #rrggbb. `help` and what follows it are where the footer leads.

    `picture_origins` are those from which people's pictures are shown: whoever serves one learns who logs in, and when.
    In a link `{language}` stands for the tag of the page's language.
    """

    name: str = "Latchkey"
    logo: str = ""
    colour: str = "#1f5fbf"
    favicon: str = ""
    help: str = ""
    privacy: str = ""
    terms: str = ""
    picture_origins: tuple[str, ...] = ()

    def picture(self, uri: str) -> str:
        """The address of somebody's picture if it is at an origin that the deployment has named, else ""."""
        return uri if any(uri.startswith(f"{origin}/") for origin in self.picture_origins) else ""

    def links(self, language: str) -> dict[str, str]:
        """Where the footer leads in a language, by what is there; nothing for what a deployment does not have."""
        named = {"help": self.help, "privacy": self.privacy, "terms": self.terms}
        return {name: link.replace("{language}", language) for name, link in named.items() if link}


BRAND = Brand()


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """The brand."""
    colour = environ.get("LATCHKEY_BRAND_COLOUR") or BRAND.colour
    if not re.fullmatch("#[0-9a-fA-F]{6}", colour):
        raise values.wrong_setting("LATCHKEY_BRAND_COLOUR", "a colour as #rrggbb", colour)
    brand = Brand(
        name=environ.get("LATCHKEY_BRAND_NAME") or BRAND.name,
        logo=_image(environ, "LATCHKEY_BRAND_LOGO"),
        colour=colour,
        favicon=_image(environ, "LATCHKEY_BRAND_FAVICON"),
        help=_link(environ, "LATCHKEY_BRAND_HELP", mail=True),
        privacy=_link(environ, "LATCHKEY_BRAND_PRIVACY"),
        terms=_link(environ, "LATCHKEY_BRAND_TERMS"),
        picture_origins=values.words(environ, "LATCHKEY_BRAND_PICTURE_ORIGINS", *values.HTTPS_ORIGIN),
    )
    return {"brand": brand}


def _image(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if value and not value.startswith("https://"):
        raise values.wrong_setting(name, "an https URL", value)
    return value


def _link(environ: Mapping[str, str], name: str, *, mail: bool = False) -> str:
    value = environ.get(name, "")
    if value and not LINK.fullmatch(value) and not (mail and MAILTO.fullmatch(value)):
        raise values.wrong_setting(name, "an https URL" + (" or mailto: with an address" if mail else ""), value)
    return value
