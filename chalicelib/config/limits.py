"""Every limit there is, and what a deployment makes of them."""

import re
from collections.abc import Mapping

from .values import WrongSetting

QUARTER, HOUR, DAY = 15 * 60, 60 * 60, 24 * 60 * 60
# Every limit there is: how many in a window, and the window's seconds; of guesses how many are free, and the longest wait
# after that. The name says what is counted and for whom; docs/operations.md says it in words.
LIMITS: Mapping[str, tuple[int, int]] = {
    "password_account_network": (5, QUARTER),
    "password_network": (100, QUARTER),
    "password_account": (100, HOUR),
    "password_account_network_slow": (3, HOUR),
    "password_device": (5, QUARTER),
    "factor_account_network": (5, QUARTER),
    "factor_account": (50, HOUR),
    "factor_account_network_slow": (3, HOUR),
    "factor_password": (100, DAY),
    "factor_alarm_account": (9, DAY),
    "factor_alarm_mail_account": (1, DAY),
    "factor_change_account": (20, DAY),
    "password_change_account": (10, DAY),
    "deletion_account": (10, DAY),
    "export_account": (10, HOUR),
    "new_device_mail_account": (10, DAY),
    "sign_up_network": (20, HOUR),
    "sign_up_address": (20, HOUR),
    "sign_up_attempt_network": (100, HOUR),
    "guest_network": (20, HOUR),
    "sign_up_mail_address": (5, HOUR),
    "reset_address_network": (3, HOUR),
    "reset_address": (20, HOUR),
    "reset_network": (20, HOUR),
    "reset_confirmation_account": (20, HOUR),
    "login_mail_address_network": (5, HOUR),
    "login_mail_address": (20, HOUR),
    "login_code_address_network": (5, QUARTER),
    "login_code_address": (50, DAY),
    "mail_network": (50, HOUR),
    "mail_account": (5, HOUR),
    "email_change_address": (10, HOUR),
    "mail_code_network": (50, HOUR),
    "mail_code_account": (10, DAY),
    "user_code_network": (30, QUARTER),
    "device_request_network": (100, QUARTER),
    "pushed_request_network": (200, QUARTER),
    "registration_network": (20, HOUR),
    "registration_change_client": (20, HOUR),
    "fetch_network": (30, QUARTER),
    "fetch_host": (100, QUARTER),
    "logout_token_host": (100, QUARTER),
}


def read(environ: Mapping[str, str]) -> Mapping[str, tuple[int, int]]:
    """All limits, with the numbers that a deployment has chosen as `name=number`; `*=number` is for all that it does not name."""
    numbers: dict[str, int] = {}
    for part in environ.get("LATCHKEY_LIMITS", "").split():
        name, _, number = part.partition("=")
        if name not in ("*", *LIMITS):
            raise WrongSetting(f"LATCHKEY_LIMITS has no limit {name!r}: * is all, or {', '.join(LIMITS)}")
        if not re.fullmatch("[1-9][0-9]{0,8}", number):
            raise WrongSetting(f"LATCHKEY_LIMITS must have {name}=number, a whole number from 1 to 999999999: {part!r}")
        numbers[name] = int(number)
    return {name: (numbers.get(name, numbers.get("*", most)), seconds) for name, (most, seconds) in LIMITS.items()}
