"""Whether a password is in a list of breached ones, by the range API of Have I Been Pwned or a mirror of it.

Five of the forty digits of its SHA-1 are sent, and the answer is padded, so nobody else learns the password (k-anonymity).
A list that does not answer stops nobody; the log says so.
"""

import hashlib

from ...domain.errors import WeakPassword
from ...services import Services
from ..platform import notes

PREFIX = 5


def check(svc: Services, secret: str) -> None:
    """Raises WeakPassword for a normalised password that is in the list, if the deployment has named one."""
    url = svc.settings.breached_passwords_url
    if not url:
        return
    digest = hashlib.sha1(secret.encode(), usedforsecurity=False).hexdigest().upper()
    answer = svc.fetch.get(url + digest[:PREFIX], headers={"Accept": "text/plain", "Add-Padding": "true"})
    if answer.status != 200:
        notes.note(f"breached passwords: {answer.reason or answer.status}")
        return
    # Padding has the count 0.
    suffix = digest[PREFIX:].encode() + b":"
    counts = [line[len(suffix) :].strip() for line in answer.body.upper().splitlines() if line.startswith(suffix)]
    if any(count.strip(b"0") for count in counts):
        raise WeakPassword("This password is in a list of passwords that were stolen elsewhere.", rule="breached")
