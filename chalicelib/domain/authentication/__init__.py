"""What a login has proved, its level (`acr`), and which proofs are still missing, as data.

Not here: the factors themselves, which are flows, and the account that they belong to (`accounts`).
"""
