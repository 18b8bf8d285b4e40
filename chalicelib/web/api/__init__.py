"""JSON for the deployment's own apps: login, accounts, sessions. OAuth's endpoints are in `web/oauth`."""
