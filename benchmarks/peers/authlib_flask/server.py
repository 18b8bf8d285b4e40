"""Authlib's Flask server as its documentation has it: password, refresh with rotation, client_credentials, introspection."""

import base64
import time
from pathlib import Path
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.sqla_oauth2 import (
    OAuth2ClientMixin,
    OAuth2TokenMixin,
    create_query_client_func,
    create_save_token_func,
)
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from werkzeug.security import check_password_hash, generate_password_hash

PASSWORD, SECRET = "correct horse battery staple", "bridges-and-harbours"
db = SQLAlchemy()


class User(db.Model):
    """An account."""

    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(40), unique=True)
    password_hash = db.Column(db.String(200))

    def get_user_id(self) -> int:
        """What a token is for."""
        return self.id


class Client(db.Model, OAuth2ClientMixin):
    """A client."""

    id = db.Column(db.Integer, primary_key=True)


class Token(db.Model, OAuth2TokenMixin):
    """A token."""

    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.Integer, db.ForeignKey("user.id"))
    user = db.relationship("User")


class PasswordGrant(grants.ResourceOwnerPasswordCredentialsGrant):
    """RFC 6749 section 4.3."""

    def authenticate_user(self, username: str, password: str) -> User | None:
        """The account, if it is its password."""
        user = User.query.filter_by(username=username).first()
        return user if user is not None and check_password_hash(user.password_hash, password) else None


class RefreshTokenGrant(grants.RefreshTokenGrant):
    """RFC 6749 section 6, with rotation."""

    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        """The token, if it was not used."""
        token = Token.query.filter_by(refresh_token=refresh_token).first()
        return token if token and not token.is_revoked() else None

    def authenticate_user(self, refresh_token: Token) -> User | None:
        """The account that it is for."""
        return db.session.get(User, refresh_token.user_id)

    def revoke_old_credential(self, refresh_token: Token) -> None:
        """Use the token up."""
        refresh_token.access_token_revoked_at = refresh_token.refresh_token_revoked_at = int(time.time())
        db.session.add(refresh_token)
        db.session.commit()


class Introspection(IntrospectionEndpoint):
    """RFC 7662."""

    def query_token(self, token_string: str, _token_type_hint: str | None) -> Token | None:
        """The token, if there is one."""
        token = Token.query.filter_by(access_token=token_string).first()
        return token or Token.query.filter_by(refresh_token=token_string).first()

    def introspect_token(self, token: Token) -> dict[str, Any]:
        """What is said of an active one."""
        return {
            "active": True,
            "client_id": token.client_id,
            "token_type": token.token_type,
            "scope": token.get_scope(),
            "iat": token.issued_at,
            "exp": token.issued_at + token.expires_in,
        }

    def check_permission(self, *_: Any) -> bool:
        """Any client may ask."""
        return True


def app_with(scratch: str) -> Flask:
    """The app, its database new."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{Path(scratch, 'authlib.sqlite3')}"
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    db.init_app(app)
    server = AuthorizationServer(
        app,
        query_client=create_query_client_func(db.session, Client),
        save_token=create_save_token_func(db.session, Token),
    )
    for grant in (PasswordGrant, RefreshTokenGrant, grants.ClientCredentialsGrant):
        server.register_grant(grant)
    server.register_endpoint(Introspection)
    app.add_url_rule("/oauth/token", "token", server.create_token_response, methods=["POST"])
    app.add_url_rule(
        "/oauth/introspect",
        "introspect",
        lambda: server.create_endpoint_response(Introspection.ENDPOINT_NAME),
        methods=["POST"],
    )
    with app.app_context():
        db.create_all()
        for number in range(40):
            hashed = generate_password_hash(PASSWORD, method="pbkdf2:sha256:1")
            db.session.add(User(username=f"ann{number}", password_hash=hashed))
        client = Client(client_id="bench", client_secret=SECRET, client_id_issued_at=int(time.time()))
        client.set_client_metadata(
            {
                "grant_types": ["password", "refresh_token", "client_credentials"],
                "scope": "read",
                "token_endpoint_auth_method": "client_secret_basic",
            }
        )
        db.session.add(client)
        db.session.commit()
    return app


def make(scratch: str) -> tuple[Any, dict[str, Any]]:
    """The app, and what is asked of it."""
    from worker import Wsgi

    client = Wsgi(app_with(scratch))
    basic = base64.b64encode(f"bench:{SECRET}".encode()).decode()
    calls = iter(range(10**9))

    def token(**form: str) -> Any:
        return client.post("/oauth/token", form={**form, "scope": "read"}, basic=basic)

    def log_in() -> Any:
        return token(grant_type="password", username=f"ann{next(calls) % 40}", password=PASSWORD)

    session = log_in()

    def refresh() -> None:
        session.update(token(grant_type="refresh_token", refresh_token=session["refresh_token"]))

    def client_credentials() -> Any:
        return token(grant_type="client_credentials")

    machine_token = client_credentials()["access_token"]

    def introspect() -> None:
        answer = client.post("/oauth/introspect", form={"token": machine_token}, basic=basic)
        assert answer["active"], answer

    operations = {"login": log_in, "refresh": refresh, "client_credentials": client_credentials}
    return client, {**operations, "introspect": introspect}
