"""How many forms a language has for "one day, two days", and which of them a number takes (CLDR's plural rules)."""

from collections.abc import Callable, Iterable

# The forms that there can be a text of. `many` is CLDR's `other`, or its `many`: no language has both for whole numbers
# as small as ours.
ONE, TWO, FEW, MANY = FORMS = ("one", "two", "few", "many")
Rule = Callable[[int], str]


def form(tag: str, n: int) -> str:
    """The form of a language for a whole number from 1 on."""
    return _rule(tag)[1](n)


def forms(tag: str) -> tuple[str, ...]:
    """The forms that a language has."""
    return _rule(tag)[0]


def _rule(tag: str) -> tuple[tuple[str, ...], Rule]:
    return OF_LANGUAGE.get(tag.partition("-")[0], (("one", "many"), _one))


def _one(n: int) -> str:
    return ONE if n == 1 else MANY


def _twenty_first(n: int) -> str:
    return ONE if n % 10 == 1 and n % 100 != 11 else MANY


def _arabic(n: int) -> str:
    return {1: ONE, 2: TWO}.get(n) or (FEW if 3 <= n % 100 <= 10 else MANY)


def _east_slavic(n: int) -> str:
    return ONE if n % 10 == 1 and n % 100 != 11 else _teens(n)


def _polish(n: int) -> str:
    return ONE if n == 1 else _teens(n)


def _teens(n: int) -> str:
    return FEW if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else MANY


def _czech(n: int) -> str:
    return ONE if n == 1 else FEW if 2 <= n <= 4 else MANY


def _slovenian(n: int) -> str:
    return {1: ONE, 2: TWO, 3: FEW, 4: FEW}.get(n % 100, MANY)


def _romanian(n: int) -> str:
    return ONE if n == 1 else FEW if 1 <= n % 100 <= 19 else MANY


def _lithuanian(n: int) -> str:
    if 11 <= n % 100 <= 19 or n % 10 == 0:
        return MANY
    return ONE if n % 10 == 1 else FEW


def _hebrew(n: int) -> str:
    return {1: ONE, 2: TWO}.get(n, MANY)


def _none(_: int) -> str:
    return MANY


def _of(languages: str, names: Iterable[str], rule: Rule) -> dict[str, tuple[tuple[str, ...], Rule]]:
    return dict.fromkeys(languages.split(), (tuple(names), rule))


# Any other language has one and many. English has no more, but we write "two days" there.
OF_LANGUAGE = {
    **_of("en", (ONE, TWO, MANY), _hebrew),
    **_of("ar", FORMS, _arabic),
    **_of("ru uk be sr hr bs sh", (ONE, FEW, MANY), _east_slavic),
    **_of("pl", (ONE, FEW, MANY), _polish),
    **_of("cs sk", (ONE, FEW, MANY), _czech),
    **_of("sl", FORMS, _slovenian),
    **_of("ro mo", (ONE, FEW, MANY), _romanian),
    **_of("lt", (ONE, FEW, MANY), _lithuanian),
    **_of("is mk lv", (ONE, MANY), _twenty_first),
    **_of("he iw", (ONE, TWO, MANY), _hebrew),
    **_of("zh ja ko th vi id ms my lo km jv yue", (MANY,), _none),
}
