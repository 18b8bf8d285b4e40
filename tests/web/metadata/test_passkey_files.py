"""Who may use this domain's passkeys, as apps and browsers ask for it."""

import base64
import json

import pytest

from chalicelib.flows.platform import passkey_domain
from chalicelib.services import Services
from tests.support.aws import container
from tests.support.phone import Clock, Phone, deployed, installed, refusal

PLAY, OWN = (":".join([first, *["AB"] * 31]) for first in ("14", "fa"))
PATHS = ("apple-app-site-association", "assetlinks.json", "webauthn")


@pytest.fixture
def svc() -> Services:
    return container(
        deployed(
            LATCHKEY_APPLE_APPS="A1B2C3D4E5.com.example.app A1B2C3D4E5.com.example.beta",
            LATCHKEY_ANDROID_APPS=f"com.example.app={PLAY} com.example.app={OWN} com.example.beta={OWN}",
            LATCHKEY_PASSKEY_ORIGINS="https://garden.example https://garden.test:8443",
        )
    )


@pytest.mark.parametrize("path", PATHS)
def test_what_is_configured_is_json_without_a_redirect(phone: Phone, path: str) -> None:
    answer = phone.call(f"GET /.well-known/{path}")
    assert (answer.status, dict(answer.headers)["Content-Type"]) == (200, "application/json")
    assert answer.body


def test_each_app_is_listed_with_each_of_its_certificates(phone: Phone) -> None:
    apple, android, origins = (json.loads(phone.call(f"GET /.well-known/{path}").body) for path in PATHS)
    assert apple == {"webcredentials": {"apps": ["A1B2C3D4E5.com.example.app", "A1B2C3D4E5.com.example.beta"]}}
    relation = ["delegate_permission/common.handle_all_urls", "delegate_permission/common.get_login_creds"]
    targets = {"com.example.app": [PLAY, OWN.upper()], "com.example.beta": [OWN.upper()]}
    assert android == [
        {
            "relation": relation,
            "target": {"namespace": "android_app", "package_name": package, "sha256_cert_fingerprints": fingerprints},
        }
        for package, fingerprints in targets.items()
    ]
    assert origins == {"origins": ["https://garden.example", "https://garden.test:8443"]}


def test_password_managers_are_sent_to_the_page_for_passkeys(phone: Phone) -> None:
    page = "https://id.example/account/add-passkey"
    assert phone.call("GET /.well-known/passkey-endpoints").json() == {"enroll": page, "manage": page}
    assert b"/authorize/login" in phone.call("GET /account/add-passkey").body  # for who is not logged in yet


def test_the_origins_of_answers_are_the_issuer_s_the_related_and_one_a_certificate(svc: Services) -> None:
    digests = (bytes.fromhex(each.replace(":", "")) for each in (PLAY, OWN))
    android = {"android:apk-key-hash:" + base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in digests}
    party = passkey_domain.relying_party(svc)
    assert party.origins == {"https://id.example", "https://garden.example", "https://garden.test:8443", *android}
    assert party.id == "id.example"


@pytest.mark.parametrize("path", PATHS)
def test_what_is_not_configured_is_not_there(path: str) -> None:
    with installed(container(deployed())):
        assert refusal(Phone(Clock()).call(f"GET /.well-known/{path}")) == (404, "not_found")
