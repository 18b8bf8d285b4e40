"""Who is there in a local run, by the names that it tells: its user, its clients and the sender of its mail.

`preparation` makes them. Whoever only names them starts none of what makes them.
"""

ADDRESS = "demo@example.com"
PASSWORD = "rivers-and-lanterns"
SENDER = "latchkey@example.com"
APP = "demo-app"
REDIRECT_URI = "http://127.0.0.1/callback"
SERVICE = "demo-service"
SERVICE_SECRET = "bridges-and-harbours"
# What "Authorize" of /docs logs in for.
DOCS = "demo-docs"
