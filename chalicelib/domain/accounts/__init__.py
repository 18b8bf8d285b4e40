"""A person's account as data: the user, the session, addresses, names, passwords. Reads and writes nothing."""
