"""The life of an account: sign-up, profile, password, erasure. Logging in to it is in `authentication`."""
