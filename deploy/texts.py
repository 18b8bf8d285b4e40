"""The operator's own texts: a file a language, checked line by line before it ships, and one to begin a language with."""

import difflib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from chalicelib.config.languages import SHIPPED, TAG
from chalicelib.web.http import plurals
from deploy.errors import CannotDeployError

WEB = Path(__file__).parents[1] / "chalicelib" / "web"
PARTS = {"pages": WEB / "pages" / "messages", "mails": WEB / "mails" / "texts"}
HEAD = ("language", "direction")
RIGHT_TO_LEFT = frozenset(["ar", "ckb", "dv", "fa", "he", "iw", "ks", "ps", "sd", "ug", "ur", "yi"])
# An operator's scopes have no text of ours.
FREE = "scope."
NAMED = 5


def check(folder: Path) -> list[str]:
    """Say which lines are missing in an operator's files; raise CannotDeployError for the first that is wrong."""
    files = sorted(file for file in folder.glob("*") if not file.name.startswith(".") and file.suffix != ".md")
    return [notice for file in files for notice in _check_file(file)]


def beginning(tag: str, folder: Path) -> str:
    """A file of all lines of a language: what is there already, and English where a translator has yet to write."""
    if not TAG.fullmatch(tag):
        raise CannotDeployError(f"{tag!r} is no tag of a language: they are written as fr, pt-BR or zh-Hant.")
    file = folder / f"{tag}.json"
    own = _read(file) if file.exists() else {}
    head = {"language": "", "direction": "rtl" if tag.partition("-")[0] in RIGHT_TO_LEFT else "ltr"}
    content: dict[str, Any] = {} if tag in SHIPPED else {name: own.get(name, head[name]) for name in HEAD}
    for part in PARTS:
        written = own.get(part, {})
        content[part] = {name: text for name, text in _ours(part, tag).items() if _is_due(name, tag)} | written
    return json.dumps(content, ensure_ascii=False, indent=2)


def _check_file(file: Path) -> list[str]:
    tag = file.name.removesuffix(".json")
    if tag == file.name or not TAG.fullmatch(tag):
        raise CannotDeployError(f"{file} is of no language: a file is called as fr.json, pt-BR.json or zh-Hant.json.")
    content = _read(file)
    _check_names(file, content, [*PARTS, *(() if tag in SHIPPED else HEAD)])
    if tag not in SHIPPED:
        _check_head(file, content)
    for part in PARTS:
        _check_part(file, part, content.get(part, {}))
    return [] if tag in SHIPPED else _missing(file, tag, content)


def _read(file: Path) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if twice := [name for name in names if names.count(name) > 1]:
            raise CannotDeployError(f"{file} has {twice[0]!r} twice.")
        return dict(pairs)

    try:
        content = json.loads(file.read_text("utf-8-sig"), object_pairs_hook=once)
    except (ValueError, OSError) as error:
        raise CannotDeployError(f"{file} is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise CannotDeployError(f'{file} must be an object with "pages" and "mails".')
    return content


def _check_head(file: Path, content: Mapping[str, Any]) -> None:
    name, direction = (content.get(each) for each in HEAD)
    if not isinstance(name, str) or not name.strip() or len(name) > 40:
        raise CannotDeployError(f'{file} must say in "language" what its readers call their language, as "Français".')
    if direction not in ("ltr", "rtl"):
        raise CannotDeployError(f'{file} must say in "direction" how the language is written: "ltr" or "rtl".')


def _check_part(file: Path, part: str, lines: Any) -> None:
    if not isinstance(lines, dict):
        raise CannotDeployError(f'{file} must have an object of lines in "{part}".')
    english = _ours(part, "en")
    free = {name for name in lines if part == "pages" and name.startswith(FREE) and name != FREE}
    _check_names(file, lines.keys() - free, english)
    for name, text in lines.items():
        if not isinstance(text, str) or not text.strip():
            raise CannotDeployError(f"{file} has no text in {name!r}.")
        if any(unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") for c in text):
            raise CannotDeployError(f"{file} has a character in {name!r} that cannot be shown, such as a line's end.")
        _check_places(file, name, text, english.get(name, ""))


def _check_names(file: Path, names: Iterable[str], known: Iterable[str]) -> None:
    for name in sorted(set(names) - set(known)):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f": did you mean {near[0]!r}?" if near else "."
        raise CannotDeployError(f"{file} has {name!r}, which is no line of ours{hint}")


def _check_places(file: Path, name: str, text: str, english: str) -> None:
    try:
        places, expected = _places(text), _places(english)
    except ValueError:
        raise CannotDeployError(f"{file} has a brace in {name!r} that is not around the name of a place.") from None
    # A language may say "a day" or "{n} day".
    if places == expected or (_is_counted(name) and places <= {"n"}):
        return
    names = " and ".join(f"{{{place}}}" for place in sorted(expected)) or "none"
    raise CannotDeployError(f"{file} has other places in {name!r} than the English text: that has {names}.")


def _places(text: str) -> set[str]:
    fields = [field for field in Formatter().parse(text) if field[1] is not None]
    if any(spec or conversion or not (place or "").isidentifier() for _, place, spec, conversion in fields):
        raise ValueError(text)
    return {place or "" for _, place, _, _ in fields}


def _missing(file: Path, tag: str, content: Mapping[str, Any]) -> list[str]:
    lines = [name for part in PARTS for name in _ours(part, "en") if name not in content.get(part, {})]
    missing = [name for name in lines if _is_due(name, tag)]
    if not missing:
        return []
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    return [f"{file} lacks {', '.join(missing[:NAMED])}{more}: readers get the English text there."]


def _ours(part: str, tag: str) -> dict[str, str]:
    file = PARTS[part] / f"{tag if tag in SHIPPED else 'en'}.json"
    lines: dict[str, str] = json.loads(file.read_text())
    return lines


def _is_counted(name: str) -> bool:
    return name.rpartition(".")[2] in plurals.FORMS


def _is_due(name: str, tag: str) -> bool:
    return not _is_counted(name) or name.rpartition(".")[2] in plurals.forms(tag)
