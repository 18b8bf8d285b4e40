"""JSON for the deployment's own apps: accounts, sessions, the profile. OAuth's endpoints are in web/oauth."""
