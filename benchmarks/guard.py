"""A cache-missing authorization, policy and all, against `jwt.decode` of the same token with a key object and the same checks."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import jwt

from benchmarks.rounds import Comparison, compared
from chalicelib import config
from chalicelib.domain.crypto import algorithms, keyset
from chalicelib.domain.oauth import tokens
from chalicelib.guard.events import policy
from chalicelib.guard.verifier import Guard

ISSUER = "https://id.example"
ARN = "arn:aws:execute-api:eu-central-1:123456789012:{}/api/GET/{}"
AT_MOST = 1.10


def measure() -> Iterator[Comparison]:
    """Our own API and a registered one with twenty routes, for each algorithm."""
    for algorithm in algorithms.SIGNING:
        key = keyset.signing_key(number=1, algorithm=algorithm, active_at=0, pem=keyset.generate(algorithm))
        token = tokens.sign(_claims(), key, typ=tokens.ACCESS_TOKEN)
        guard = _guard(dict(key.jwk))
        public = key.private.public_key()

        def bare(token: str = token, public: object = public, algorithm: str = algorithm) -> object:
            return jwt.decode(token, public, algorithms=[algorithm], audience=ISSUER, issuer=ISSUER)  # type: ignore[arg-type]

        for name, arn in (("our API", ARN.format("own", "me")), ("a registered API", ARN.format("notes", "things-1"))):

            def ours(guard: Guard = guard, arn: str = arn, token: str = token) -> object:
                base, api = guard.api(arn, unknown_is_ours=True)
                return policy(guard, base, api, arn=arn, authorization=f"Bearer {token}")

            yield compared(f"authorize for {name}, {algorithm}", ours, bare, at_most=AT_MOST, calls=100)


def _guard(jwk: Mapping[str, str]) -> Guard:
    scopes = {f"GET /things-{n}/{{id}}": "things:read" for n in range(10)}
    scopes |= {f"POST /things-{n}": "things:write" for n in range(10)}
    entry = {"name": "notes", "revocation": "stateless", "scopes": scopes}
    with TemporaryDirectory() as folder:
        apis, jwks = Path(folder, "apis.json"), Path(folder, "jwks.json")
        apis.write_text(json.dumps({"notes": entry}))
        jwks.write_text(json.dumps({"keys": [jwk]}))
        settings = replace(config.load({"LATCHKEY_ISSUER": ISSUER}), apis_file=str(apis), jwks_file=str(jwks))
        return Guard(settings, fetch=lambda _: [], in_force=lambda claims: claims)


def _claims() -> dict[str, object]:
    now = int(time.time())
    return {
        "iss": ISSUER,
        "sub": "0" * 32,
        "aud": ISSUER,
        "exp": now + 900,
        "iat": now,
        "jti": "1" * 32,
        "client_id": "latchkey",
        "scope": "account things:read things:write",
        "sid": "2" * 32,
        "auth_time": now,
        "amr": ["pwd"],
        "acr": "aal1",
    }
