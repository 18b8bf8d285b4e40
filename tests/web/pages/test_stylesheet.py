"""Colours that everybody can read, whatever the operator's is."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.web.pages.stylesheet import (
    DARK_GROUND,
    LIGHT_GROUND,
    SHEET,
    contrast,
    readable,
    stylesheet,
    text_on,
)

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
TEXT, BOUNDARY = 4.5, 3.0  # WCAG 2.2, success criteria 1.4.3 and 1.4.11


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    # From WCAG's own definition and the examples of its techniques G17 and G18.
    [
        ("#000000", "#ffffff", 21.0),
        ("#777777", "#ffffff", 4.48),
        ("#767676", "#ffffff", 4.54),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_contrast_is_wcags(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


@given(colours)
def test_text_on_any_brand_colour_can_be_read(colour: str) -> None:
    assert contrast(text_on(colour), colour) >= TEXT


@settings(deadline=None)  # the first one reads the sheet
@given(colours)
def test_links_in_any_brand_colour_can_be_read_in_both_schemes(colour: str) -> None:
    light, dark = schemes(stylesheet(colour))
    for scheme in (light, dark):
        assert contrast(scheme["accent"], scheme["card"]) >= TEXT
        assert contrast(scheme["accent"], scheme["ground"]) >= TEXT
    assert light["brand"] == colour


@pytest.mark.parametrize("colour", ["#1f5fbf", "#0b6e4f", "#7a1f5c"])
def test_a_colour_that_can_be_read_is_left_alone(colour: str) -> None:
    assert readable(colour, LIGHT_GROUND) == colour


def test_all_that_the_sheet_itself_writes_can_be_read_in_both_schemes() -> None:
    for scheme in schemes(stylesheet("#1f5fbf")):
        for ink in ("text", "quiet", "error"):
            assert contrast(scheme[ink], scheme["card"]) >= TEXT
            assert contrast(scheme[ink], scheme["ground"]) >= TEXT
        assert contrast(scheme["error"], scheme["error-ground"]) >= TEXT
        assert contrast(scheme["line"], scheme["card"]) >= BOUNDARY


def test_shades_are_made_for_the_grounds_that_are_in_the_sheet() -> None:
    light, dark = schemes(stylesheet("#1f5fbf"))
    assert LIGHT_GROUND in (light["ground"], light["card"])
    assert DARK_GROUND in (dark["ground"], dark["card"])


def test_the_sheet_of_a_page_is_the_file_without_what_only_its_writers_read() -> None:
    sheet = stylesheet("#1f5fbf")
    assert "/*" not in sheet
    assert "\n" not in sheet
    assert sheet.count("{") == SHEET.read_text().count("{") + 3
    assert "</" not in sheet
    # Spaces that mean something are still there.
    assert ":is(.app,.factors) :is(form,details){margin:0}" in sheet
    assert 'font:1rem/1.55 system-ui,"Noto Sans"' in sheet
    assert "*,::before,::after{" in sheet


def test_the_sheet_is_small() -> None:
    assert len(stylesheet("#1f5fbf")) < 9 * 1024


def schemes(sheet: str) -> tuple[dict[str, str], dict[str, str]]:
    """The colours of the light scheme, and of the dark one."""
    light: dict[str, str] = {}
    dark: dict[str, str] = {}
    for prefix, block in re.findall(r"(@media \(prefers-color-scheme:dark\)\{)?:root\{([^}]*)\}", sheet):
        (dark if prefix else light).update(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", block))
    return light, {**light, **dark}
