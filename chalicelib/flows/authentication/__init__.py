"""Proving who somebody is. What a login is for, and the session that it begins, are decided elsewhere."""
