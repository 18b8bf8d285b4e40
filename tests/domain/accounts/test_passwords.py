import re
import string
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis.strategies import lists, text
from zxcvbn import matching, zxcvbn

from chalicelib.domain.accounts import passwords
from chalicelib.domain.accounts.passwords import (
    CHEAPEST_ONLY_FOR_TESTS,
    MAX_BYTES,
    MAX_LOOKUPS,
    OWASP_19_MIB,
    HashProfile,
    check_strength,
    hash_password,
    needs_rehash,
    normalise,
    unknown_users_hash,
    verify_password,
)
from chalicelib.domain.errors import InvalidRequest, LongPassword, WeakPassword
from tests.support import strength

# The reference implementation's own vectors: github.com/P-H-C/phc-winner-argon2, src/test.c, "Argon2id test vectors".
REFERENCE = (
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
)
PHC = re.compile(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")


def parts(phc: str) -> tuple[str, ...]:
    match = PHC.fullmatch(phc)
    assert match, phc
    return match.groups()


@pytest.mark.parametrize("stored", REFERENCE)
def test_hashes_of_the_reference_implementation_verify(stored: str) -> None:
    assert verify_password("password", stored=stored)
    assert not verify_password("Password", stored=stored)
    assert not verify_password("", stored=stored)


def test_a_hash_is_a_phc_string_with_its_profile_a_salt_of_16_and_a_tag_of_32_bytes() -> None:
    memory, passes, lanes, salt, tag = parts(hash_password("secret", profile=HashProfile(memory=64, passes=3, lanes=2)))
    assert (memory, passes, lanes) == ("64", "3", "2")
    assert (len(salt) * 6 // 8, len(tag) * 6 // 8) == (16, 32)


def test_every_hash_has_a_salt_of_its_own() -> None:
    assert len({hash_password("secret", profile=CHEAPEST_ONLY_FOR_TESTS) for _ in range(20)}) == 20


def test_a_password_is_known_again_and_no_other() -> None:
    stored = hash_password("sésame", profile=CHEAPEST_ONLY_FOR_TESTS)
    assert verify_password("sésame", stored=stored)
    assert not verify_password("sesame", stored=stored)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "secret",
        "$argon2id$",
        "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAA",
        "$2b$04$x",
    ],
)
def test_what_is_no_argon2id_hash_matches_nothing_and_is_no_fault(stored: str) -> None:
    assert not verify_password("secret", stored=stored)


def test_the_shipped_profile_is_owasps_of_19_mebibytes() -> None:
    # OWASP Password Storage Cheat Sheet: m=19456 (19 MiB), t=2, p=1.
    assert OWASP_19_MIB.prefix() == "$argon2id$v=19$m=19456,t=2,p=1$"


@pytest.mark.parametrize("profile", [OWASP_19_MIB, CHEAPEST_ONLY_FOR_TESTS])
def test_an_unknown_users_hash_costs_what_a_real_one_costs(profile: HashProfile) -> None:
    real, unknown = parts(hash_password("secret", profile=profile)), parts(unknown_users_hash(profile))
    assert real[:3] == unknown[:3]
    assert [len(part) for part in real[3:]] == [len(part) for part in unknown[3:]]


@pytest.mark.parametrize("password", ["", "secret", "\0", "A" * 256])
def test_no_password_opens_an_unknown_users_hash(password: str) -> None:
    assert not verify_password(password, stored=unknown_users_hash(CHEAPEST_ONLY_FOR_TESTS))


@pytest.mark.parametrize(
    ("stored", "needed"),
    [
        ("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$AAAA", False),
        ("$argon2id$v=19$m=19456,t=2,p=11$c2FsdA$AAAA", True),
        ("$argon2id$v=19$m=19456,t=3,p=1$c2FsdA$AAAA", True),
        ("$argon2id$v=19$m=8,t=1,p=1$c2FsdA$AAAA", True),
        ("$argon2id$v=16$m=19456,t=2,p=1$c2FsdA$AAAA", True),
        ("$argon2i$v=19$m=19456,t=2,p=1$c2FsdA$AAAA", True),
    ],
)
def test_a_hash_that_was_made_otherwise_is_made_anew(stored: str, needed: bool) -> None:
    assert needs_rehash(stored, profile=OWASP_19_MIB) is needed


def test_a_password_is_the_same_however_its_accents_are_composed() -> None:
    assert normalise("se\u0301same") == normalise("s\u00e9same") == "s\u00e9same"


def test_letters_that_only_look_alike_stay_different() -> None:
    # NFC, not NFKC: a password keeps what its owner typed (RFC 8265 section 4.2.1).
    assert len({normalise(text) for text in ("K", "\uff2b", "k", "\u043a")}) == 4


def test_the_length_is_counted_in_characters_after_normalisation() -> None:
    assert len(normalise("e\u0301" * 256)) == 256
    with pytest.raises(InvalidRequest):
        normalise("e\u0301" * 257)


@pytest.mark.parametrize(
    ("password", "about"),
    [
        ("Ab3$x9!", ()),
        ("password1", ()),
        ("qwertyuiop", ()),
        ("ann.example.1987", ("ann.example", "example.com")),
        ("a" * 256, ()),
        ("password" * 32, ()),
        ("ann@example.com" * 3, ("ann", "example.com")),
    ],
)
def test_a_short_or_guessable_password_is_weak(password: str, about: tuple[str, ...]) -> None:
    with pytest.raises(WeakPassword):
        check_strength(password, about=about, score=3)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("Ab3$x9!", "A password needs at least 8 characters."),
        ("Ab3$x9!q", "This password is too easy to guess. "),  # 10^8 guesses, and more are needed
        ("lamp-violet", "This password is too easy to guess. "),  # 5.7 * 10^7
        ("password1", "This password is too easy to guess. "),
    ],
)
def test_a_weak_password_is_refused_with_the_reason_and_with_advice(password: str, reason: str) -> None:
    with pytest.raises(WeakPassword) as refusal:
        check_strength(password, about=(), score=3)
    assert refusal.value.description.startswith(reason)
    feedback = zxcvbn(password)["feedback"]
    for advice in (feedback["warning"], *feedback["suggestions"]):
        assert len(password) < 8 or advice in refusal.value.description


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "k7#Qm!x2Lp9v",
        "correct horse battery staple and so on for ever " * 5,
        "velvet9tram",  # 2.6 * 10^8 guesses: no more than it needs
        "k7#Qm!x2Lp9v" * 20,
    ],
)
def test_a_password_that_is_hard_to_guess_is_taken(password: str) -> None:
    check_strength(password, about=("ann", "example.com", ""), score=3)


SYMBOLS = "".join(sorted({symbol for symbols in matching.L33T_TABLE.values() for symbol in symbols}))


@contextmanager
def looked_up() -> Iterator[list[int]]:
    """The lengths of the texts that zxcvbn looks up in its dictionaries, each for every part of it."""
    lengths: list[int] = []
    real = matching.dictionary_match

    def noted(text: str, *more: Any, **options: Any) -> Any:
        lengths.append(len(text))
        return real(text, *more, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "dictionary_match", noted)
        yield lengths


@given(text(SYMBOLS + "aeioslntrc", min_size=8, max_size=256))
@example("4@8({[<6&9#!1|lL0$5+7%2xX" * 10)
@example("!$(+157<[|" + "i" * 50)
@example("!$(+157<[|!$(+15" * 2)
@settings(max_examples=60, deadline=None)
def test_no_password_makes_zxcvbn_look_up_more_than_so_much(password: str) -> None:
    with looked_up() as lengths, suppress(WeakPassword):
        check_strength(password, about=(), score=3)
    # As much again for what is looked up as it is, backwards, and once more where it repeats itself.
    assert sum(length**2 for length in lengths) <= 2 * MAX_LOOKUPS


@settings(deadline=None)  # it is zxcvbn's time, and a busy machine's
@given(text(SYMBOLS, min_size=20, max_size=60))
def test_symbols_alone_are_judged_by_as_many_as_tell(password: str) -> None:
    judged: list[str] = []

    def noted(text: str, **more: Any) -> Any:
        judged.append(text)
        return zxcvbn(text, **more)

    with pytest.MonkeyPatch.context() as patch, suppress(WeakPassword):
        patch.setattr("zxcvbn.zxcvbn", noted)
        check_strength(password, about=(), score=3)
    (beginning,) = judged
    assert password.startswith(beginning)
    assert len(beginning) >= 10


@given(text(string.ascii_letters + string.digits + string.punctuation, min_size=8, max_size=16))
@example("Tr0ub4dour&3")  # of zxcvbn's own README, as are the next three
@example("D0g..................")
@example("correcthorsebatterystaple")
@example("coRrecth0rseba++ery9.23.2007staple$")
@settings(max_examples=60, deadline=None)
def test_a_password_that_people_or_generators_make_is_judged_as_zxcvbn_judges_it(password: str) -> None:
    strong = zxcvbn(password)["score"] >= 3
    try:
        check_strength(password, about=(), score=3)
    except WeakPassword:
        assert not strong
    else:
        assert strong


WORD = text("aehorst0@.xA", min_size=1, max_size=5)


@given(lists(WORD, min_size=2, max_size=4), lists(WORD, max_size=3))
@example(["horse", "kq@xv"], ["zoe@example.com", "Kqaxv"])
@settings(max_examples=60, deadline=None)
def test_what_other_tests_remember_of_a_password_is_what_zxcvbn_says_of_it_and_its_user(
    syllables: list[str], about: list[str]
) -> None:
    for password in ("".join(syllables), "".join([*syllables, *about])):
        real = {**zxcvbn(password, about), "calc_time": None}
        assert {**strength.judgement(password, about), "calc_time": None} == real


def test_a_password_that_is_too_long_is_refused_before_it_is_normalised(monkeypatch: pytest.MonkeyPatch) -> None:
    longest = "\U0001d15e" * 256  # three times its bytes, of which it has four, when it is decomposed
    assert len(unicodedata.normalize("NFD", longest).encode()) < MAX_BYTES
    assert normalise("\u0390" * 256) == normalise(unicodedata.normalize("NFD", "\u0390" * 256))
    normalise("\u1f82" * 256)
    monkeypatch.setattr(passwords, "unicodedata", None)
    for password in ("\u0301\u0316" * 7900, "a" * 3073, "\u0301" * 1537, "\ud800" * 4000):
        with pytest.raises(LongPassword):
            normalise(password)


def test_the_advice_does_not_repeat_the_password() -> None:
    with pytest.raises(WeakPassword) as refusal:
        check_strength("annexample1", about=("annexample",), score=3)
    assert "annexample" not in refusal.value.description
