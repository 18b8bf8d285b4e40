"""An operator's texts are checked line by line before anything is deployed: what is wrong is named, with what was meant."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from deploy import custom, deployment, stages, texts
from deploy.errors import CannotDeployError
from deploy.stages import PROJECT
from local import serve
from tests.support.commands import run

FRENCH = {"language": "Français", "direction": "ltr"}
# What is wrong, in which file, and what the refusal says.
WRONG: dict[str, tuple[str, Any, str]] = {
    "broken JSON": ("fr.json", "{", "fr.json is no JSON"),
    "a list": ("fr.json", "[]", "must be an object"),
    "a line twice": ("en.json", '{"pages": {"log_in": "a", "log_in": "b"}}', "'log_in' twice"),
    "an extra line": ("en.json", {"pages": {"log_inn": "Sign in"}}, "'log_inn', .* did you mean 'log_in'"),
    "a line of mails among those of pages": (
        "en.json",
        {"pages": {"invitation.subject": "Come"}},
        "'invitation.subject'",
    ),
    "a part that is none": ("en.json", {"page": {}}, "'page', .* did you mean 'pages'"),
    "no part": ("en.json", {"pages": ["Sign in"]}, 'object of lines in "pages"'),
    "no text": ("en.json", {"pages": {"log_in": " "}}, "no text in 'log_in'"),
    "a number": ("en.json", {"pages": {"log_in": 1}}, "no text in 'log_in'"),
    "a place too few": ("en.json", {"pages": {"to_continue": "to go on"}}, r"'to_continue'.*\{client\}"),
    "another place": ("en.json", {"pages": {"to_continue": "{user}"}}, r"'to_continue'.*\{client\}"),
    "a place too many": ("en.json", {"pages": {"log_in": "{client}"}}, "'log_in'.* none"),
    "a look into a place": ("en.json", {"pages": {"to_continue": "{client.__class__}"}}, "brace in 'to_continue'"),
    "a place with a width": ("en.json", {"pages": {"to_continue": "{client:>999999999}"}}, "brace in 'to_continue'"),
    "a place without a name": ("en.json", {"pages": {"to_continue": "{}"}}, "brace in 'to_continue'"),
    "half a place": ("en.json", {"pages": {"to_continue": "{client"}}, "brace in 'to_continue'"),
    "two lines": ("en.json", {"mails": {"invitation.subject": "{brand}\r\nBcc: x"}}, "'invitation.subject'"),
    "a place of a scope": ("en.json", {"pages": {"scope.garden": "{client}"}}, "'scope.garden'"),
    "a counted word's other place": ("fr.json", FRENCH | {"pages": {"days.one": "{days}"}}, "'days.one'"),
    "no name": ("fr.json", {"direction": "ltr"}, "what its readers call their language"),
    "no direction": ("fr.json", {"language": "Français"}, '"ltr" or "rtl"'),
    "a name of English": ("en.json", {"language": "Anglais"}, "'language'"),
    "a file of no language": ("french.json", FRENCH, "french.json is of no language"),
    "a file that is no JSON by its name": ("fr.yaml", "", "fr.yaml is of no language"),
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose operator has a folder of texts."""
    (tmp_path / "custom" / "texts").mkdir(parents=True)
    return tmp_path


def write(checkout: Path, name: str, content: object) -> Path:
    file = checkout / "custom" / "texts" / name
    file.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
    return file


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_by_its_name_before_anything_is_done(checkout: Path, name: str) -> None:
    file, content, message = WRONG[name]
    write(checkout, file, content)
    with pytest.raises(CannotDeployError, match=message):
        deployment.check_settings(stages.read("dev"), project=checkout)


def test_nor_is_anything_started_here(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(checkout, "en.json", {"pages": {"log_inn": "Sign in"}})
    (checkout / ".chalice").symlink_to(PROJECT / ".chalice")
    monkeypatch.setattr(serve, "ROOT", checkout)
    assert serve.main(["--state", str(checkout / "state")]) == 1
    assert "did you mean 'log_in'?" in capsys.readouterr().err
    assert not (checkout / "state").exists()


def test_single_lines_of_our_languages_and_any_scope_may_be_the_operators(checkout: Path) -> None:
    write(checkout, "en.json", {"pages": {"log_in": "Sign <b>in</b>", "scope.garden:read": "See your garden"}})
    write(checkout, "ar.json", "\ufeff" + json.dumps({"mails": {"log_in.button": "دخول"}}))
    write(checkout, "README.md", "whatever")
    assert custom.check(checkout) == []


def test_a_line_that_a_language_lacks_is_named(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = {**json.loads(texts.beginning("fr", checkout)), **FRENCH}
    file = write(checkout, "fr.json", content)
    assert custom.check(checkout) == []
    del content["pages"]["log_in"], content["mails"]["invitation.lead"]
    write(checkout, "fr.json", content)
    notice = f"{file} lacks log_in, invitation.lead: readers get the English text there."
    assert custom.check(checkout) == [notice]
    deployment.check_settings(stages.read("dev"), project=checkout)
    assert notice in capsys.readouterr().out
    write(checkout, "fr.json", {**FRENCH, "pages": content["pages"]})
    (many,) = custom.check(checkout)
    assert " more: " in many


def test_a_language_needs_no_more_forms_of_a_counted_word_than_it_has(checkout: Path) -> None:
    for tag, forms in (("fr", {"one", "many"}), ("pl", {"one", "few", "many"}), ("ja", {"many"})):
        lines = json.loads(texts.beginning(tag, checkout))["pages"]
        assert {name.partition(".")[2] for name in lines if name.startswith("days.")} == forms
    french = json.loads(texts.beginning("fr", checkout))
    french["pages"] |= {"days.one": "{n} jour", "days.many": "{n} jours"}
    write(checkout, "fr.json", french | FRENCH)
    assert custom.check(checkout) == []


@pytest.mark.parametrize(("tag", "direction"), [("fr", "ltr"), ("fa", "rtl"), ("he-IL", "rtl"), ("pt-BR", "ltr")])
def test_a_beginning_is_written_as_its_language_is(checkout: Path, tag: str, direction: str) -> None:
    assert json.loads(texts.beginning(tag, checkout))["direction"] == direction


def test_a_beginning_keeps_what_is_written_already(checkout: Path) -> None:
    folder = write(
        checkout, "fr.json", {**FRENCH, "pages": {"log_in": "Se connecter", "scope.jardin": "Jardin"}}
    ).parent
    content = json.loads(texts.beginning("fr", folder))
    assert (content["language"], content["pages"]["log_in"]) == ("Français", "Se connecter")
    assert content["pages"]["scope.jardin"] == "Jardin"
    assert content["pages"]["password"] == "Password"


def test_the_command_prints_a_beginning_and_refuses_what_is_no_language(capsys: pytest.CaptureFixture[str]) -> None:
    run("texts", "fr")
    assert json.loads(capsys.readouterr().out)["mails"]["log_in.button"] == "Log in"
    with pytest.raises(SystemExit, match="no tag"):
        run("texts", "../en")


def test_the_files_ship(checkout: Path) -> None:
    write(checkout, "fr.json", FRENCH)
    package = checkout / "package"
    package.mkdir()
    custom.copy(checkout, package)
    assert (package / "custom" / "texts" / "fr.json").exists()
    assert custom.environment(checkout) == {custom.VARIABLE: str(checkout / "custom")}
    shutil.rmtree(checkout / "custom")
    assert custom.environment(checkout) == {}
