SIGNING = ("RS256", "ES256", "EdDSA")  # of our own tokens
