"""What became of mails that were sent: an address whose mail comes back is mailed no more for whoever is not logged in."""

from ...domain.accounts import email
from ...domain.accounts.model import User
from ...services import Services


def note(svc: Services, address: str, problem: str) -> User | None:
    """The account that has an address to which a mail was sent, with BOUNCE or COMPLAINT noted; None where none has it."""
    uid = svc.users.find(email.canonical(address))
    user = svc.users.read(uid) if uid else None
    if user is None or email.canonical(user.email) != email.canonical(address):
        return None
    return svc.users.note_email_problem(user, problem)
