"""Which proofs are still missing: as few as reach the level, and none that the account cannot give."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.authentication import levels, policy
from chalicelib.domain.errors import UnmetAuthentication

PASSWORD, CODE, KEY, QUESTION = ("pwd",), ("otp",), ("hwk", "user", "mfa"), ("kba",)
ALL = {"password": PASSWORD, "code": CODE, "key": KEY, "question": QUESTION}
OFFERS = st.dictionaries(st.sampled_from([*ALL]), st.none()).map(lambda names: {name: ALL[name] for name in names})


@pytest.mark.parametrize(
    ("offers", "level"),
    [
        ({"password": PASSWORD}, "aal1"),
        ({"password": PASSWORD, "question": QUESTION}, "aal1"),
        ({"password": PASSWORD, "code": CODE}, "aal2"),
        ({"password": PASSWORD, "key": KEY}, "aal2"),
        ({"key": KEY}, "aal2"),
    ],
)
def test_a_login_needs_two_factors_where_the_account_has_two(offers: policy.Offers, level: str) -> None:
    assert policy.account_level(offers) == level


@pytest.mark.parametrize(
    ("amr", "level", "names", "missing"),
    [
        ((), "aal1", ["password"], ("password",)),
        (PASSWORD, "aal1", ["password"], ()),
        ((), "aal2", ["password", "code"], ("password", "code")),
        ((), "aal2", ["password", "code", "key"], ("key",)),
        (PASSWORD, "aal2", ["password", "code", "question"], ("code",)),
        (CODE, "aal2", ["password", "code", "question"], ("password", "question")),
        (PASSWORD, "phr", ["password", "code", "key"], ("key",)),
        ((*PASSWORD, *CODE), "phr", ["password", "code", "key"], ("key",)),
        ((*PASSWORD, *CODE), "aal2", ["password", "code", "key"], ()),
        (KEY, "aal2", ["password", "code", "key"], ()),
    ],
)
def test_offered_is_what_leads_there_at_once(
    amr: tuple[str, ...], level: str, names: list[str], missing: tuple[str, ...]
) -> None:
    assert policy.missing(amr, level=level, offers={name: ALL[name] for name in names}) == missing


@pytest.mark.parametrize(
    ("acr_values", "amr", "names", "level"),
    [
        ((), (), ["password"], ""),
        (("aal2",), (), ["password"], ""),
        (("aal2",), (), ["password", "code"], "aal2"),
        (("phr", "aal2"), (), ["password", "code"], "aal2"),
        (("aal1", "phr"), (), ["password", "key"], "aal1"),
        (("gold", "AAL2", "aal2"), (), ["password", "code"], "aal2"),
        (("aal2",), CODE, ["password"], "aal2"),
    ],
)
def test_a_request_gets_the_first_of_its_levels_that_the_account_reaches(
    acr_values: tuple[str, ...], amr: tuple[str, ...], names: list[str], level: str
) -> None:
    offers = {name: ALL[name] for name in names}
    assert policy.requested_level(acr_values, amr=amr, offers=offers, essential=False) == level


@pytest.mark.parametrize("acr_values", [(), ("phr",), ("gold",)])
def test_an_essential_level_that_the_account_does_not_reach_is_unmet(acr_values: tuple[str, ...]) -> None:
    with pytest.raises(UnmetAuthentication):
        policy.requested_level(acr_values, amr=PASSWORD, offers={"password": PASSWORD, "code": CODE}, essential=True)


@given(OFFERS, st.sampled_from(levels.LEVELS))
def test_whoever_proves_what_is_offered_gets_there_and_is_never_asked_twice_for_the_same(
    offers: dict[str, tuple[str, ...]], level: str
) -> None:
    reach = levels.rank(levels.acr_of(levels.united(*offers.values())))
    amr: tuple[str, ...] = ()
    methods: list[str] = []
    while missing := policy.missing(amr, level=level, offers=offers):
        methods.append(missing[-1])
        amr = levels.united(amr, offers[missing[-1]])
    assert len(set(methods)) == len(methods)
    assert levels.rank(levels.acr_of(amr)) >= min(reach, levels.rank(level))
