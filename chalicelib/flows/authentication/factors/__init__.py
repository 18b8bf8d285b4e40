"""One file a factor, one line in FACTORS. A factor proves; what comes next, the policy decides, and nobody here."""

from . import email_code, passkey, password, recovery_code, totp
from .factor import Factor

# In the order in which a login offers them: recovery codes are for who has lost everything else, and so the last.
FACTORS: dict[str, Factor] = {
    each.FACTOR.name: each.FACTOR for each in (password, passkey, totp, email_code, recovery_code)
}
