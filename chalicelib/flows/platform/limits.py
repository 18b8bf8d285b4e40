"""What is counted, for whom, and when; `LIMITS` in config/limits.py has every limit with its number."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import ceil
from secrets import randbelow
from urllib.parse import urlsplit

import msgspec

from ...domain.accounts import email
from ...domain.accounts.limits import Backoff, Limit, SingleUse, Spent
from ...domain.accounts.model import User
from ...domain.durations import DAY
from ...domain.errors import AccountDisabled, InvalidCredentials, LatchkeyError, TemporarilyUnavailable, TooManyRequests
from ...services import Services
from . import proof_of_work

HASHES, BUDGET_PARTS = "daily_hashes", 16
OPERATORS = ""  # the network of whoever works at the command line, all of them together


def password_attempt(
    svc: Services, *, canonical_email: str, network: str, device_id: str = "", work: str | None = None
) -> Spent:
    """Counts one guess of a password, which a right one gives back; raises TooManyRequests.

    What comes of it belongs under `keep_failure`. Two limits are each network's own. The account's is all networks'
    together, and several can use it up, or keep anybody else from counting against it: from then on each has few guesses at
    this account, but it has them, so nobody keeps an owner in another network out.

    A device that the account knows has a count of its own, which nobody else can use up; then it counts as a stranger's.
    A stranger's `work` is what it shows of that, None for who is logged in; raises ProofOfWorkRequired where it is due.
    """
    if device_id:
        with suppress(TooManyRequests):
            return _spend(svc, _backoff(svc, "password_device", device_id, canonical_email))
    of_strangers = () if work is None else _of_strangers(svc, work)
    also = (_limit(svc, "password_network", network), *of_strangers)
    with _asking_for_work(svc):
        spent = _spend_of_account(
            svc,
            _limit(svc, "password_account", canonical_email),
            (_backoff(svc, "password_account_network", canonical_email, network), *also),
            (_limit(svc, "password_account_network_slow", canonical_email, network), *also),
        )
    return msgspec.structs.replace(spent, limits=_without_work(spent.limits))


@contextmanager
def _asking_for_work(svc: Services) -> Iterator[None]:
    try:
        yield
    except TooManyRequests as refusal:
        used_up = refusal.reason == HASHES and svc.settings.proof_of_work == proof_of_work.UNDER_ATTACK
        if used_up or refusal.reason == proof_of_work.USED:
            raise proof_of_work.required(svc) from None
        raise


def _without_work(limits: tuple[Limit | Backoff, ...]) -> tuple[Limit | Backoff, ...]:
    # An answer that was shown is never given back.
    return tuple(each for each in limits if not isinstance(each, SingleUse))


def _of_strangers(svc: Services, work: str) -> tuple[Limit, ...]:
    """What a hash for somebody unknown counts against besides: the work that was shown, else the day's budget of hashes."""
    settings = svc.settings
    if settings.proof_of_work != proof_of_work.OFF:
        if answer := proof_of_work.single_use(svc, work):
            return (answer,)
        if settings.proof_of_work == proof_of_work.ON:
            raise proof_of_work.required(svc)
    if not settings.daily_hashes:
        return ()
    # In parts, each of which is used at random: one counter of all would be too hot a key.
    most = ceil(settings.daily_hashes / BUDGET_PARTS)
    return (Limit(HASHES, str(randbelow(BUDGET_PARTS)), most, DAY),)


def factor_attempt(svc: Services, user: User, *, network: str) -> Spent:
    """Counts one guess at a further factor of an account, as one of a password; raises TooManyRequests.

    Codes are short, and networks are many, so there is an end to all of them together. Only who knows the password or is
    logged in comes so far, and a new password begins the count anew: nobody else keeps the owner out.
    """
    # Not by the token version, which whoever is logged in can move on by ending other sessions.
    of_password = _limit(svc, "factor_password", user.uid, user.password_hash)
    return _spend_of_account(
        svc,
        _limit(svc, "factor_account", user.uid),
        (_backoff(svc, "factor_account_network", user.uid, network), of_password),
        (_limit(svc, "factor_account_network_slow", user.uid, network), of_password),
    )


def factor_alarm(svc: Services, user: User) -> bool:
    """Counts one wrong answer of who knows the password, and says whether the owner has to hear of so many: once a day."""
    try:
        _spend(svc, _limit(svc, "factor_alarm_account", user.uid))
    except TooManyRequests:
        try:
            _spend(svc, _limit(svc, "factor_alarm_mail_account", user.uid))
        except TooManyRequests:
            return False
        return True
    return False


def factor_change(svc: Services, user: User) -> None:
    """Counts one factor added or removed, which is a mail to whoever has the account's address; raises TooManyRequests."""
    _spend(svc, _limit(svc, "factor_change_account", email.canonical(user.email) or user.uid))


def _spend_of_account(
    svc: Services, of_account: Limit, usual: tuple[Limit | Backoff, ...], once_used_up: tuple[Limit, ...]
) -> Spent:
    try:
        return _spend(svc, *usual, of_account)
    except (TooManyRequests, TemporarilyUnavailable) as refusal:
        if refusal.reason not in (of_account.kind, of_account.contended):
            raise
    return _spend(svc, *once_used_up)


@contextmanager
def keep_failure(svc: Services, spent: Spent) -> Iterator[None]:
    """Keeps that a guess was wrong if what is done meanwhile says so; for another refusal it is given back."""
    try:
        with give_back_if_refused(svc, spent, but=(InvalidCredentials, AccountDisabled)):
            yield
    except (InvalidCredentials, AccountDisabled):
        svc.attempts.fail(spent, now=svc.now())
        raise


@contextmanager
def give_back_if_refused(svc: Services, spent: Spent, *, but: tuple[type[LatchkeyError], ...] = ()) -> Iterator[None]:
    """Gives an attempt back that was right, where what it was for is refused."""
    try:
        yield
    except but:
        raise
    except LatchkeyError:
        svc.attempts.give_back(spent, now=svc.now())
        raise


def sign_up(svc: Services, *, unverified_email: str, network: str, work: str | None, link_id: str = "") -> Spent:
    """Counts one new account, and gives what a sign-up gives back that hashes nothing; raises TooManyRequests.

    An address, which is canonical, is not counted where a mail has verified it (""): strangers can have used that up. Its
    link is, in its place: before it is used up it could have any number of passwords hashed. `work` is what a stranger
    shows of that, None where no password is hashed or a mail was read first; raises ProofOfWorkRequired where it is due.
    """
    subject = (unverified_email,) if unverified_email else ("link", link_id)
    of_address = (_limit(svc, "sign_up_address", *subject),) if unverified_email or link_id else ()
    of_strangers = () if work is None else _of_strangers(svc, work)
    of_accounts = (_limit(svc, "sign_up_network", network), *of_address)
    with _asking_for_work(svc):
        spent = _spend(svc, *of_accounts, *of_strangers, _limit(svc, "sign_up_attempt_network", network))
    return msgspec.structs.replace(spent, limits=(*of_accounts, *_without_work(of_strangers)))


def sign_up_attempt(svc: Services, *, network: str) -> None:
    """Counts one password that is judged before anything is mailed; raises TooManyRequests."""
    _spend(svc, _limit(svc, "sign_up_attempt_network", network))


def guest(svc: Services, *, network: str) -> None:
    """Counts one new guest; raises TooManyRequests."""
    _spend(svc, _limit(svc, "guest_network", network))


def sign_up_mail(svc: Services, *, canonical_email: str, network: str) -> None:
    """Counts one mail to who wants an account, whether there is one or not; raises TooManyRequests."""
    _spend(svc, _limit(svc, "mail_network", network), _limit(svc, "sign_up_mail_address", canonical_email))


def reset(svc: Services, *, canonical_email: str, network: str) -> None:
    """Counts one mail for a new password, whether there is such an account or not; raises TooManyRequests."""
    _spend(
        svc,
        _limit(svc, "reset_network", network),
        _limit(svc, "reset_address_network", canonical_email, network),
        _limit(svc, "reset_address", canonical_email),
    )


def reset_confirmation(svc: Services, user: User) -> None:
    """Counts one password that is chosen by a good link or after a fresh login, for judging it costs; raises TooManyRequests."""
    _spend(svc, _limit(svc, "reset_confirmation_account", user.uid))


def login_mail(svc: Services, *, canonical_email: str, network: str) -> None:
    """Counts one mail to log in by, whether there is such an account or not; raises TooManyRequests."""
    _spend(
        svc,
        _limit(svc, "mail_network", network),
        _limit(svc, "login_mail_address_network", canonical_email, network),
        _limit(svc, "login_mail_address", canonical_email),
    )


def login_code(svc: Services, *, canonical_email: str, network: str) -> Spent:
    """Counts one guess at the code of such a mail, which a right one gives back; raises TooManyRequests.

    What comes of it belongs under `keep_failure`. It is for all attempts together, of which a stranger can begin many.
    Strangers can use up the address's own limit; whoever reads its mail has the link besides, which is no guess.
    """
    return _spend(
        svc,
        _limit(svc, "mail_code_network", network),
        _backoff(svc, "login_code_address_network", canonical_email, network),
        _limit(svc, "login_code_address", canonical_email),
    )


# Of accounts that are mailed the address is counted: who deletes one and makes another with it begins no new count.
def password_change(svc: Services, user: User) -> None:
    """Counts one new password, which is a mail to whoever has the account's address; raises TooManyRequests."""
    _spend(svc, _limit(svc, "password_change_account", email.canonical(user.email)))


def deletion(svc: Services, user: User) -> None:
    """Counts one wish to have an account erased, which is a mail to whoever has its address; raises TooManyRequests."""
    _spend(svc, _limit(svc, "deletion_account", email.canonical(user.email)))


def export(svc: Services, user: User) -> None:
    """Counts one look at all that is kept of a user; raises TooManyRequests."""
    _spend(svc, _limit(svc, "export_account", user.uid))


def mail(svc: Services, user: User, *, network: str) -> None:
    """Counts one mail to an account that somebody asked for; raises TooManyRequests."""
    _spend(svc, _limit(svc, "mail_network", network), _limit(svc, "mail_account", email.canonical(user.email)))


def new_device_mail(svc: Services, user: User) -> None:
    """Counts one mail about a login on a new device; raises TooManyRequests: who knows the password could flood the owner."""
    _spend(svc, _limit(svc, "new_device_mail_account", user.uid))


def email_change(svc: Services, user: User, *, canonical_email: str, network: str) -> None:
    """Counts one mail to an address that an account is to have; raises TooManyRequests."""
    _spend(
        svc,
        _limit(svc, "mail_network", network),
        _limit(svc, "mail_account", user.uid),
        _limit(svc, "email_change_address", canonical_email),
    )


def mail_code(svc: Services, user: User, *, network: str, canonical_new_email: str = "") -> Spent:
    """Counts one code of a mail that was typed, which a right one gives back; raises TooManyRequests.

    A code that makes an address an account's counts for that address too: accounts are many, and so would be the guesses.
    """
    of_address = (_limit(svc, "mail_code_account", "new", canonical_new_email),) if canonical_new_email else ()
    return _spend(
        svc,
        _limit(svc, "mail_code_network", network),
        _limit(svc, "mail_code_account", email.canonical(user.email) or user.uid),
        *of_address,
    )


def user_code(svc: Services, *, network: str) -> Spent:
    """Counts one user code typed, which a right one gives back; raises TooManyRequests."""
    return _spend(svc, _limit(svc, "user_code_network", network))


def device_request(svc: Services, *, network: str) -> None:
    """Counts one pair of codes for a device whose client proves nothing; raises TooManyRequests."""
    _spend(svc, _limit(svc, "device_request_network", network))


def outbound_fetch(svc: Services, *, url: str, network: str) -> None:
    """Counts one look at a host that a stranger named; raises TooManyRequests, so that nobody is flooded through us.

    The first limit is each network's own, so that no single one can use up the second, which is the host's.
    """
    _spend(svc, _limit(svc, "fetch_network", network), _limit(svc, "fetch_host", host(url)))


def back_channel(svc: Services, *, url: str) -> None:
    """Counts one message to a host that a stranger named; raises TooManyRequests."""
    _spend(svc, _limit(svc, "logout_token_host", host(url)))


def host(url: str) -> str:
    """The host of a URL, one spelling for all that lead there."""
    return (urlsplit(url).hostname or "").removesuffix(".")


def registration(svc: Services, *, network: str) -> None:
    """Counts one client registered without a token; raises TooManyRequests."""
    _spend(svc, _limit(svc, "registration_network", network))


def pushed_request(svc: Services, *, network: str) -> None:
    """Counts one request pushed by a client that proves nothing; raises TooManyRequests, for each is kept for a day."""
    _spend(svc, _limit(svc, "pushed_request_network", network))


def registration_change(svc: Services, *, client_id: str) -> None:
    """Counts one change of a registration by its client; raises TooManyRequests."""
    _spend(svc, _limit(svc, "registration_change_client", client_id))


def _limit(svc: Services, name: str, *subject: str) -> Limit:
    most, seconds = svc.settings.limits[name]
    return Limit(name, "\0".join(subject), most, seconds)


def _backoff(svc: Services, name: str, *subject: str) -> Backoff:
    free, longest = svc.settings.limits[name]
    return Backoff(name, "\0".join(subject), free, longest)


def _spend(svc: Services, *limits: Limit | Backoff) -> Spent:
    now = svc.now()
    forbidding = svc.attempts.spend(limits, now=now)
    if forbidding:
        raise TooManyRequests(retry_after=forbidding.wait(now), reason=forbidding.kind)
    return Spent(limits, now)
