"""FastAPI's tutorial "OAuth2 with Password (and hashing), Bearer with JWT tokens", with RS256 and a key object.

The tutorial ends there. A rotating refresh token, client_credentials and introspection are added as leanly as can be, on
the standard library's sqlite3.
"""

import hashlib
import hmac
import secrets
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Annotated, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import Depends, FastAPI, Form, HTTPException, status
from fastapi.security import OAuth2PasswordBearer
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import BaseModel

PASSWORD, SECRET = "correct horse battery staple", "bridges-and-harbours"
ISSUER, LIFETIME = "https://id.example", 900
HASHING = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = KEY.public_key()

app = FastAPI()
bearer = OAuth2PasswordBearer(tokenUrl="token")
databases: list[sqlite3.Connection] = []


class Token(BaseModel):
    """The answer of the token endpoint."""

    access_token: str
    token_type: str = "bearer"
    refresh_token: str | None = None


class TokenRequest(BaseModel):
    """The form of the token endpoint."""

    grant_type: str
    username: str = ""
    password: str = ""
    refresh_token: str = ""
    client_id: str = ""
    client_secret: str = ""


class Introspection(BaseModel):
    """The answer of the introspection endpoint."""

    active: bool
    sub: str | None = None
    scope: str | None = None
    exp: int | None = None


class Me(BaseModel):
    """The user of a token."""

    username: str


def digest(text: str) -> str:
    """What is stored of a secret that was made here."""
    return hashlib.sha256(text.encode()).hexdigest()


def access_token(subject: str) -> str:
    """A signed token for a user or a client."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": ISSUER, "sub": subject, "iat": now, "exp": now + LIFETIME}
    return jwt.encode({**claims, "jti": uuid.uuid4().hex, "scope": "read"}, KEY, algorithm="RS256")


def issue(subject: str) -> Token:
    """Both tokens of a session, the second one stored."""
    refresh = secrets.token_urlsafe(32)
    with databases[0] as db:
        db.execute("insert into refresh values (?, ?, ?)", (digest(refresh), subject, int(time.time()) + 86400))
    return Token(access_token=access_token(subject), refresh_token=refresh)


def refuse() -> HTTPException:
    """The one refusal."""
    return HTTPException(status.HTTP_401_UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})


def authenticate_client(client_id: str, client_secret: str) -> None:
    """Refuse another client, or one with another secret."""
    row = databases[0].execute("select secret from client where id = ?", (client_id,)).fetchone()
    if row is None or not hmac.compare_digest(row[0], digest(client_secret)):
        raise refuse()


@app.post("/token")
async def token(form: Annotated[TokenRequest, Form()]) -> Token:
    """The three grants."""
    if form.grant_type == "client_credentials":
        authenticate_client(form.client_id, form.client_secret)
        return Token(access_token=access_token(form.client_id))
    if form.grant_type == "refresh_token":
        with databases[0] as db:
            row = db.execute(
                "delete from refresh where digest = ? and expires > ? returning username",
                (digest(form.refresh_token), int(time.time())),
            ).fetchone()
        if row is None:
            raise refuse()
        return issue(row[0])
    row = databases[0].execute("select hash from user where username = ?", (form.username,)).fetchone()
    if row is None or not HASHING.verify(form.password, row[0]):
        raise refuse()
    return issue(form.username)


async def current_user(token: Annotated[str, Depends(bearer)]) -> Me:
    """The user of a good token."""
    try:
        claims = jwt.decode(token, PUBLIC, algorithms=["RS256"], audience=ISSUER, issuer=ISSUER)
    except jwt.InvalidTokenError:
        raise refuse() from None
    return Me(username=claims["sub"])


@app.get("/users/me")
async def me(user: Annotated[Me, Depends(current_user)]) -> Me:
    """Who has the token."""
    return user


@app.post("/introspect")
async def introspect(
    token: Annotated[str, Form()], client_id: Annotated[str, Form()], client_secret: Annotated[str, Form()]
) -> Introspection:
    """What a token says, without a look into the database but for the client."""
    authenticate_client(client_id, client_secret)
    try:
        claims = jwt.decode(token, PUBLIC, algorithms=["RS256"], audience=ISSUER, issuer=ISSUER)
    except jwt.InvalidTokenError:
        return Introspection(active=False)
    return Introspection(active=True, sub=claims["sub"], scope=claims["scope"], exp=claims["exp"])


def make(scratch: str) -> tuple[Any, dict[str, Any]]:
    """The app, and what is asked of it."""
    from worker import Asgi

    db = sqlite3.connect(Path(scratch, "fastapi.sqlite3"))
    databases.append(db)
    with db:
        db.execute("create table user (username text primary key, hash text)")
        db.execute("create table client (id text primary key, secret text)")
        db.execute("create table refresh (digest text primary key, username text, expires integer)")
        for number in range(40):
            db.execute("insert into user values (?, ?)", (f"ann{number}", HASHING.hash(PASSWORD)))
        db.execute("insert into client values (?, ?)", ("bench", digest(SECRET)))
    client = Asgi(app)
    machine = {"client_id": "bench", "client_secret": SECRET}
    calls = iter(range(10**9))

    def log_in() -> Any:
        form = {"grant_type": "password", "username": f"ann{next(calls) % 40}", "password": PASSWORD}
        return client.post("/token", form=form)

    session = log_in()

    def refresh() -> None:
        form = {"grant_type": "refresh_token", "refresh_token": session["refresh_token"]}
        session.update(client.post("/token", form=form))

    def client_credentials() -> Any:
        return client.post("/token", form={"grant_type": "client_credentials", **machine})

    machine_token = client_credentials()["access_token"]

    def introspect_token() -> None:
        answer = client.post("/introspect", form={"token": machine_token, **machine})
        assert answer["active"], answer

    def verify() -> None:
        client.get("/users/me", bearer=session["access_token"])

    operations = {"login": log_in, "refresh": refresh, "client_credentials": client_credentials}
    return client, {**operations, "introspect": introspect_token, "verify": verify}
