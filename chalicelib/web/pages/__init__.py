"""HTML for people: login, sign-up, consent, device codes, logout; templates, messages, the stylesheet."""
