"""What the local run starts from: tables, keys, a demo user, and the files a deployment would ship in its package.

Run as a program it prepares the place that its environment names, once; repeating it changes nothing.
"""

import json
import os
from pathlib import Path

import boto3

from chalicelib import config, services
from chalicelib.domain import email
from chalicelib.flows import keys, signup
from chalicelib.store import tables

ROOT = Path(__file__).parents[1]
ADDRESS = "demo@example.com"
PASSWORD = "rivers-and-lanterns"


def prepare(settings: config.Settings) -> None:
    """Make what is missing, and write the public keys and the registered APIs where the guard looks for them."""
    tables.ensure(boto3.client("dynamodb"), users=settings.users_table, grants=settings.grants_table)
    svc = services.build(settings)
    keys.ensure(svc)
    if svc.users.find(email.canonical(ADDRESS)) is None:
        signup.sign_up(svc, address=ADDRESS, password=PASSWORD, name="Demo", device="make serve", network="local")
    Path(settings.jwks_file).write_text(json.dumps({"keys": keys.published(svc)}))
    Path(settings.apis_file).write_text(json.dumps(_registered(), indent=2))


def _registered() -> dict[str, object]:
    scopes = json.loads((ROOT / "examples" / "notes" / "scopes.json").read_text())
    return {"notes": {"name": "notes", "revocation": "stateless", "answer": "policy", "scopes": scopes}}


if __name__ == "__main__":
    prepare(config.load(os.environ))
