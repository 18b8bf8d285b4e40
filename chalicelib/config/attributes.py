"""What a deployment keeps of its users beside the standard claims."""

import re
from collections.abc import Mapping

from .values import WrongSetting, wrong_setting

VARIABLE = "LATCHKEY_ATTRIBUTES"
# What each kind takes as JSON where nothing else is said, and what all of a user's may take: they are in id tokens.
SIZES = {"string": 200, "number": 24, "boolean": 5, "strings": 400}
MAX_BYTES = 2048
DEFINITION = re.compile(
    rf"([a-z][a-z0-9_]{{0,39}}):({'|'.join(SIZES)}):(person|administrator)(?::([1-9][0-9]{{0,3}}))?"
)
# Claims that mean something already: of JWT, OAuth and OpenID Connect, and members of this server's own answers.
RESERVED = frozenset(
    {
        *(
            "iss",
            "sub",
            "aud",
            "exp",
            "nbf",
            "iat",
            "jti",
            "typ",
            "cnf",
            "act",
            "may_act",
            "events",
            "toe",
            "txn",
            "sub_id",
        ),
        *("auth_time", "nonce", "acr", "amr", "azp", "at_hash", "c_hash", "s_hash", "sid", "sub_jwk", "sector"),
        *("scope", "client_id", "active", "token_type", "username", "entitlements", "authorization_details"),
        *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture"),
        *("website", "gender", "birthdate", "zoneinfo", "locale", "updated_at", "email", "email_verified", "address"),
        *(
            "phone_number",
            "phone_number_verified",
            "groups",
            "roles",
            "created_at",
            "attributes",
            "claims",
            "vot",
            "vtm",
        ),
    }
)

Definitions = Mapping[str, tuple[str, str, int]]  # kind, who sets it, bytes at most


def read(environ: Mapping[str, str]) -> Definitions:
    """The attributes by their names, as `name:kind:who` or `name:kind:who:bytes` declares them."""
    definitions: dict[str, tuple[str, str, int]] = {}
    for word in environ.get(VARIABLE, "").split():
        parts = DEFINITION.fullmatch(word)
        if not parts or parts[1] in definitions:
            raise wrong_setting(
                VARIABLE, "attributes, each once, like level:number:administrator or team:string:person:80", word
            )
        if parts[1] in RESERVED:
            raise WrongSetting(f"{VARIABLE} cannot have {word!r}: {parts[1]} is a claim of its own")
        definitions[parts[1]] = (parts[2], parts[3], int(parts[4] or SIZES[parts[2]]))
    if (size := sum(most for _, _, most in definitions.values())) > MAX_BYTES:
        raise WrongSetting(
            f"{VARIABLE} would take {size} bytes of a token, {MAX_BYTES} at most: give fewer to {environ[VARIABLE]!r}"
        )
    return definitions
