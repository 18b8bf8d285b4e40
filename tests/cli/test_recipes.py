"""Recipes: what is printed for a product is what its client was made for, and what the document says."""

import json
import re
from pathlib import Path

import pytest

from chalicelib.domain.oauth.client import Client
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from cli import recipes
from tests.support.commands import run

ROOT = Path(__file__).parents[2]
NAMES = recipes.names()
CLIENTS = [name for name in NAMES if recipes.read(name).client]
SHARED = (ROOT / "tests/interop/package.json", ROOT / "tests/products/django/requirements.txt")
OF_THE_MACHINE = {"apache"}  # Debian's
FULL_URL = "https://product.example"


def created(svc: Services, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, object], str, str]:
    """A client that was made: its metadata, its secret, and what was printed after both."""
    run("clients", "create", *arguments, on=svc)
    metadata, _, rest = capsys.readouterr().out.partition("\n}\n")
    secret, _, recipe = rest.removeprefix("client_secret (told this once): ").partition("\n")
    return json.loads(metadata + "}"), secret, recipe


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_for_a_product_can_be_made_and_its_settings_are_filled_in(
    svc: Services, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    metadata, secret, recipe = created(svc, capsys, "--for", name, "--url", FULL_URL)
    assert metadata["client_name"] == recipes.read(name).title
    assert not recipes.PLACEHOLDER.findall(recipe.replace("<client_secret>", "") if not secret else recipe)
    assert str(metadata["client_id"]) in recipe


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_says_where_it_is_from(name: str) -> None:
    recipe = recipes.read(name)
    assert re.match("https://", recipe.documentation)
    assert re.search("[0-9]", recipe.version)
    assert not recipe.test or (ROOT / recipe.test).exists()


@pytest.mark.parametrize("name", [name for name in NAMES if recipes.read(name).test and name not in OF_THE_MACHINE])
def test_the_version_that_a_recipe_was_run_with_is_the_one_that_its_test_takes(name: str) -> None:
    recipe = recipes.read(name)
    folder = ROOT / recipe.test
    files = [*(folder.iterdir() if folder.is_dir() else [folder]), *SHARED]
    assert any(recipe.version in path.read_text() for path in files if path.is_file())


def test_each_folder_of_a_product_has_a_recipe() -> None:
    folders = {str(path.parent.relative_to(ROOT)) for path in (ROOT / "tests" / "products").glob("*/test_*.py")}
    assert folders <= {recipes.read(name).test for name in NAMES}


def test_the_document_is_made_of_the_recipes() -> None:
    assert (ROOT / "docs" / "clients.md").read_text() == recipes.document() + "\n", "see the page's own last line"


@pytest.mark.parametrize("name", CLIENTS)
def test_the_document_asks_for_a_url_where_it_is_needed_and_nowhere_else(svc: Services, name: str) -> None:
    command = next(
        line
        for line in recipes.document().splitlines()
        if line.endswith((f"--for {name}", f"--for {name} --url https://…"))
    )
    if command.endswith("--url https://…"):
        with pytest.raises(SystemExit, match="Where is it"):
            run("clients", "create", "--for", name, on=svc)
    else:
        run("clients", "create", "--for", name, on=svc)


def test_what_is_typed_overrules_a_recipe(svc: Services, capsys: pytest.CaptureFixture[str]) -> None:
    typed = ("client_name=Ours", "redirect_uris=https://a.example/oauth2/callback")
    metadata, secret, recipe = created(svc, capsys, "--for", "oauth2-proxy", *typed)
    assert (metadata["client_name"], metadata["redirect_uris"]) == ("Ours", ["https://a.example/oauth2/callback"])
    assert 'redirect_url = "https://a.example/oauth2/callback"' in recipe
    assert secret in recipe


def test_a_recipe_is_printed_again_without_the_secret(svc: Services, capsys: pytest.CaptureFixture[str]) -> None:
    metadata, secret, before = created(svc, capsys, "--for", "oauth2-proxy", "--url", FULL_URL)
    run("clients", "show", str(metadata["client_id"]), "--for", "oauth2-proxy", on=svc)
    again = capsys.readouterr().out
    assert again.endswith(before.replace(secret, "<client_secret>"))


def test_whoever_names_no_product_or_not_where_it_is_is_told(svc: Services) -> None:
    with pytest.raises(SystemExit, match="did you mean oauth2-proxy"):
        run("clients", "create", "--for", "oauth-proxy", on=svc)
    with pytest.raises(SystemExit, match="Where is it"):
        run("clients", "create", "--for", "aws-load-balancer", on=svc)


def test_a_product_that_is_no_client_makes_none(svc: Services) -> None:
    with pytest.raises(SystemExit, match="no client of its own"):
        run("clients", "create", "--for", "kubernetes-api-server", on=svc)


def test_where_a_product_is_stands_in_its_settings_with_its_path(
    svc: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata, _, recipe = created(svc, capsys, "--for", "argo-cd", "--url", "https://ops.example/argo/")
    assert metadata["redirect_uris"] == ["https://ops.example/argo/auth/callback"]
    assert "\n  url: https://ops.example/argo\n" in recipe


@pytest.mark.parametrize(
    "text", ["$(id)", "`id`", "&id", ";id", "|id", '"+id+"', "'+id+'", "<id>", "{id}", "(id)", "!id"]
)
def test_what_a_client_said_of_itself_is_not_pasted_into_a_program(
    svc: Services, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    uri = f"https://a.example/cb?{text}"
    client, _ = manage.create(svc, Client(client_id="", redirect_uris=(uri,), scopes=("openid",)))
    for name in CLIENTS:
        run("clients", "show", client.client_id, "--for", name, on=svc)
        assert "a.example" not in capsys.readouterr().out.partition("\n}\n")[2]
