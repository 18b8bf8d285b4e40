import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.domain.accounts import email
from chalicelib.domain.accounts.email import canonical, validate
from chalicelib.domain.errors import InvalidRequest


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ann@example.com", "ann@example.com"),
        ("Ann@Example.COM", "ann@example.com"),
        ("\uff21\uff4e\uff4e@\uff45xample.com", "ann@example.com"),  # full width
        ("ann@example\u3002com", "ann@example.com"),  # the ideographic full stop, a dot to UTS 46
        ("\u212aelvin@example.com", "kelvin@example.com"),  # the Kelvin sign
        ("re\u0301ne\u0301@example.com", "r\u00e9n\u00e9@example.com"),  # composed or not
        ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example"),
        ("ann@B\u00dcCHER.example", "ann@xn--bcher-kva.example"),
        ("ann@xn--BCHER-kva.example", "ann@xn--bcher-kva.example"),
        ("ann@stra\u00dfe.example", "ann@xn--strae-oqa.example"),
        ("ann@B\u00dcCH ER.example", "ann@b\u00fcch er.example"),  # no domain, and so nobody's
        ("a#1%41@example.com", "a#1%41@example.com"),
        ("ann+tag@example.com", "ann+tag@example.com"),  # whose mailbox that is, only its own server knows
        ("a.n.n@example.com", "a.n.n@example.com"),
    ],
)
def test_an_address_has_one_form_to_be_looked_up_under(address: str, expected: str) -> None:
    assert canonical(address) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u0131vy@example.com", "ivy@example.com"),  # the dotless i
        ("ann@example.com.", "ann@example.com"),
        ("ann@stra\u00dfe.example", "ann@strasse.example"),  # two domains, and perhaps two owners
        ("ann@\u0432ank.example", "ann@bank.example"),  # Cyrillic
        ("ann@example.com", "ann@sub.example.com"),
        ("ann+1@example.com", "ann@example.com"),
    ],
)
def test_two_mailboxes_never_share_one_form(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize(
    "text",
    ["", "@", "ann", "ann@", "@example.com", "ann@exa mple.com", "ann@b\u00fcch er.example", "a@" + "\u00fc" * 80],
)
def test_what_is_no_address_is_refused_at_sign_up_and_looked_up_without_a_fault(text: str) -> None:
    canonical(text)
    with pytest.raises(InvalidRequest):
        validate(text)


def test_what_is_too_long_for_an_address_is_refused_before_it_is_normalised(monkeypatch: pytest.MonkeyPatch) -> None:
    assert canonical("\uff21" * 242 + "@example.com") == "a" * 242 + "@example.com"
    monkeypatch.setattr(email, "unicodedata", None)
    for text in ("\u0301\u0316" * 7900 + "@example.com", "a" * 1017, "a@" + "\u00fc" * 508, "\ud800" * 2000):
        for work in (canonical, validate):
            with pytest.raises(InvalidRequest):
                work(text)


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com.",
        "ann@example..com",
        "ann@[127.0.0.1]",
        "ann@localhost",
        "ann@example.com\n",
        "ann\r\nBcc: eve@example.com@example.com",
        '"ann b"@example.com',
        "Ann <ann@example.com>",
        "ann\uff20example.com",
        "ann\uff20evil.org@example.com",
        "\uff02ann\uff02@example.com",
        "ann\uff0ceve@example.com",
        "ann@example.com,eve@example.com",
        "ann@" + "a." * 120 + "example.com",
    ],
)
def test_an_address_that_could_go_astray_is_refused_at_sign_up(text: str) -> None:
    with pytest.raises(InvalidRequest):
        validate(text)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("Ann.B@Example.COM", "Ann.B@example.com"),
        ("ann@xn--strae-oqa.example.com", "ann@stra\u00dfe.example.com"),
        ("a#1@example.com", "a#1@example.com"),
    ],
)
def test_the_address_is_kept_as_its_owner_writes_it(address: str, expected: str) -> None:
    assert validate(address) == expected


LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="@")
PART = st.text(LETTERS, min_size=1, max_size=6)


@given(local=PART, domain=PART)
@example(local="ann", domain="stra\u00dfe")
@example(local="ann", domain="a\u03f2b")  # NFKC and UTS 46 make different letters of this one
@example(local="\u0130\u0345", domain="xn--strae-oqa")
def test_the_kept_address_is_found_under_the_same_form_as_the_typed_one(local: str, domain: str) -> None:
    address = f"{local}@{domain}.com"
    try:
        stored = validate(address)
    except InvalidRequest:
        return
    assert canonical(stored) == canonical(address) == canonical(canonical(address))
