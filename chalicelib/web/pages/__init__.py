"""HTML for people: sign-up, login and further proofs, authorization and consent, device codes, sessions, logout; templates,
messages, the stylesheet. One file a page, declared by `page_routes`. Errors of JSON endpoints are in `web/http`."""
