"""The endpoints of OAuth 2.1 and OpenID Connect that clients call: token, revocation, introspection, userinfo, registration."""
