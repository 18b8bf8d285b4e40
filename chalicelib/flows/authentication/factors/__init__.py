"""One file a factor, one line in FACTORS. A factor proves; what comes next, the policy decides, and nobody here."""

from . import password
from .factor import Factor

FACTORS: dict[str, Factor] = {each.FACTOR.name: each.FACTOR for each in (password,)}
