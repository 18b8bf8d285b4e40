"""The list of peers: a folder, a name, how it is run, and what can be asked of it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import environments
from benchmarks.peers import aws_jwt_verify, keycloak, oidc_provider
from benchmarks.peers.processes import Process, python_worker

LOGIN, REFRESH, MACHINE, INTROSPECT, VERIFY, JWKS = (
    *("login", "refresh", "client_credentials", "introspect", "verify", "jwks"),
)
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Something that people take instead; `slow` ones run only where all are asked for."""

    name: str
    running: Callable[[Path], AbstractContextManager[Process]]
    operations: tuple[str, ...]
    slow: bool = False


def in_python(folder: str) -> Callable[[Path], AbstractContextManager[Process]]:
    """How an app is run that is called without its HTTP server, in a process and an environment of its own."""

    @contextmanager
    def running(scratch: Path) -> Iterator[Process]:
        with python_worker(environments.python(f"peers/{folder}"), HERE / folder, scratch) as process:
            yield process

    return running


PEERS = (
    Peer(name="simplejwt", running=in_python("simplejwt"), operations=(LOGIN, REFRESH, VERIFY)),
    Peer(
        name="django-oauth-toolkit",
        running=in_python("django_oauth_toolkit"),
        operations=(LOGIN, REFRESH, MACHINE, INTROSPECT),
    ),
    Peer(name="Authlib", running=in_python("authlib_flask"), operations=(LOGIN, REFRESH, MACHINE, INTROSPECT)),
    Peer(
        name="FastAPI + PyJWT",
        running=in_python("fastapi_pyjwt"),
        operations=(LOGIN, REFRESH, MACHINE, INTROSPECT, VERIFY),
    ),
    Peer(name="oidc-provider", running=oidc_provider.running, operations=(REFRESH, MACHINE, INTROSPECT, JWKS)),
    Peer(name="aws-jwt-verify", running=aws_jwt_verify.running, operations=(VERIFY,)),
    Peer(
        name="Keycloak",
        running=keycloak.running,
        operations=(LOGIN, REFRESH, MACHINE, INTROSPECT, JWKS),
        slow=True,
    ),
)
