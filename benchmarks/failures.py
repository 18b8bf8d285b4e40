"""What a login that fails takes, by why it fails: whoever measures it must not learn whether there is such an account.

The password hash is the real one, and the calls go to a DynamoDB in this process, so the code's own way alone is measured.
"""

from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from os import devnull
from pathlib import Path
from statistics import median
from time import process_time

from app import app
from benchmarks.rounds import Comparison
from benchmarks.routes import event
from chalicelib import config, services
from chalicelib.domain.accounts.model import User
from chalicelib.domain.accounts.passwords import OWASP_19_MIB, hash_password
from tests.support import aws

Login = tuple[str, str]

TRIES, AT_MOST = 200, 1.05
WRONG, NUL, OVERLONG = "not the password", "not the\x00password", "x" * 300
USUAL, UNKNOWN = "usual@example.com", "unknown@example.com"
# What is compared, with its address and password, and what it must not be told from.
PAIRS = {
    "unknown address / wrong password": ((UNKNOWN, WRONG), (USUAL, WRONG)),
    "disabled / wrong password": (("disabled@example.com", WRONG), (USUAL, WRONG)),
    "no password / wrong password": (("passwordless@example.com", WRONG), (USUAL, WRONG)),
    "unverified / wrong password": (("unverified@example.com", WRONG), (USUAL, WRONG)),
    "NUL in it / wrong password": ((USUAL, NUL), (USUAL, WRONG)),
    "NUL in it, unknown / known": ((UNKNOWN, NUL), (USUAL, NUL)),
    "empty, unknown / known": ((UNKNOWN, ""), (USUAL, "")),
    "overlong, unknown / known": ((UNKNOWN, OVERLONG), (USUAL, OVERLONG)),
}


def measure() -> Iterator[Comparison]:
    """Medians of so many tries each, which take turns; the greater of two over the smaller."""
    settings = config.load({"LATCHKEY_ISSUER": "https://id.example", "LATCHKEY_LIMITS": "*=999999999"})
    aws.deploy(settings)
    svc = aws.container(settings, hashing=OWASP_19_MIB)
    services.use(svc)
    usual = User(uid="0" * 32, email=USUAL, password_hash=hash_password("right", profile=OWASP_19_MIB), created_at=0)
    for number, user in enumerate(
        (
            replace(usual, email_verified=True),
            replace(usual, email="disabled@example.com", email_verified=True, disabled=True),
            replace(usual, email="passwordless@example.com", email_verified=True, password_hash=""),
            replace(usual, email="unverified@example.com"),
        )
    ):
        svc.transactions.commit(svc.users.creation(replace(user, uid=f"{number:032}"), canonical_email=user.email))
    for name, pair in PAIRS.items():
        a, b = _medians(*pair)
        ours_text, yardstick_text = (f"{each * 1e6:,.0f} µs" for each in (a, b))
        yield Comparison(
            name=f"login: {name}", ratio=max(a / b, b / a), at_most=AT_MOST, ours=ours_text, yardstick=yardstick_text
        )


def _medians(ours: Login, yardstick: Login) -> tuple[float, float]:
    """Of tries that take turns in who goes first."""
    durations: dict[Login, list[float]] = {ours: [], yardstick: []}
    with Path(devnull).open("w") as nowhere, redirect_stdout(nowhere):
        for number in range(TRIES):
            for login in (ours, yardstick) if number % 2 else (yardstick, ours):
                durations[login].append(_seconds(*login))
    return median(durations[ours]), median(durations[yardstick])


def _seconds(address: str, password: str) -> float:
    request = event("POST", "/login", {"email": address, "password": password})
    started = process_time()
    app(request, None)
    return process_time() - started
