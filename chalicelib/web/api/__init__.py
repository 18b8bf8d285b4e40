"""JSON for apps of the deployment's own: accounts, sessions, the profile. OAuth's endpoints are next door."""
