"""The pages that are for who is logged in, as they are declared, and what an account needs so that each shows its forms."""

from collections.abc import Callable, Mapping

from chalicelib.services import Services
from chalicelib.web.metadata.apis import operations

PATHS = [each.path for each in operations() if each.logged_in and each.method == "GET"]
FORMS = [each.path for each in operations() if each.logged_in and each.method == "POST"]
# By path, for the account with an e-mail address; most pages need nothing.
STATES: Mapping[str, Callable[[Services, str], None]] = {}


def prepare(svc: Services, email: str) -> None:
    """Brings an account into a state in which every page shows all of its forms."""
    for prepare_for_page in STATES.values():
        prepare_for_page(svc, email)
