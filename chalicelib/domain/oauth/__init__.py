"""What OAuth and OpenID Connect say, decided from arguments alone: the authorization request, clients and their metadata,
scopes, claims, access and id tokens, DPoP proofs, resource URIs. A member of a client is a line of `client`. Does not know
who is logged in."""
