"""What a known client was refused for: a closed list, by the reason in the log, with the words that lead to the mend."""

from collections.abc import Mapping
from typing import NamedTuple


class Cause(NamedTuple):
    """What is wrong in a sentence, the member of the client's metadata that it is about ("" for none), and the way out."""

    setting: str
    words: str
    way_out: str


PRODUCT = "Its own log has this server's answer, which says what is wrong with it."
KEYS = "Register the public keys that it signs with, or the `jwks_uri` where they are."
CLAIMS = "This server's answer says which claim; a wrong clock on its machine is the usual cause."
ASSERTION = "Configure the product: this server's metadata has the issuer, which is the assertion's `aud`."

CAUSES: Mapping[str, Cause] = {
    "another method": Cause(
        "token_endpoint_auth_method",
        "It did not authenticate in the way that it is registered for.",
        "Set token_endpoint_auth_method to what the product does, or the product to what is registered.",
    ),
    "wrong secret": Cause(
        "secrets",
        "It sent a secret that is none of its own.",
        "`rotate-secret` makes a new one to give to the product; look for blanks and cut-off ends there.",
    ),
    "keys unreadable": Cause(
        "jwks_uri", "Its `jwks_uri` gave no set of public keys.", "Open the URL: it has to answer a public address."
    ),
    "assertion's signature": Cause("jwks", "No key of its own has signed its assertion.", KEYS),
    "assertion's algorithm": Cause(
        "token_endpoint_auth_signing_alg",
        "It signed its assertion by an algorithm that it may not use.",
        "Set token_endpoint_auth_signing_alg, or the product. With security_profile=fapi2 RS256 is none.",
    ),
    "assertion malformed": Cause("", "What it sent as assertion is no JWT.", ASSERTION),
    "assertion for another": Cause("", "Its assertion is for another server, or by another client.", ASSERTION),
    "assertion for another audience": Cause(
        "security_profile",
        "With security_profile=fapi2 its assertion's `aud` is the issuer alone, as a text.",
        "Configure the product for it; without the profile the token endpoint's URL and a list are good as well.",
    ),
    "assertion expired or too long-lived": Cause("", "Its assertion has ended, or is good for over an hour.", CLAIMS),
    "assertion not yet valid": Cause("", "Its assertion begins in the future.", CLAIMS),
    "assertion without jti": Cause("", "Its assertion has no `jti`.", PRODUCT),
    "assertion replayed": Cause("", "It sent the same assertion twice.", "Have the product make one for each request."),
    "assertion is a request object": Cause("", "It sent a request object as its assertion.", PRODUCT),
    "issuer's assertion": Cause(
        "assertion_issuers",
        "It brought somebody's word for a user that does not count here.",
        "Compare the assertion's `iss`, key, `aud` and times with `assertion_issuers`. Is there such a user?",
    ),
    "grant type": Cause(
        "grant_types", "It used a grant that it is not registered for.", "Add the grant to grant_types."
    ),
    "no PKCE": Cause(
        "require_pkce",
        "It sent no `code_challenge` by S256.",
        "Turn PKCE on in the product. If it has no switch for it, and has a secret: require_pkce=no.",
    ),
    "no nonce": Cause(
        "require_nonce",
        "It sent neither `code_challenge` nor `nonce`.",
        "Have the product send a nonce, or turn PKCE on there. Else: require_nonce=no.",
    ),
    "not pushed": Cause(
        "require_pushed_authorization_requests",
        "It did not push its authorization request (RFC 9126).",
        "Have the product push; or is security_profile=fapi2 or require_pushed_authorization_requests too much?",
    ),
    "not signed": Cause(
        "require_signed_request_object",
        "Its authorization request is not a signed object (RFC 9101).",
        "Have the product sign its requests, or set require_signed_request_object=no.",
    ),
    "request object's key": Cause("jwks", "No key of its own has signed its request object.", KEYS),
    "request object's algorithm": Cause(
        "request_object_signing_alg",
        "It signed its request object by an algorithm that it may not use, or with another `typ`.",
        "Set request_object_signing_alg, or the product.",
    ),
    "redirect URI": Cause(
        "redirect_uris",
        "It asked for its answer at a URI that is not registered.",
        "Register the URI to the letter: the browser's address bar has it as `redirect_uri`.",
    ),
    "post-logout URI": Cause(
        "post_logout_redirect_uris",
        "After a logout it wanted its user back at a URI that is not registered.",
        "Register the URI to the letter: the address of the page has it as `post_logout_redirect_uri`.",
    ),
    "no DPoP proof": Cause(
        "dpop_bound_access_tokens",
        "It sent no DPoP proof, without which it gets no token.",
        "Have the product send proofs; or is security_profile=fapi2 or dpop_bound_access_tokens too much?",
    ),
    "DPoP algorithm": Cause(
        "security_profile",
        "It signed its DPoP proof by RS256.",
        "With security_profile=fapi2 it is PS256, ES256 or EdDSA.",
    ),
    "not first-party": Cause(
        "first_party", "It used the login for an app of your own.", "Is it one? Then first_party=yes."
    ),
    "may not introspect": Cause(
        "introspects", "It asked what a token is worth.", "If it is an API of yours: introspects=yes."
    ),
    "may not exchange": Cause(
        "exchanges",
        "It exchanged a token as it may not.",
        "exchanges=impersonation, or delegation with an actor_token.",
    ),
    "code for another redirect URI": Cause(
        "redirect_uris", "It redeemed a code with another redirect URI than it got it at.", PRODUCT
    ),
    "code without its verifier": Cause(
        "require_pkce",
        "It redeemed a code without the verifier of its challenge, or with one where it sent no challenge.",
        "PKCE is on in one half of the product: in both, or in neither with require_pkce=no.",
    ),
    "code of another client": Cause("", "It redeemed a code of another client.", "Is the product configured twice?"),
    "code of another key": Cause("", "It redeemed a code with another DPoP key than it is bound to.", PRODUCT),
    "code expired": Cause("", "It came too late with a code.", "Codes are good for a minute: is it slow, or asleep?"),
    "code replayed": Cause(
        "", "It used a code twice, which ended the session.", "Does it reload the page that it gets its code at?"
    ),
    "refresh token reused": Cause(
        "",
        "It used an old refresh token, which ended the session.",
        "Each answer has a new refresh token to keep; two machines must not share one.",
    ),
    "refresh token of another client": Cause(
        "", "It sent a refresh token of another client.", "Is the product configured twice?"
    ),
    "taken from its client": Cause(
        "scopes",
        "What its session was for it may not have any more, which ended the session.",
        "See its scopes and resources; its users log in again.",
    ),
    # What is a request's own fault, by the code of the error.
    "invalid_request": Cause("", "Its request was not as it has to be.", PRODUCT),
    "invalid_scope": Cause(
        "scopes", "It asked for a scope that it may not have, or has none.", "Add what it needs to its scopes."
    ),
    "invalid_target": Cause(
        "resources", "It asked for an API that is none of its own.", "Add the API to its resources."
    ),
    "invalid_dpop_proof": Cause("", "Its DPoP proof is not as it has to be.", CLAIMS),
    "invalid_request_object": Cause("", "Its request object is not as it has to be.", CLAIMS),
    "invalid_request_uri": Cause(
        "", "Its pushed request had ended, or was used.", "A user took too long, or reloaded."
    ),
    "request_uri_not_supported": Cause("", "It sent a request by reference.", "By value, or pushed (RFC 9126)."),
    "request_not_supported": Cause("jwks", "It sent a request object that is unsigned, or it has no keys here.", KEYS),
    "unsupported_grant_type": Cause(
        "",
        "It used a grant that there is not here, as `password`.",
        "Set the product to authorization_code; a machine's to client_credentials.",
    ),
    "unsupported_response_type": Cause("", "It asked for another response type than code.", "Set the product to code."),
    "unmet_authentication_requirements": Cause(
        "", "It asked for a login that its user cannot give.", "See `acr_values` there, and the user's factors."
    ),
}


def cause_of(code: str, reason: str) -> str:
    """The name of what a refusal of this code and reason comes of; "" for what is no fault of a client's or its settings.

    A reason may go on after a colon.
    """
    name = reason.partition(":")[0]
    return next((each for each in (name, code) if each in CAUSES), "")
