"""The JSON API's copy of all that is kept of its user."""

from ...domain import errors
from ...domain.accounts.export import Export
from ...flows.accounts import export
from ...services import Services
from ..http.answers import Answer, as_file
from ..http.routing import Api, Caller
from .caller import GUARDED, current

api = Api(__name__)


@api.route("GET /me/export", answer=Export, errors=(*GUARDED, errors.LoginRequired, errors.TooManyRequests))
def export_account(svc: Services, caller: Caller) -> Answer:
    """All that is kept of the caller. Needs a login not older than five minutes, with all factors of the account."""
    user, session = current(svc, caller)
    exported = export.read(svc, user, session, auth_time=caller.auth_time)
    return Answer(body=exported, headers=as_file(export.FILE))
