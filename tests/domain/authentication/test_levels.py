"""The level of a login follows from what was proved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.authentication import levels

METHODS = st.lists(st.sampled_from([*levels.KINDS, "user", "mfa", "geo", "never-heard-of"]), max_size=6)
ONE_KIND = [
    ("pwd",),
    ("pwd", "pin"),
    ("otp",),
    ("otp", "sms"),
    ("fpt",),
    ("face", "iris"),
    ("kba",),
    ("never-heard-of",),
]


@pytest.mark.parametrize("amr", ONE_KIND, ids=" ".join)
def test_proofs_of_one_kind_are_a_single_factor_however_many_they_are(amr: tuple[str, ...]) -> None:
    assert levels.acr_of(amr) == "aal1"
    assert levels.united(amr) == amr


@pytest.mark.parametrize("amr", [("pwd", "otp"), ("sms", "kba"), ("pin", "fpt"), ("otp", "face")], ids=" ".join)
def test_proofs_of_two_kinds_are_two_factors_and_are_called_mfa_as_well(amr: tuple[str, ...]) -> None:
    assert levels.acr_of(amr) == "aal2"
    assert levels.united(*((method,) for method in amr)) == (*amr, "mfa")  # RFC 8176


@pytest.mark.parametrize("amr", [("hwk", "mfa"), ("pwd", "hwk"), ("pwd", "otp", "swk", "mfa")], ids=" ".join)
def test_two_factors_resist_phishing_where_one_is_a_key_that_signs_for_one_site_alone(amr: tuple[str, ...]) -> None:
    assert levels.acr_of(amr) == "phr"


@pytest.mark.parametrize("amr", [("hwk",), ("swk", "user"), ("hwk", "otp")], ids=" ".join)
def test_a_key_by_itself_is_a_single_factor_for_whoever_has_it_may_use_it(amr: tuple[str, ...]) -> None:
    assert levels.acr_of(amr) == "aal1"


def test_where_nothing_was_proved_there_is_no_level() -> None:
    assert (levels.acr_of(()), levels.united(), levels.rank("")) == ("", (), 0)


def test_the_presence_of_somebody_is_no_second_factor() -> None:
    assert levels.acr_of(("pwd", "user")) == "aal1"  # RFC 8176: user presence


def test_what_is_no_level_of_ours_is_below_all_that_are() -> None:
    assert (
        levels.rank("aal3") == levels.rank("AAL1") == 0 < levels.rank("aal1") < levels.rank("aal2") < levels.rank("phr")
    )


@given(METHODS, METHODS)
def test_another_proof_never_lowers_a_level_and_order_does_not_matter(one: list[str], other: list[str]) -> None:
    both = levels.united(one, other)
    assert levels.rank(levels.acr_of(both)) >= max(levels.rank(levels.acr_of(amr)) for amr in (one, other))
    assert levels.acr_of(both) == levels.acr_of(levels.united(other, one))
    assert set(both) - {"mfa"} == {*one, *other} - {"mfa"}
    assert levels.united(both) == both
    assert len(set(both)) == len(both)


@given(METHODS)
def test_a_level_is_the_same_before_and_after_it_was_stored(amr: list[str]) -> None:
    stored = levels.united(amr)
    assert levels.acr_of(stored) == levels.acr_of(amr)
    assert ("mfa" in stored) == ("mfa" in amr or len({levels.KINDS[m] for m in amr if m in levels.KINDS}) > 1)
