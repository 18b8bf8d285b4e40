"""AppAuth, the library of native apps, in its edition for Node: a public client that is answered at a loopback port."""

from typing import Any

import pytest

from tests.interop import javascript
from tests.interop.javascript import run_alone
from tests.interop.served import Served, free_port
from tests.support.forge import peek

javascript.needed()
ALGORITHM = "RS256"


@pytest.fixture
def registration(served: Served) -> dict[str, Any]:
    """What the developer of a native app knows; its port is found when it runs."""
    app = served.client("none", redirect_uris=("http://127.0.0.1/cb",), application_type="native")
    return {**app, "redirect_uri": f"http://127.0.0.1:{free_port()}/cb"}


def test_a_native_app_logs_its_user_in_refreshes_and_revokes(served: Served, registration: dict[str, Any]) -> None:
    person = served.person()
    answer = run_alone("appauth/login.mjs", registration, person)
    assert answer["state"] == answer["sentState"]
    assert peek(answer["first"]["idToken"])[1]["aud"] == registration["client_id"]
    assert answer["first"]["refreshToken"] != answer["second"]["refreshToken"]
    assert answer["userinfo"]["email"] == person.email
    assert answer["after"] == "Bad Request"  # AppAuth for Node reads no more of a refusal than its status


def test_a_native_app_hears_that_its_user_refused(served: Served, registration: dict[str, Any]) -> None:
    answer = run_alone("appauth/login.mjs", registration, served.person("deny"))
    assert (answer["error"], answer["state"]) == ("access_denied", answer["sentState"])
