import msgspec


class UserAgent(msgspec.Struct, frozen=True, kw_only=True):
    """What a user logs in with (RFC 6749 section 1.2: a browser, an app), as its request says; each may be false.

    `browser` and `system` are names of ours, "" for one that is not known, so that they can be mailed. `device_token` is
    what it has of an earlier login, and `proof_of_work` an answer to a challenge, neither of them verified yet; `remember`
    is whether its user wants it remembered.
    """

    network: str
    language: str
    browser: str = ""
    system: str = ""
    device_token: str = ""
    remember: bool = False
    proof_of_work: str = ""
