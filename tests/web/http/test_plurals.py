"""Which form of a counted word a number takes, in every language that somebody may bring texts of."""

import pytest

from chalicelib.web.http import plurals

# As ICU has them (`new Intl.PluralRules(language).select(n)` of Node 22), whose `other` is our `many`: the numbers at
# which a form begins or ends to be right.
ICU = {
    "de es it nl sv tr hu el fa hi pt-BR fr": "1 one, 2 many, 11 many, 21 many, 101 many",
    "en": "1 one, 2 two, 3 many, 22 many",  # which ICU has no form of its own for, and we write as a word
    "ar": "1 one, 2 two, 3 few, 10 few, 11 many, 99 many, 100 many, 102 many, 103 few, 110 few, 111 many",
    "ru uk be": "1 one, 2 few, 4 few, 5 many, 11 many, 12 many, 14 many, 20 many, 21 one, 22 few, 25 many, 101 one, 111 many",
    "pl": "1 one, 2 few, 4 few, 5 many, 12 many, 14 many, 21 many, 22 few, 24 few, 25 many, 101 many, 102 few, 112 many",
    "cs sk": "1 one, 2 few, 4 few, 5 many, 21 many, 22 many, 102 many",
    "sl": "1 one, 2 two, 3 few, 4 few, 5 many, 11 many, 100 many, 101 one, 102 two, 103 few, 105 many",
    "ro": "1 one, 2 few, 19 few, 20 many, 100 many, 101 few, 119 few, 120 many",
    "lt": "1 one, 2 few, 9 few, 10 many, 11 many, 19 many, 20 many, 21 one, 22 few, 101 one, 111 many",
    "lv is mk": "1 one, 2 many, 9 many, 21 one, 22 many, 101 one, 102 many",
    "he": "1 one, 2 two, 3 many, 12 many, 22 many",
    "zh zh-Hant ja ko th vi id ms": "1 many, 2 many, 21 many",
}


@pytest.mark.parametrize(("language", "samples"), [(one, row) for each, row in ICU.items() for one in each.split()])
def test_a_number_takes_the_form_that_icu_gives_it(language: str, samples: str) -> None:
    for sample in samples.split(", "):
        n, expected = sample.split()
        assert plurals.form(language, int(n)) == expected, sample


@pytest.mark.parametrize("language", " ".join(ICU).split())
def test_a_language_has_no_form_but_those_it_is_asked_texts_for(language: str) -> None:
    assert {plurals.form(language, n) for n in range(1, 1000)} == set(plurals.forms(language))
