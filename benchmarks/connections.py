"""Requests that one kept-alive connection carries a second: through our local gateway, and through `chalice local`'s server.

This is time on the clock, not CPU time: what Chalice's server does with it is wait.
"""

import http.client
import io
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout

from chalice.config import Config
from chalice.local import LocalDevServer

from benchmarks.rounds import Comparison, of_pairs
from benchmarks.routes import empty_app
from local import ports, server
from local.gateway import Gateway

ROUNDS, REQUESTS = 7, 20


def measure() -> Iterator[Comparison]:
    """The time of one request on each; the target is a tenth of Chalice's."""
    with server.serving(Gateway(empty_app()), ports.listen()) as base, _chalice_server() as port:
        ours = int(base.rpartition(":")[2])
        with redirect_stderr(io.StringIO()):  # Chalice's server writes a line for each request
            pairs = [(_seconds(ours), _seconds(port)) for _ in range(ROUNDS)]
    yield of_pairs("a request on a kept-alive connection", pairs, at_most=0.1, unit="µs", scale=1e6)


@contextmanager
def _chalice_server() -> Iterator[int]:
    own = LocalDevServer(empty_app(), Config(), "127.0.0.1", 0)
    with redirect_stdout(io.StringIO()):
        thread = threading.Thread(target=own.server.serve_forever, daemon=True)
        thread.start()
    try:
        yield own.server.server_address[1]
    finally:
        own.shutdown()
        thread.join()
        own.server.server_close()


def _seconds(port: int) -> float:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        started = time.perf_counter()
        for _ in range(REQUESTS):
            connection.request("GET", "/")
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"{}")
        return (time.perf_counter() - started) / REQUESTS
