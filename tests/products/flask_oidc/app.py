"""The application of the product's own quick start: a page for who is logged in."""

from flask import Flask, session
from flask_oidc import OpenIDConnect

app = Flask(__name__)
app.config["SECRET_KEY"] = "only for tests"
app.config.from_pyfile("settings.py")
oidc = OpenIDConnect(app)


@app.route("/private")
@oidc.require_login
def private() -> dict[str, str]:
    """Say who is logged in."""
    profile: dict[str, str] = session["oidc_auth_profile"]
    return profile
