"""How products are connected, each by its recipe in cli/products/: metadata of its client here, and settings there.

`python -m cli.recipes` prints docs/clients.md.
"""

import re
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cli.errors import CannotRunError

if TYPE_CHECKING:
    from chalicelib.domain.oauth.client import Client

PRODUCTS = Path(__file__).parent / "products"
PLACEHOLDER = re.compile("<(issuer|client_id|client_secret|redirect_uri|url|audience)>")
PLAIN = re.compile(r"[A-Za-z0-9._~:/?=@%+,\[\]-]*")  # ends no quotation and runs nothing in a shell
WIDTH = 118
INTRODUCTION = """# Products

How to connect products that are not yours, each with both sides' settings: those of its client here, and its own.

- `./latchkey clients create --for NAME --url https://…` makes the client and prints the product's settings, filled in.
  Without `--url` the product is where it is by its own defaults. Other metadata may follow as ever, and overrule.
- `./latchkey clients show ID --for NAME` prints them again, without the secret, which is kept as a digest.
- What is said of `create` below is only what differs from [the defaults](oauth.md#metadata).
- The products that are known from a run are run by `make products`, with the settings that stand here. The others are
  written from their documentation: expect less of them.
- Who signs up here may name any address that has no account here; until it is verified, the claim `email_verified` is
  false. A product that knows people by their address has to look at that claim: else a stranger gets whatever account
  the address has there. Recipes name those that do not. What never changes and is one person's alone is `sub`.
- A product that is not here: give it the issuer, `client_id` and `client_secret`, and look for its switch for PKCE
  (S256). If it has none, as Flask-pyoidc, Chainlit and Panel's generic provider, [this](oauth.md#clients-without-pkce)
  is what it costs to do without.

This page is made of the files in `cli/products/`: `.venv/bin/python -m cli.recipes > docs/clients.md`.
"""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What connects one product: `client` is metadata as an operator types it, `settings` are files of the product.

    `test` runs it; without, it is written from the documentation of that version. `url` is where the product is by its
    own defaults.
    """

    name: str
    title: str
    kind: str
    version: str
    documentation: str
    test: str = ""
    url: str = ""
    api: str = ""
    client: Mapping[str, str] = field(default_factory=dict)
    settings: Iterable[Mapping[str, str]] = ()
    notes: Iterable[str] = ()

    def metadata(self, typed: Iterable[str], *, url: str = "") -> list[str]:
        """Metadata for `clients create`: what was typed, and for the rest the recipe's; raises CannotRunError."""
        typed = list(typed)
        if not self.client:
            raise CannotRunError(f"{self.title} is no client of its own. Its recipe is in docs/clients.md.")
        named = {pair.partition("=")[0] for pair in typed}
        rest = {name: value for name, value in {"client_name": self.title, **self.client}.items() if name not in named}
        where = (url or self.url).rstrip("/")
        if not where and _is_anywhere(rest):
            raise CannotRunError(f"Where is it? Name it: --for {self.name} --url https://…")
        return [*(f"{name}={value.replace('<url>', where)}" for name, value in rest.items()), *typed]

    def for_client(self, issuer: str, client: "Client", secret: str = "") -> "Recipe":
        """Fill settings and notes in for a client; a secret that is not known any more stays a placeholder.

        So does what is not plain: a client may have registered itself, and settings are pasted into shells and programs.
        """
        redirect_uri = next(iter(client.redirect_uris), "")
        values = {
            "issuer": issuer,
            "client_id": client.client_id,
            "client_secret": secret,
            "redirect_uri": redirect_uri,
            "url": self._url_of(redirect_uri),
            "audience": next(iter(client.resources), ""),
        }
        plain = {name: value if PLAIN.fullmatch(value) else "" for name, value in values.items()}

        def fill(text: str) -> str:
            return PLACEHOLDER.sub(lambda name: plain[name[1]] or name[0], text)

        settings = [{"file": each["file"], "text": fill(each["text"])} for each in self.settings]
        return replace(self, settings=settings, notes=[fill(each) for each in self.notes])

    @property
    def files(self) -> dict[str, str]:
        """Its settings by the names of their files."""
        return {each["file"]: each["text"].strip("\n") for each in self.settings}

    def _url_of(self, redirect_uri: str) -> str:
        path = self.client.get("redirect_uris", "").partition(" ")[0].removeprefix("<url>")
        return redirect_uri.removesuffix(path) if path and redirect_uri.endswith(path) else self.url

    @property
    def origin(self) -> str:
        """What is known by whom: a run of the product, or its documentation."""
        if self.test:
            return f"run with {self.version} by `{self.test}`"
        return f"written from the documentation of {self.version}"


def names() -> list[str]:
    """Give the names of all products."""
    return sorted(path.stem for path in PRODUCTS.glob("*.toml"))


def read(name: str) -> Recipe:
    """Read a product's recipe; raises CannotRunError for one that there is not."""
    from cli.client_metadata import did_you_mean

    if name not in names():
        raise CannotRunError(
            f"There is no recipe for {name!r}{did_you_mean(name, names())} There are {', '.join(names())}."
        )
    return Recipe(name=name, **tomllib.loads((PRODUCTS / f"{name}.toml").read_text()))


def text(recipe: Recipe, issuer: str, client: "Client", secret: str = "") -> str:
    """Give a recipe as a terminal shows it, filled in for a client."""
    filled = recipe.for_client(issuer, client, secret)
    parts = [f"{recipe.title}, {recipe.origin}.", *(f"{file}:\n\n{text}" for file, text in filled.files.items())]
    return "\n\n".join([*parts, "\n".join(_bullets(filled.notes))]).strip()


def document() -> str:
    """Give docs/clients.md."""
    recipes = sorted(map(read, names()), key=lambda recipe: recipe.title.casefold())
    rows = [
        f"| [{each.title}](#{_anchor(each.title)}) | {each.kind} | {each.version}, {'run' if each.test else 'not run'} |"
        for each in recipes
    ]
    table = "\n".join(["| product | kind | version |", "|---|---|---|", *rows])
    return "\n".join([INTRODUCTION, table, *map(_section, recipes)])


def _section(recipe: Recipe) -> str:
    files = [f"`{file}`:\n\n{textwrap.indent(text, '    ')}\n" for file, text in recipe.files.items()]
    origin = recipe.origin[0].upper() + recipe.origin[1:]
    source = f"- {origin}:\n  <{recipe.documentation}>"
    return "\n".join([f"\n## {recipe.title}\n", *_made(recipe), *files, *_bullets(recipe.notes), source])


def _made(recipe: Recipe) -> Iterator[str]:
    if recipe.client:
        where = " --url https://…" if _is_anywhere(recipe.client) and not recipe.url else ""
        yield f"    ./latchkey clients create --for {recipe.name}{where}\n"
        yield from (f"- `{name}={value}`" for name, value in recipe.client.items())
        yield ""
    if recipe.api:
        yield f"    ./latchkey apis add {recipe.api}\n"


def _is_anywhere(metadata: Mapping[str, str]) -> bool:
    """Whether it hangs on where the product is."""
    return any("<url>" in value for value in metadata.values())


def _bullets(notes: Iterable[str]) -> list[str]:
    wrapper = textwrap.TextWrapper(
        WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return [wrapper.fill(note) for note in notes]


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


if __name__ == "__main__":
    print(document())
