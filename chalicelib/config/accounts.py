"""Who may have an account, and what is mailed to them."""

from collections.abc import Mapping
from typing import Any

from . import attributes, clients, values
from .limits import DAY
from .values import WrongSetting

MAIL_FROM = (
    r"[^\s<>@\"]+@[^\s<>@\"]+|[^<>@\"\r\n]+ <[^\s<>@\"]+@[^\s<>@\"]+>|",
    "an address, or a name and an address like Example <login@example.com>",
)
CONFIGURATION_SET = (r"[A-Za-z0-9_-]{0,64}", "the name of a configuration set of SES, like latchkey-prod")
MAIL_DOMAINS = (
    r"(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?",
    "domains in small letters of ASCII, like example.com, or *.example.com for those below it",
)
RANGE_URL = (
    r"(https://[^\s?#]+/)?",
    "an https URL with a slash at its end, like https://api.pwnedpasswords.com/range/",
)


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings of accounts."""
    sign_up = values.one_of(environ, "LATCHKEY_SIGN_UP", "open", "verified", "invitation", "closed")
    mail_from = values.text(environ, "LATCHKEY_MAIL_FROM", *MAIL_FROM)
    if sign_up in ("verified", "invitation") and not mail_from:
        raise WrongSetting(f"LATCHKEY_SIGN_UP={sign_up} sends mail: name its LATCHKEY_MAIL_FROM")
    second_factor = values.one_of(environ, "LATCHKEY_SECOND_FACTOR", "optional", "required", "off")
    aal2_scopes = values.words(environ, "LATCHKEY_AAL2_SCOPES", *clients.SCOPES)
    if second_factor == "off" and aal2_scopes:
        raise WrongSetting("LATCHKEY_AAL2_SCOPES needs second factors: LATCHKEY_SECOND_FACTOR=off has none")
    guests = values.switch(environ, "LATCHKEY_GUESTS")
    if guests and (sign_up not in ("open", "verified") or second_factor == "required"):
        raise WrongSetting("LATCHKEY_GUESTS=on is for where anybody may sign up, and nobody needs a second factor")
    return {
        "guests": guests,
        "sign_up": sign_up,
        "second_factor": second_factor,
        "email_codes": values.switch(environ, "LATCHKEY_EMAIL_CODES"),
        "aal2_scopes": frozenset(aal2_scopes),
        "attributes": attributes.read(environ),
        "mail_from": mail_from,
        "ses_configuration_set": values.text(environ, "LATCHKEY_SES_CONFIGURATION_SET", *CONFIGURATION_SET),
        "login_by_mail": values.one_of(environ, "LATCHKEY_LOGIN_BY_MAIL", "on", "off") == "on",
        "unverified_account_seconds": DAY * values.number(environ, "LATCHKEY_UNVERIFIED_ACCOUNT_DAYS", 0, highest=3650),
        "deletion_seconds": DAY * values.number(environ, "LATCHKEY_DELETION_DAYS", 0, highest=90),
        "mail_domains": values.words(environ, "LATCHKEY_MAIL_DOMAINS", *MAIL_DOMAINS),
        "refused_mail_domains": values.words(environ, "LATCHKEY_REFUSED_MAIL_DOMAINS", *MAIL_DOMAINS),
        "password_score": values.number(environ, "LATCHKEY_PASSWORD_SCORE", 3, highest=4),
        "password_history": values.number(environ, "LATCHKEY_PASSWORD_HISTORY", 0, highest=3),
        **_flood(environ),
        "breached_passwords_url": values.text(environ, "LATCHKEY_BREACHED_PASSWORDS_URL", *RANGE_URL),
    }


def _flood(environ: Mapping[str, str]) -> dict[str, Any]:
    """What stands in front of the hash of a stranger's password."""
    mode = values.one_of(environ, "LATCHKEY_PROOF_OF_WORK", "off", "on", "under_attack")
    hashes = values.number(environ, "LATCHKEY_DAILY_HASHES", 0)
    if mode == "under_attack" and not hashes:
        raise WrongSetting("LATCHKEY_PROOF_OF_WORK=under_attack begins where LATCHKEY_DAILY_HASHES ends: set that too")
    bits = values.number(environ, "LATCHKEY_PROOF_OF_WORK_BITS", 16, lowest=1, highest=32)
    return {"proof_of_work": mode, "daily_hashes": hashes, "proof_of_work_bits": bits}
