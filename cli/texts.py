"""`./latchkey texts`: a file to begin a language with, and what is wrong with those there are."""

import click


@click.command("texts")
@click.argument("language", required=False)
def command(language: str | None) -> None:
    """Print all texts of a LANGUAGE (as fr or pt-BR) to translate; without one, check those of custom/texts."""
    from deploy import custom, texts

    folder = custom.folder() / custom.TEXTS
    if language:
        print(texts.beginning(language, folder))
    else:
        print("\n".join(texts.check(folder)) or "Nothing is missing or wrong.")
