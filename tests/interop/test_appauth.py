"""AppAuth, the library of native apps, in its edition for Node: a public client that is answered at a loopback port."""

from typing import Any

import pytest

from tests.interop import javascript
from tests.interop.javascript import run
from tests.interop.served import Served, free_port
from tests.support.forge import peek

javascript.needed()
ALGORITHM = "RS256"


@pytest.fixture
def told(served: Served) -> dict[str, Any]:
    """What the developer of a native app knows; its port is found when it runs."""
    app = served.client("none", redirect_uris=("http://127.0.0.1/cb",), application_type="native")
    return {**app, "redirect_uri": f"http://127.0.0.1:{free_port()}/cb"}


def test_a_native_app_logs_its_user_in_refreshes_and_revokes(served: Served, told: dict[str, Any]) -> None:
    person = served.person()
    got = run("appauth/login.mjs", told, person)
    assert got["state"] == got["asked"]
    assert peek(got["first"]["idToken"])[1]["aud"] == told["client_id"]
    assert got["first"]["refreshToken"] != got["second"]["refreshToken"]
    assert got["userinfo"]["email"] == person.email
    assert got["after"] == "Bad Request"  # AppAuth for Node reads no more of a refusal than its status


def test_a_native_app_hears_that_its_user_refused(served: Served, told: dict[str, Any]) -> None:
    got = run("appauth/login.mjs", told, served.person("deny"))
    assert (got["error"], got["state"]) == ("access_denied", got["asked"])
