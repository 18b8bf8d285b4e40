"""The languages of pages and mails: ours, and what a deployment brings besides, a file of texts each."""

import os
import re
from collections.abc import Mapping
from typing import Any

from .apis import PACKAGE

SHIPPED = ("en", "ar")
# A language as BCP 47 writes it, with a script or a region where that matters: fr, pt-BR, zh-Hant.
TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """The languages there are, and the folder of a deployment's own texts, "" where it has none."""
    folder = f"{environ.get('LATCHKEY_CUSTOM_FOLDER') or f'{PACKAGE}/custom'}/texts"
    tags = tags_in(folder)
    return {"texts_folder": folder if tags else "", "languages": tuple(dict.fromkeys((*SHIPPED, *tags)))}


def tags_in(folder: str) -> list[str]:
    """The languages that a folder has files of, by their names alone: what is in them is read for the first page."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - the guard starts without pathlib
    except OSError:  # most deployments have no such folder
        return []
    return [tag for tag, ending in map(os.path.splitext, names) if ending == ".json" and TAG.fullmatch(tag)]
