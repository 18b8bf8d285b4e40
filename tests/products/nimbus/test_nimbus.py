"""The Nimbus OAuth 2.0 SDK: a client in Java that pushes its request, logs in, and does what there is to do after it."""

from pathlib import Path

from tests.interop.served import REGISTRATION_TOKEN
from tests.products.product import Product

NEEDS = ("java", "mvn")
VERSION = "11.30"
URL = "http://localhost:8080"  # nobody listens there: the client is told where its browser was sent


def test_a_client_logs_in_refreshes_asks_about_its_tokens_ends_them_and_registers_another(product: Product) -> None:
    jar = product.maven(Path(__file__).parent, VERSION)
    product.connect(URL, introspects="yes").write(product.folder)
    command = ["java", "-Xmx256m", "-jar", jar, product.folder / "client.properties", REGISTRATION_TOKEN]
    person = product.person()

    came_to = product.conversation(command, person)

    assert came_to.pop("login") == came_to.pop("refresh")
    assert came_to == {
        "userinfo": person.email,
        "introspection": "true",
        "introspection after revocation": "false",
        "registration": "web",
    }
