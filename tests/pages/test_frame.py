"""The frame of the pages in a browser: a language chosen, all of it by keyboard, and names that are longer than a screen."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from chalicelib.domain.oauth.client import Client
from chalicelib.flows.clients import manage
from tests.pages import looks
from tests.pages.site import Application, decide, log_in, press
from tests.support.phone import installed

# What has the focus, and how thick the ring around it is.
FOCUSED = """(() => { const e = document.activeElement; const s = getComputedStyle(e);
    if (e === document.body) return null;
    return [e.id || e.name || e.textContent.trim(), s.outlineStyle === "none" ? 0 : parseFloat(s.outlineWidth)]; })()"""
NAMES = [
    "n" * 200,
    "\u202eGarden\u202d \u2067Planner",
    '<b>Garden</b> & "Planner"',
    "\u062d\u062f\u064a\u0642\u0629 " * 30,
]


def test_a_language_is_chosen_without_losing_the_way_to_the_application(window: Page, application: Application) -> None:
    window.goto(application.link(state="kept"))
    press(window, "footer button[value=ar]")
    assert window.locator("html").get_attribute("dir") == "rtl"
    log_in(window, application.site.person())
    assert window.locator("html").get_attribute("lang") == "ar"
    decide(window, "allow")
    assert application.callback_params(window)["state"] == "kept"


def test_a_form_is_filled_in_by_keyboard_in_the_order_that_it_is_read(window: Page, application: Application) -> None:
    window.goto(application.link())
    expect(window.locator("#email")).to_be_focused()
    order = []
    while (focus := window.evaluate(FOCUSED)) is not None:
        name, ring = focus
        assert ring >= 2, name
        order.append(name)
        window.keyboard.press("Tab")
    fields = [
        "email",
        "password",
        "Log in",
        "Mail me a link instead",
        "Sign up",
        "language",
        "Help",
        "Privacy",
        "Terms",
    ]
    assert [name for name in order if name in fields] == fields
    assert order[0] == "email"


@pytest.mark.parametrize("name", NAMES, ids=["long", "marks", "markup", "arabic"])
@pytest.mark.parametrize("width", [360, 1000])
def test_a_strange_name_stays_within_its_page(window: Page, application: Application, name: str, width: int) -> None:
    svc = application.site.svc
    client = Client(
        client_id="",
        client_name=name,
        token_endpoint_auth_method="none",
        application_type="native",
        grant_types=("authorization_code",),
        redirect_uris=("http://127.0.0.1/cb",),
        scopes=("openid",),
    )
    client_id = manage.create(svc, client)[0].client_id
    branded = replace(svc, settings=replace(svc.settings, brand=svc.settings.brand._replace(name=name)))
    window.set_viewport_size({"width": width, "height": 740})
    with installed(branded):
        window.goto(application.link(client_id=client_id, scope="openid"))
        client_name = window.locator("main bdi").first.text_content()
        assert client_name == name
        assert (window.locator("header").text_content() or "").strip() == name.strip()
        assert window.evaluate(looks.SIDEWAYS) <= 0
        log_in(window, application.site.person())
        assert window.evaluate(looks.SIDEWAYS) <= 0
        window.goto(f"{application.site.url}/?{urlencode({'ui_locales': 'ar'})}")
        assert window.evaluate(looks.SIDEWAYS) <= 0
