"""Every route of this server, in APIS, and the document that describes them."""

from functools import lru_cache
from typing import Any

import msgspec

from ...config import Settings
from ...domain.errors import NotFound
from ...services import Services
from ..api import accounts, activity, consents, devices, email, export, factors, login_enrolment, passkey_signup
from ..api import login as api_login
from ..api import sessions as api_sessions
from ..http.answers import Answer
from ..http.routing import Api, Caller, Operation
from ..oauth import introspection, login_requests, registration, token, userinfo
from ..pages import (
    account,
    account_activity,
    account_apps,
    account_delete,
    account_email,
    account_export,
    account_password,
    authorize,
    change_email,
    device,
    end_session,
    enrol,
    footer,
    login,
    logout,
    mailed_login,
    mailed_signup,
    proof,
    proof_of_work,
    reset_password,
    sessions,
    verify_email,
)
from ..pages import factors as factor_pages
from ..pages import (
    passkey_signup as passkey_signup_pages,
)
from ..pages import (
    passkeys as passkey_pages,
)
from . import discovery, openapi, passkeys, reference
from .discovery import CACHED

api = Api(__name__)


@api.route("GET /openapi.json", media=("application/json",))
def openapi_document(svc: Services, _: Caller) -> Answer:
    """This API as an OpenAPI 3.1 document."""
    return Answer(body=msgspec.json.encode(_document(svc.settings.issuer)).decode(), headers=CACHED)


@api.route("GET /docs", media=(reference.HTML,))
def docs(svc: Services, _: Caller) -> Answer:
    """The same for people: this page."""
    return Answer(body=_page(svc.settings), headers={**CACHED, **reference.page_headers(svc.settings)})


@api.route("GET /docs/{file}", media=(reference.SCRIPT, reference.CSS), errors=(NotFound,))
def docs_file(svc: Services, _: Caller, file: str) -> Answer:
    """A script or a stylesheet of the page, where a deployment has its renderer."""
    return reference.file(svc.settings, file)


APIS = (
    accounts.api,
    export.api,
    passkey_signup.api,
    email.api,
    factors.api,
    devices.api,
    consents.api,
    activity.api,
    api_sessions.api,
    api_login.api,
    login_enrolment.api,
    token.api,
    login_requests.api,
    introspection.api,
    userinfo.api,
    registration.api,
    login.api,
    mailed_login.api,
    mailed_signup.api,
    proof.api,
    enrol.api,
    passkey_pages.api,
    passkey_signup_pages.api,
    proof_of_work.api,
    authorize.api,
    device.api,
    logout.api,
    account.api,
    sessions.api,
    factor_pages.api,
    account_email.api,
    account_password.api,
    account_apps.api,
    account_activity.api,
    account_export.api,
    account_delete.api,
    end_session.api,
    footer.api,
    verify_email.api,
    change_email.api,
    reset_password.api,
    discovery.api,
    passkeys.api,
    api,
)


def operations() -> list[Operation]:
    """Every route, as it was declared."""
    return [operation for each in APIS for operation in each.operations]


@lru_cache(maxsize=4)
def _document(issuer: str) -> dict[str, Any]:
    return openapi.document(issuer, operations())


@lru_cache(maxsize=4)
def _page(settings: Settings) -> str:
    return reference.page(settings, _document(settings.issuer))
