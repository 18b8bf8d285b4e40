"""npm aws-jwt-verify: a library, called in a Node process that measures itself."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks import environments
from benchmarks.peers.processes import Process, Worker, started

ISSUER = "https://id.example"


@contextmanager
def running(folder: Path) -> Iterator[Process]:
    """Have it for the length of a `with` block."""
    program = environments.node("peers/aws_jwt_verify") / "server.js"
    with started(environments.program("node"), program, *_keys_and_token(), folder=folder) as process:
        yield Worker(process)


def _keys_and_token() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = {
        **jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
        "kid": "1",
        "alg": "RS256",
        "use": "sig",
    }
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": ISSUER, "sub": "0" * 32, "iat": now, "exp": now + 3600, "scope": "account"}
    return json.dumps({"keys": [jwk]}), jwt.encode(claims, key, algorithm="RS256", headers={"kid": "1"})
