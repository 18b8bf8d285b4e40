"""The protocol's stories: authorization, codes, devices, DPoP, introspection, userinfo, and a file a grant in `grants/`."""
