from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from ....domain.accounts.limits import Spent
from ....domain.accounts.model import EnrolledFactor, User
from ....domain.authentication.attempt import Attempt
from ....domain.authentication.model import Proof
from ....domain.authentication.user_agent import UserAgent
from ....domain.errors import UnreadableRecord
from ....domain.versioned import Record
from ....services import Services
from ...platform import limits

R = TypeVar("R", bound=Record)


def count_attempt(svc: Services, user: User, network: str) -> Spent:
    """Counts one guess at a factor of an account; raises TooManyRequests."""
    return limits.factor_attempt(svc, user, network=network)


class Enrolment(msgspec.Struct, frozen=True):
    """How an account gets a factor: what its holder keeps sealed and what is shown, then the factor, and what its
    right answer proves.

    Neither writes; `finish` raises InvalidCredentials.
    """

    begin: Callable[[Services, User, UserAgent], tuple[dict[str, str], Mapping[str, Any]]]
    finish: Callable[[Services, User, Mapping[str, str], str], tuple[EnrolledFactor, Proof]]
    most: int = 1  # of an account
    # What is shown once more of what its holder keeps; None where a page by itself cannot add one.
    show: Callable[[Services, User, Mapping[str, str]], Mapping[str, str]] | None = None
    begin_automatic: Callable[[Services, User, UserAgent], tuple[dict[str, str], Mapping[str, Any]]] | None = None
    allowed: Callable[[Services], bool] = lambda _: True  # by the deployment


class Discovery(msgspec.Struct, frozen=True):
    """A login without a user name: what to show to whoever wants in, and who it is, with the proof, by their answer.

    `identify` raises InvalidCredentials, or WrongAnswer as it is to be answered, and AccountDisabled.
    """

    challenge: Callable[[Services, Attempt], Mapping[str, Any]]
    identify: Callable[[Services, Attempt, str], tuple[User, Proof]]


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """One way to prove who one is, with the methods (`amr`, RFC 8176) that it can prove: its kind and level follow from them.

    `count` counts an attempt before `verify` looks at it, which gives a proof or raises InvalidCredentials; a code that is
    good once is used up there, by a condition in the store. `challenge` is what the user has to be shown first, None for
    nothing; what it sends it counts, for the agent's network as well. None of them decides what comes next.
    `discovery` is for one whose answer says whose it is, so that a login can begin with it.
    `enrolled` is whether an account has it, None for what the account itself says. `enrolment` is None where nobody can add it
    as one adds the others. Who has nothing left that `begins_login` could not log in any more. Where one `raises_level`, a
    login to the account needs it beside another. One that `stands_in` for others, which are lost, is nothing without them.
    One that comes `by_mail` proves nothing beside a mail. What is typed for it may be a number (`is_number`), for which
    telephones have other keys; where it is not typed, a page's script makes its answer (`by_script`), as of a passkey.
    """

    name: str
    amr: tuple[str, ...]
    verify: Callable[[Services, Attempt, User, str], Proof]
    challenge: Callable[[Services, Attempt, User, UserAgent], Mapping[str, Any]] | None = None
    discovery: Discovery | None = None
    count: Callable[[Services, User, str], Spent] = count_attempt
    enrolled: Callable[[Services, User], bool] | None = None
    enrolment: Enrolment | None = None
    begins_login: bool = False
    raises_level: bool = True
    stands_in: bool = False
    by_mail: bool = False
    is_number: bool = False
    by_script: bool = False

    @property
    def is_shown_first(self) -> bool:
        """Whether a page asks for it without its user's having chosen it: nothing is sent by that."""
        return self.by_script or self.challenge is None

    def is_enrolled(self, svc: Services, user: User) -> bool:
        """Whether an account has it, which costs no call."""
        return self.enrolled(svc, user) if self.enrolled else user.has_factor(self.name)


def encode(record: Record) -> str:
    """What a factor's kind keeps of it, as it is stored."""
    return msgspec.json.encode(record).decode()


def decode(factor: EnrolledFactor, kind: type[R]) -> R:
    """What is kept of a factor; raises UnreadableRecord for another version or shape than this release knows."""
    try:
        return msgspec.json.decode(factor.record, type=kind)
    except msgspec.MsgspecError as error:
        raise UnreadableRecord(reason=f"factor {factor.kind}: {error}", uid=factor.uid) from error
