"""A deployment in the embedded AWS, which is another process: its time is not counted, and its answers are real."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3

from chalicelib import config, services
from chalicelib.domain.accounts.passwords import CHEAPEST_ONLY_FOR_TESTS, HashProfile
from chalicelib.flows.platform import keys
from chalicelib.services import Services
from chalicelib.store import tables
from local import aws

SETTINGS = {"LATCHKEY_ISSUER": "https://id.example"}


@contextmanager
def running(*, hashing: HashProfile = CHEAPEST_ONLY_FOR_TESTS) -> Iterator[Services]:
    """Have it for the length of a `with` block; the environment leads there meanwhile."""
    before = dict(environ)
    with TemporaryDirectory() as folder, aws.running(state=Path(folder)) as cloud:
        environ.update(cloud.environment())
        boto3.setup_default_session()  # or it would go on with the key of an embedded AWS before this
        svc = services.build(config.load(SETTINGS), hashing=hashing)
        tables.ensure(
            boto3.client("dynamodb"),
            users=svc.settings.users_table,
            grants=svc.settings.grants_table,
            outbox=svc.settings.outbox_table,
        )
        keys.ensure(svc)
        services.use(svc)
        yield svc
    environ.clear()
    environ.update(before)
