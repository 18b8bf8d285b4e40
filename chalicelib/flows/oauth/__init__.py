"""What each endpoint of the protocol does: authorization, codes, devices, DPoP, introspection, revocation, userinfo, and one
file a grant in `grants/`. Who somebody is (`authentication`), and how a session begins and is refreshed (`sessions`), is
not decided here."""
