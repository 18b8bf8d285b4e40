"""A person's account as data: the user, the session, addresses, names, passwords, and what a
refresh token is worth (`rotation`).

Not here: what a login proved (`authentication`), and a client (`oauth`).
"""
