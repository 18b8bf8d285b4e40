"""The groups of the OpenAPI document: who calls an operation, and what for."""

from typing import NamedTuple

from ..http.routing import Operation


class Tag(NamedTuple):
    """A group of operations: those of files of `chalicelib/web/` whose names begin so, and some by name from elsewhere.

    Its description begins with who calls them, the same words for all groups of theirs, and a colon.
    """

    name: str
    description: str
    module: str = ""
    operations: tuple[str, ...] = ()


TAGS = (
    Tag("App login", "For first-party apps: begins a session, by whatever proves its user.", "api.login"),
    Tag("App sessions", "For first-party apps: new tokens, the list of devices, the end.", "api.sessions"),
    Tag("App devices", "For first-party apps: where further factors are not asked for again.", "api.devices"),
    Tag("App consents", "For first-party apps: what other applications may do with the account.", "api.consents"),
    Tag("App activity", "For first-party apps: what has happened to the account lately.", "api.activity"),
    Tag("App accounts", "For first-party apps: sign-up, the profile, the password, the end.", "api.accounts"),
    Tag("App export", "For first-party apps: a copy of all that is kept of their user.", "api.export"),
    Tag("App passkeys", "For first-party apps: an account that begins with a passkey.", "api.passkey"),
    Tag("App e-mail", "For first-party apps: an address verified or changed, a password reset.", "api.email"),
    Tag("App factors", "For first-party apps: what proves a user besides the password.", "api.factors"),
    Tag(
        "OAuth clients",
        "For standard clients: OAuth 2.1, OpenID Connect and what adds to them.",
        "oauth",
        ("authorize_by_get", "authorize_by_post", "log_out_by_get", "log_out_by_post"),
    ),
    Tag(
        "APIs",
        "For who owns an API: what a token is worth, and the keys to judge it by.",
        operations=("introspect", "verify", "jwks", "own_resource", "registered_resource"),
    ),
    Tag("Metadata", "For programs: what this server is and does.", "metadata"),
    Tag("Pages", "For people: the pages that a browser shows, and their forms.", "pages"),
)


OTHERS = Tag("Others", "What has no group of its own.")


def tag_of(operation: Operation) -> Tag:
    """The group that an operation belongs to: by its name, or by its file, for which the nearest to its name counts."""
    name = operation.handler.__name__
    _, _, module = operation.handler.__module__.partition(".web.")
    by_name = [tag for tag in TAGS if name in tag.operations]
    by_file = [tag for tag in TAGS if tag.module and module.startswith(tag.module)]
    return max(by_name or by_file, key=lambda tag: len(tag.module), default=OTHERS)


def callers_of(tag: Tag) -> str:
    """Who calls the operations of a group: what its description begins with."""
    callers, colon, _ = tag.description.partition(":")
    return callers if colon else tag.name
