"""When a session is in force, and when a limit's window ends."""

from dataclasses import asdict, replace
from typing import Any

import pytest

from chalicelib.domain.accounts.limits import Limit
from chalicelib.domain.accounts.model import Session, User, in_force

USER = User(uid="ann", email="ann@example.com", password_hash="$", created_at=0)
SESSION = Session(
    uid="ann",
    session_id="1",
    client_id="shop",
    scope=(),
    token_version=1,
    amr=(),
    auth_time=0,
    created_at=0,
    last_used_at=0,
    expires_at=2000,
    ends_at=9000,
)


def test_what_is_not_said_of_a_user_or_a_session_is_nothing() -> None:
    assert {name: value for name, value in asdict(USER).items() if value} == {
        "uid": "ann",
        "email": "ann@example.com",
        "password_hash": "$",
        "token_version": 1,
    }
    assert {name: value for name, value in asdict(SESSION).items() if value} == {
        "uid": "ann",
        "session_id": "1",
        "client_id": "shop",
        "token_version": 1,
        "expires_at": 2000,
        "ends_at": 9000,
        "generation": 1,
    }


@pytest.mark.parametrize(
    ("user", "changes", "now", "expected"),
    [
        ({}, {}, 0, True),
        ({}, {}, 1999, True),
        ({}, {}, 2000, False),
        ({}, {"ended": "logout"}, 0, False),
        ({"disabled": True}, {}, 0, False),
        ({"token_version": 2}, {}, 0, False),
        ({"token_version": 2}, {"token_version": 2}, 0, True),
        (None, {}, 0, False),
        ({}, None, 0, False),
        (None, None, 0, False),
    ],
)
def test_a_session_is_in_force_while_it_and_its_user_are(
    user: dict[str, Any] | None, changes: dict[str, Any] | None, now: int, expected: bool
) -> None:
    whose = None if user is None else replace(USER, **user)
    session = None if changes is None else replace(SESSION, **changes)
    assert in_force(whose, session, now) == ((whose, session) if expected else None)


@pytest.mark.parametrize(
    ("now", "window", "wait"), [(0, 0, 60), (1, 0, 59), (59, 0, 1), (60, 1, 60), (1_800_000_059, 30_000_000, 1)]
)
def test_a_window_ends_when_the_next_begins(now: int, window: int, wait: int) -> None:
    limit = Limit("kind", "ann", 1, 60)
    assert (limit.window(now), limit.wait(now)) == (window, wait)
    assert limit.window(now + wait) == window + 1
    assert limit.window(now + wait - 1) == window
