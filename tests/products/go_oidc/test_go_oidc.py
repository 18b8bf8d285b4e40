"""go-oidc with x/oauth2, and two libraries that verify access tokens in Go."""

from pathlib import Path

from tests.products.product import Product

NEEDS = ("go",)
URL = "http://localhost:8080"  # nobody listens there: the client is told where its browser was sent


def test_a_client_logs_in_refreshes_and_has_its_access_token_verified(product: Product) -> None:
    program = product.go_project(Path(__file__).parent)
    product.connect(URL).write(product.folder)
    person = product.person()

    came_to = product.conversation([program, product.folder / "client.json"], person)

    assert came_to.pop("a wrong code") == "invalid_grant"
    assert came_to.pop("userinfo") == person.email
    assert came_to["login"] == came_to["keyfunc"] == came_to["jwx"]
