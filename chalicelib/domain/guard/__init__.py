"""What scopes open on an API, as a policy that API Gateway may keep for all of its routes.

Not here: the authorizers that answer with it (`chalicelib/guard`), and which scope opens what here (`scope_map` there).
"""
