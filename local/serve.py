"""`make serve`: the whole of Latchkey on this machine, with the embedded AWS, a demo user and a guarded example.

Apps are served by workers that are replaced when a file is edited. The listening sockets stay here all the
while, so a request that comes in meanwhile waits instead of failing.
"""

import argparse
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from local import aws, demo, environments, server

ROOT = Path(__file__).parents[1]
WATCHED = ("app.py", "chalicelib", "examples/notes")
NOT_WATCHED = {"__pycache__"}
STOP_SECONDS = 10.0
OTHER_PORTS = "choose others with PORT=, NOTES_PORT=, AWS_PORT="
# What a developer may choose; all else is this run's to say, whatever is exported in the shell.
CHOSEN = ("LATCHKEY_ALGORITHM", "LATCHKEY_ORIGINS", "LATCHKEY_SCOPES")


class CannotServe(Exception):
    """Something stands in the way; the message says what, in one line."""


@dataclass
class Worker:
    """An app's process, on a listening socket that outlives it."""

    name: str
    listening: socket.socket
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start serving."""
        descriptor = self.listening.fileno()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local.worker", self.name, str(descriptor)],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            pass_fds=[descriptor],
            start_new_session=True,
        )

    def stop(self) -> None:
        """Stop serving; the socket goes on listening."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def is_down(self) -> bool:
        """Tell whether it ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def was_ended(self) -> bool:
        """Tell whether somebody ended it; what fails by itself, as broken code does, leaves a status above zero."""
        status = None if self.process is None else self.process.poll()
        return status is not None and status <= 0

    def answers(self) -> bool:
        """Tell whether it answers: whoever asks for nothing is hung up on as soon as somebody listens, without a log line."""
        try:
            with socket.create_connection(self.listening.getsockname(), timeout=0.5) as connection:
                connection.shutdown(socket.SHUT_WR)
                return connection.recv(1) == b""
        except OSError:
            return False


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM; return the exit status."""
    options = _options(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        with ExitStack() as stack:
            seen = _snapshot()  # before anything is read, so that no edit is missed
            cloud, workers = _set_up(stack, options)
            if _wait_for(workers, stop):
                print(_welcome(workers, options.state), flush=True)
            _watch(cloud, workers, seen, stop)
            print("\nStopping.", flush=True)
    except (CannotServe, aws.CannotStart) as error:
        more = f"; {OTHER_PORTS}" if isinstance(error, aws.PortTaken) else ""
        print(f"Cannot serve: {error}{more}.", file=sys.stderr)
        return 1
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make serve", description="Run Latchkey on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="of Latchkey (PORT=)")
    parser.add_argument("--notes-port", type=int, default=8001, help="of the guarded example (NOTES_PORT=)")
    parser.add_argument("--aws-port", type=int, default=8002, help="of the embedded AWS (AWS_PORT=)")
    parser.add_argument(
        "--state",
        type=Path,
        default=aws.state_folder(),
        help="where users and keys are kept; delete it to begin anew (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def _set_up(stack: ExitStack, options: argparse.Namespace) -> tuple[aws.EmbeddedAws, list[Worker]]:
    """Start everything; the stack stops it again, last things first."""
    ports = {"latchkey": options.port, "notes": options.notes_port}
    listening = {name: stack.enter_context(_taking(port)) for name, port in ports.items()}
    stack.enter_context(_alone(options.state))
    cloud = stack.enter_context(aws.running(state=options.state, port=options.aws_port))
    environment = _environment(cloud, options.state, issuer=server.url(listening["latchkey"]))
    command = [sys.executable, "-m", "local.demo"]
    if subprocess.run(command, cwd=ROOT, env=environment, start_new_session=True, check=False).returncode:
        raise CannotServe("the tables, keys and demo user could not be made, see above")
    stack.callback(environments.forget, options.state)
    environments.remember(options.state, environment)
    workers = [Worker(name, socket, environment) for name, socket in listening.items()]
    for worker in workers:
        worker.start()
        stack.callback(worker.stop)
    return cloud, workers


@contextmanager
def _taking(port: int) -> Iterator[socket.socket]:
    try:
        listening = server.listen(port)
    except OSError:
        raise aws.PortTaken(f"port {port} of 127.0.0.1 is taken") from None
    with listening:
        yield listening


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Hold the state folder: two embedded AWS on one state would each overwrite what the other saved."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotServe(f"another one runs on the same state, {state}") from None
        yield


def _environment(cloud: aws.EmbeddedAws, state: Path, *, issuer: str) -> dict[str, str]:
    """Return what the apps run with: the dev stage's variables, at this place."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCHKEY_"))}
    chosen = {name: os.environ[name] for name in CHOSEN if name in os.environ}
    here = {
        "LATCHKEY_ISSUER": issuer,
        "LATCHKEY_LOCAL": "on",
        "LATCHKEY_APIS_FILE": str(state / "apis.json"),
        "LATCHKEY_JWKS_FILE": str(state / "jwks.json"),
        "LATCHKEY_GUARD_URI": "the guard beside it",
    }
    return ours | _dev_stage() | chosen | here | cloud.environment()


def _dev_stage() -> dict[str, str]:
    stage = json.loads((ROOT / ".chalice" / "config.json").read_text())["stages"]["dev"]
    variables: dict[str, str] = dict(stage.get("environment_variables", {}))
    variables |= stage["lambda_functions"]["api_handler"].get("environment_variables", {})
    return variables


def _wait_for(workers: list[Worker], stop: threading.Event) -> bool:
    """Wait until all workers answer; False when one of them will not, or when told to stop."""
    for worker in workers:
        while not worker.answers():
            if stop.is_set() or worker.is_down():
                return False
    return True


def _watch(cloud: aws.EmbeddedAws, workers: list[Worker], seen: dict[Path, int], stop: threading.Event) -> None:
    told = False
    while not stop.wait(0.3):
        if cloud.is_down():
            cloud.start()
            print("The embedded AWS had ended: started anew, with all that it had answered.", flush=True)
        if (now := _snapshot()) != seen:
            seen, told = now, False
            for worker in workers:
                worker.stop()
                worker.start()
            print("Edited: started anew.", flush=True)
        for worker in workers:
            if worker.was_ended():
                worker.stop()
                worker.start()
                print(f"The process of {worker.name} had ended: started anew.", flush=True)
        if not told and any(worker.is_down() for worker in workers):
            told = True
            print("It does not start, see above; it is tried again at the next edit.", flush=True)


def _snapshot() -> dict[Path, int]:
    found = {}
    for path in (ROOT / name for name in WATCHED):
        for file in (path, *path.rglob("*")):
            with suppress(FileNotFoundError):  # editors save by renaming
                if not NOT_WATCHED & set(file.parts) and file.is_file():
                    found[file] = file.stat().st_mtime_ns
    return found


def _welcome(workers: list[Worker], state: Path) -> str:
    base, notes = (server.url(worker.listening) for worker in workers)
    json_type = "-H 'Content-Type: application/json'"
    login = f"curl -s {base}/login {json_type} -d"
    access, refresh = ('$(echo "$TOKENS" | pick ' + name + ")" for name in ("access_token", "refresh_token"))
    who = f'"email": "{demo.ADDRESS}", "password": "{demo.PASSWORD}"'
    return f"""
Latchkey   {base}
Notes      {notes}   (examples/notes, which trusts Latchkey's guard)
AWS        {workers[0].environment["AWS_ENDPOINT_URL"]}   (embedded: DynamoDB and SSM)
Demo user  {demo.ADDRESS}, password {demo.PASSWORD}
Clients    {demo.APP.client_id} (public, redirects to {demo.APP.redirect_uris[0]} on any port)
           {demo.SERVICE.client_id}, secret {demo.SERVICE_SECRET} (client_credentials)
State      {state}   (delete it to begin anew)

Try it in another terminal: log in, who am I, refresh, the guarded example, and a token without its scope.

pick() {{ sed -E 's/.*"'$1'": ?"([^"]+)".*/\\1/'; }}
TOKENS=$({login} '{{{who}}}'); echo "$TOKENS"
curl -s {base}/me -H "Authorization: Bearer {access}"
curl -s {base}/refresh {json_type} -d "{{\\"refresh_token\\": \\"{refresh}\\"}}"
curl -s {notes}/notes -H "Authorization: Bearer {access}"
curl -s {notes}/notes -H "Authorization: Bearer $({login} '{{{who}, "scope": "account"}}' | pick access_token)"

Ctrl-C stops everything.
"""


if __name__ == "__main__":
    sys.exit(main())
