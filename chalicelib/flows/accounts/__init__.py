"""The life of an account: sign-up, profile, password, erasure."""
