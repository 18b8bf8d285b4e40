SIGNING = ("RS256", "ES256", "EdDSA")  # of our own tokens
# What an RSA key signs for clients that take nothing older (RFC 8017 section 8).
PSS = "PS256"
OF_TOKENS = (*SIGNING, PSS)
# FAPI 2.0 Security Profile 5.4.1, with RFC 9864's name.
FAPI = (PSS, "ES256", "EdDSA", "Ed25519")


def of_server(signing: str) -> tuple[str, ...]:
    """All that a server signs with whose keys are made for one algorithm."""
    return (signing, PSS) if signing == "RS256" else (signing,)
