"""A third language is one file of the operator's: pages, mails and discovery have it, and nothing else changes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.config import Settings, languages, load
from chalicelib.services import Services
from chalicelib.web.http.languages import OURS, language_of
from chalicelib.web.pages import html
from tests.support.browser import ISSUER
from tests.support.delivery import DeliveringPhone
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed
from tests.support.ses import Ses

FRENCH = {
    "language": "Français",
    "direction": "ltr",
    "pages": {
        "log_in": "Se connecter",
        "forgot_password": "<i>Oublié ?</i>",
        "days.one": "{n} jour",
        "days.many": "{n} jours",
        "time.ago": "il y a {time}",
        "scope.jardin": "Voir le jardin",
    },
    "mails": {
        "password_changed.subject": "Votre mot de passe a changé",
        "password_changed.lead": "{address} : {brand}",
    },
}
NEW = "an entirely other phrase 7"


def with_texts(settings: Settings, folder: Path, **files: object) -> Settings:
    """Settings of a deployment with these files of texts."""
    for tag, content in files.items():
        texts = folder / "texts"
        texts.mkdir(exist_ok=True)
        (texts / f"{tag}.json").write_text(json.dumps(content, ensure_ascii=False))
    own = languages.read({"LATCHKEY_CUSTOM_FOLDER": str(folder)})
    return replace(settings, mail_from="login@id.example", **own)


@pytest.fixture
def french(svc: Services, tmp_path: Path) -> Services:
    """A deployment in whose folder is a French file."""
    return replace(svc, settings=with_texts(svc.settings, tmp_path, fr=FRENCH))


def login_page(clock: Clock, accepted: str) -> str:
    return Phone(clock).call("GET /authorize/login", headers={"Accept-Language": accepted}).body.decode()


def test_a_file_is_a_language_of_pages_and_what_it_lacks_is_english(french: Services, clock: Clock) -> None:
    with installed(french):
        page = login_page(clock, "fr-CA, ar;q=0.5")
        assert '<html lang="fr" dir="ltr">' in page
        assert "<h1>Se connecter</h1>" in page
        assert "E-mail address" in page
        # It is text, whatever is in it.
        assert "&lt;i&gt;Oublié ?&lt;/i&gt;" in page
        assert '<html lang="ar" dir="rtl">' in login_page(clock, "ar")
        assert "<h1>Log in</h1>" in login_page(clock, "de")


def test_discovery_has_it(french: Services, clock: Clock) -> None:
    with installed(french):
        document = Phone(clock).call("GET /.well-known/openid-configuration").json()
    assert document["ui_locales_supported"] == ["en", "ar", "fr"]


def test_mails_have_it(french: Services, clock: Clock, mailbox: Ses) -> None:
    with installed(french):
        phone = DeliveringPhone(clock)
        token = phone.sign_up()["access_token"]
        change = {"current_password": PASSWORD, "new_password": NEW}
        phone.call("POST /me/password", change, token=token, headers={"Accept-Language": "fr"})
    mail = mailbox.mails[-1]
    assert mail.subject == "Votre mot de passe a changé"
    assert f"{EMAIL} : Latchkey" in mail.text
    assert '<html lang="fr" dir="ltr">' in mail.html
    assert "Was it not you?" in mail.text


def test_a_counted_word_has_the_forms_of_its_language(french: Services) -> None:
    texts = html.messages("fr", french.settings.texts_folder)
    assert html.ago(texts, 24 * 3600) == "il y a 1 jour"
    assert html.ago(texts, 2 * 24 * 3600) == "il y a 2 jours"


def test_single_lines_of_our_languages_are_the_operators(svc: Services, clock: Clock, tmp_path: Path) -> None:
    own = {"pages": {"log_in": "Sign in", "scope.garden": "See your garden"}}
    settings = with_texts(svc.settings, tmp_path, en=own, ar={"pages": {"password": "كلمة السر"}})
    assert settings.languages == languages.SHIPPED
    with installed(replace(svc, settings=settings)):
        assert "<h1>Sign in</h1>" in login_page(clock, "en")
        arabic = login_page(clock, "ar")
    assert "كلمة السر" in arabic
    assert "<h1>Sign in</h1>" not in arabic
    assert html.messages("ar", settings.texts_folder)["scope.garden"] == "See your garden"


def test_without_a_folder_there_are_our_languages_and_no_file_is_read() -> None:
    settings = load({"LATCHKEY_ISSUER": ISSUER})
    assert (settings.languages, settings.texts_folder) == (languages.SHIPPED, "")
    assert tuple(OURS) == languages.SHIPPED


def test_a_file_is_read_for_the_first_page_and_never_for_json(svc: Services, clock: Clock, tmp_path: Path) -> None:
    settings = with_texts(svc.settings, tmp_path, fr=FRENCH)
    (tmp_path / "texts" / "fr.json").write_text("{")
    with installed(replace(svc, settings=settings)):
        phone = Phone(clock)
        assert phone.sign_up()
        assert phone.call("GET /.well-known/openid-configuration").status == 200


@pytest.mark.parametrize(
    ("preferences", "expected"),
    # RFC 4647 section 3.4: the tag itself, then shorter ones; then whatever there is of the language.
    [
        ("pt-BR", "pt-BR"),
        ("PT-br", "pt-BR"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("zh-Hant-TW", "zh-Hant"),
        ("zh-TW", "zh-Hant"),
        ("fr-CA", "fr"),
        ("x", "en"),
        ("-", "en"),
        ("fr-" * 5000, "fr"),
    ],
)
def test_a_region_has_the_nearest_language_that_there_is(preferences: str, expected: str) -> None:
    there_are = ("en", "ar", "fr", "pt-BR", "zh-Hant")
    assert language_of(there_are, preferences, "") == expected
    assert language_of(there_are, "", preferences) == expected


def test_an_accounts_own_language_is_that_of_its_mails(french: Services, clock: Clock, mailbox: Ses) -> None:
    with installed(french):
        phone = DeliveringPhone(clock)
        token = phone.sign_up()["access_token"]
        phone.call("PATCH /me", {"locale": "fr-CA"}, token=token)
        change = {"current_password": PASSWORD, "new_password": NEW}
        phone.call("POST /me/password", change, token=token, headers={"Accept-Language": "ar"})
        assert mailbox.mails[-1].subject == "Votre mot de passe a changé"
        # One that there are no texts in leaves it to the request.
        phone.call("PATCH /me", {"locale": "de"}, token=token)
        change = {"current_password": NEW, "new_password": PASSWORD}
        phone.call("POST /me/password", change, token=token, headers={"Accept-Language": "ar"})
        assert '<html lang="ar" dir="rtl">' in mailbox.mails[-1].html
        # Nor is the language of who asks for the account's mail that of the account.
        phone.call("PATCH /me", {"locale": "fr"}, token=token)
        phone.call("POST /password/reset", {"email": EMAIL}, headers={"Accept-Language": "ar"})
        assert 'lang="fr"' in mailbox.mails[-1].html
