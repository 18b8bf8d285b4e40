"""Proving who somebody is: the attempt, one file a factor in `factors/`, the policy, and the login that joins them.

It ends in `Authenticated`. What a browser or an OAuth client gets for that is decided in `sessions` and `oauth`; the JSON
API's login (`api_login`) goes on to its tokens here.
"""
