"""docs/conformance.md names tests; each of them exists, and no module of the plan is left out."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "conformance.md").read_text()
SOURCES = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
TESTS = {name for source in SOURCES for name in re.findall(r"^def (test_\w+)\(", source, re.MULTILINE)}


# The modules of oidcc-basic-certification-test-plan, as the OpenID Foundation's suite lists them.
PLAN = """
oidcc-server
oidcc-response-type-missing
oidcc-idtoken-signature
oidcc-idtoken-unsigned
oidcc-userinfo-get
oidcc-userinfo-post-header
oidcc-userinfo-post-body
oidcc-ensure-request-without-nonce-succeeds-for-code-flow
oidcc-scope-profile
oidcc-scope-email
oidcc-scope-address
oidcc-scope-phone
oidcc-scope-all
oidcc-alternate-happy-flow
oidcc-display-page
oidcc-display-popup
oidcc-prompt-login
oidcc-prompt-none-not-logged-in
oidcc-prompt-none-logged-in
oidcc-max-age-1
oidcc-max-age-10000
oidcc-ensure-request-with-unknown-parameter-succeeds
oidcc-id-token-hint
oidcc-login-hint
oidcc-ui-locales
oidcc-claims-locales
oidcc-ensure-request-with-acr-values-succeeds
oidcc-codereuse
oidcc-codereuse-30seconds
oidcc-ensure-registered-redirect-uri
oidcc-ensure-post-request-succeeds
oidcc-server-client-secret-post
oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported
oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported
oidcc-claims-essential
oidcc-ensure-request-object-with-redirect-uri
oidcc-refresh-token
oidcc-ensure-request-with-valid-pkce-succeeds
"""


def test_every_test_that_the_document_names_exists() -> None:
    names = set(re.findall(r"`(test_\w+)`", DOCUMENT))
    assert len(names) > 60
    assert names - TESTS == set()


def test_every_module_of_the_plan_is_listed_with_the_test_of_its_name() -> None:
    modules = re.findall(r"^- (oidcc-[a-z0-9-]+): (?:.*\n  )*.*`(test_\w+)`$", DOCUMENT, re.MULTILINE)
    assert [module for module, _ in modules] == PLAN.split()
    rows = dict(modules)
    test_of_both = "test_oidcc_scope_address_and_phone"
    for module, test in rows.items():
        assert test == f"test_{module.replace('-', '_')}" or test == test_of_both, module
    assert {name for name in TESTS if name.startswith("test_oidcc_")} == set(rows.values())


def test_every_file_that_the_document_names_exists() -> None:
    for path in re.findall(r"`(tests/[\w/]+\.py)`", DOCUMENT):
        assert (ROOT / path).is_file(), path
