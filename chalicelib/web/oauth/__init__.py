"""The endpoints of OAuth 2.1 and OpenID Connect that clients call: token, pushed and challenged requests, device codes,
revocation, introspection, userinfo, registration. Those that a browser opens (authorization, logout, the device's page) are
in `web/pages`."""
