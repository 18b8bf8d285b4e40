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
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chalicelib import config
from deploy import custom, local_state, reference
from deploy.errors import CannotDeployError
from deploy.mcp_server import NAME as MCP_NAME
from deploy.mcp_server import McpServer
from local import aws, demo, edits, mcp, ports, served_apis
from local.served_apis import CannotServe
from local.workers import KIND, SHELL, Worker

ROOT = Path(__file__).parents[1]
OTHER_PORTS = "choose others with PORT=, NOTES_PORT=, AWS_PORT=, API_PORT="
# What a developer may choose; all else is this run's to say, whatever is exported in the shell.
DEVELOPERS_SETTINGS = (
    *("LATCHKEY_ALGORITHM", "LATCHKEY_LIMITS", "LATCHKEY_ORIGINS", "LATCHKEY_SCOPES"),
    *("LATCHKEY_BRAND_NAME", "LATCHKEY_BRAND_LOGO", "LATCHKEY_BRAND_COLOUR", "LATCHKEY_BRAND_FAVICON"),
    *("LATCHKEY_BRAND_HELP", "LATCHKEY_BRAND_PRIVACY", "LATCHKEY_BRAND_TERMS", "LATCHKEY_BRAND_PICTURE_ORIGINS"),
)
NO_LIMITS = {"LATCHKEY_LIMITS": "*=1000000"}  # no developer's test suite should run into one


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM; return the exit status."""
    options = _options(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        with ExitStack() as stack:
            served, mcp_server = _served(options)
            watched = [*edits.WATCHED, *(api.folder for api in served if api.folder)]
            snapshot = edits.snapshot(watched)  # before anything is read, so that no edit is missed
            cloud, workers = _set_up(stack, options, served, mcp_server)
            if _wait_for(workers, stop):
                print(_welcome(workers, served, options.state), flush=True)
                if mcp_server:
                    here = any(api.name == MCP_NAME for api in served)
                    issuer, algorithm = (workers[0].environment[f"LATCHKEY_{name}"] for name in ("ISSUER", "ALGORITHM"))
                    print(mcp.welcome(mcp_server, issuer, algorithm=algorithm, is_here=here), flush=True)
            _watch(cloud, workers, watched, snapshot, stop)
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
    parser.add_argument("--api-port", type=int, default=8003, help="of an API of your own (API_PORT=)")
    parser.add_argument("--aws-port", type=int, default=8002, help="of the embedded AWS (AWS_PORT=)")
    parser.add_argument(
        "--app", type=Path, help="the folder of a Chalice app of yours, to serve behind the guard (APP=)"
    )
    parser.add_argument("--upstream", help="or the URL of any HTTP server (UPSTREAM=)")
    parser.add_argument("--scopes", type=Path, help="which route of it needs which scope (SCOPES=)")
    parser.add_argument("--mcp", help="the URL of an MCP server of yours, or the folder of one to serve (MCP=)")
    parser.add_argument("--mcp-scopes", help="what its tools need, the first for all of them (MCP_SCOPES=)")
    parser.add_argument("--gateway", choices=["rest", "http"], help="which kind of API yours is (GATEWAY=)")
    parser.add_argument("--name", help="what to call it (NAME=; default: its folder's name)")
    parser.add_argument(
        "--state",
        type=Path,
        default=local_state.state_folder(),
        help="where users and keys are kept; delete it to begin anew (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def _served(options: argparse.Namespace) -> tuple[list[served_apis.Api], McpServer | None]:
    if options.mcp and "://" not in options.mcp and Path(options.mcp).is_dir():
        if options.app or options.upstream:
            raise CannotServe("MCP= is a folder and so an API, and there is room for one: leave out APP= or UPSTREAM=")
        options.gateway = options.gateway or "http"  # where a tool's challenge gets through
        api, server = mcp.of_folder(options.mcp, scopes=options.mcp_scopes, port=options.api_port)
        return [served_apis.notes(), api], server
    mine = served_apis.of_the_developer(
        app=options.app, upstream=options.upstream, scopes=options.scopes, name=options.name
    )
    mcp_server = mcp.of_the_developer(url=options.mcp, scopes=options.mcp_scopes)
    return [served_apis.notes(), *([mine] if mine else [])], mcp_server


def _set_up(
    stack: ExitStack, options: argparse.Namespace, served: list[served_apis.Api], mcp_server: McpServer | None
) -> tuple[aws.EmbeddedAws, list[Worker]]:
    """Start everything; the stack stops it again, last things first."""
    _check_settings()
    names = ("latchkey", *(api.name for api in served))
    numbers = (options.port, options.notes_port, options.api_port)
    listening = {name: stack.enter_context(_taking(number)) for name, number in zip(names, numbers, strict=False)}
    # A browser takes no IP address as the place of a passkey, and may look for `localhost` in either family.
    localhost = stack.enter_context(_taking_beside(listening["latchkey"]))
    stack.enter_context(_alone(options.state))
    cloud = stack.enter_context(aws.running(state=options.state, port=options.aws_port))
    environment = _environment(cloud, options.state, issuer=ports.url(listening["latchkey"], "localhost"))
    environment |= reference.settings_here(demo.DOCS) | (mcp.settings(mcp_server) if mcp_server else {})
    served_apis.register(environment, served_apis.registry(served) | mcp.registry(mcp_server, served))
    _prepare(environment)
    stack.callback(local_state.forget, options.state)
    local_state.remember(options.state, environment)
    workers = [Worker("latchkey", (listening["latchkey"], *localhost), environment)]
    workers += _api_workers(options, served, mcp_server, listening, environment)
    for worker in workers:
        worker.start()
        stack.callback(worker.stop)
    return cloud, workers


def _prepare(environment: dict[str, str]) -> None:
    """Makes what the embedded AWS has before the server starts, in a process of its own."""
    command = [sys.executable, "-m", "local.preparation"]
    if subprocess.run(command, cwd=ROOT, env=environment, start_new_session=True, check=False).returncode:
        raise CannotServe("the tables, keys and demo user could not be made, see above")


def _api_workers(
    options: argparse.Namespace,
    served: list[served_apis.Api],
    mcp_server: McpServer | None,
    listening: dict[str, socket.socket],
    environment: dict[str, str],
) -> Iterator[Worker]:
    shell = {name: value for name, value in os.environ.items() if name.startswith(local_state.OURS)}
    if mcp_server:
        shell |= {"MCP_URL": mcp_server.url, "LATCHKEY_ISSUER": environment["LATCHKEY_ISSUER"]}
    for api in served:
        kind = options.gateway or "rest" if api is not served[0] else "rest"
        own_shell = environment | {SHELL: json.dumps(shell), KIND: kind}
        yield Worker(api.name, (listening[api.name],), own_shell, (api.target, *api.public))


@contextmanager
def _taking(port: int) -> Iterator[socket.socket]:
    try:
        listening = ports.listen(port)
    except OSError:
        raise aws.PortTaken(f"port {port} of 127.0.0.1 is taken") from None
    except OverflowError:
        raise CannotServe(f"there is no port {port}: the last one is 65535") from None
    with listening:
        yield listening


@contextmanager
def _taking_beside(listening: socket.socket) -> Iterator[tuple[socket.socket, ...]]:
    try:
        beside = ports.listen_beside(listening)
    except OSError:
        raise aws.PortTaken(f"port {listening.getsockname()[1]} of [::1] is taken") from None
    if beside is None:
        yield ()
        return
    with beside:
        yield (beside,)


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
    here = {
        "LATCHKEY_ISSUER": issuer,
        "LATCHKEY_LOCAL": "on",
        "LATCHKEY_MAIL_FROM": f"Latchkey <{demo.SENDER}>",
        "LATCHKEY_APIS_FILE": str(state / "apis.json"),
        "LATCHKEY_JWKS_FILE": str(state / "jwks.json"),
        **cloud.environment(),
    }
    return ours | custom.environment(ROOT) | _dev_stage() | NO_LIMITS | _developers_settings() | here


def _check_settings() -> None:
    """Before anything is started: a setting of the stage, of the shell or in a file that nobody could start with."""
    own = {**custom.environment(ROOT), **_dev_stage(), **_developers_settings()}
    try:
        for notice in custom.check(ROOT):
            print(notice)
        config.load({"LATCHKEY_ISSUER": "http://localhost", **own})
    except (config.WrongSetting, CannotDeployError) as error:
        raise CannotServe(str(error)) from None


def _developers_settings() -> dict[str, str]:
    return {name: os.environ[name] for name in DEVELOPERS_SETTINGS if name in os.environ}


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


def _watch(
    cloud: aws.EmbeddedAws,
    workers: list[Worker],
    watched: list[Path],
    snapshot: dict[Path, int],
    stop: threading.Event,
) -> None:
    reported = False
    while not stop.wait(0.3):
        if cloud.is_down():
            cloud.start()
            _prepare(workers[0].environment)  # of who may send mail it keeps nothing
            print("The embedded AWS had ended: started anew, with all that it had answered.", flush=True)
        if (now := edits.snapshot(watched)) != snapshot:
            snapshot, reported = now, False
            for worker in workers:
                worker.stop()
                worker.start()
            print("Edited: started anew.", flush=True)
        for worker in workers:
            if worker.was_ended():
                worker.stop()
                worker.start()
                print(f"The process of {worker.name} had ended: started anew.", flush=True)
        if not reported and any(worker.is_down() for worker in workers):
            reported = True
            print("It does not start, see above; it is tried again at the next edit.", flush=True)


def _welcome(workers: list[Worker], served: list[served_apis.Api], state: Path) -> str:
    notes, *more = (ports.url(worker.listening[0]) for worker in workers[1:])
    base = workers[0].environment["LATCHKEY_ISSUER"]
    mine = "".join(
        f"\n{api.name:<10} {url}   ({api.target}, behind the guard)" for api, url in zip(served[1:], more, strict=True)
    )
    json_type = "-H 'Content-Type: application/json'"
    login = f"curl -s {base}/login {json_type} -d"
    access, refresh = ('$(echo "$TOKENS" | pick ' + name + ")" for name in ("access_token", "refresh_token"))
    who = f'"email": "{demo.ADDRESS}", "password": "{demo.PASSWORD}"'
    return f"""
Latchkey   {base}   (open it in a browser)
Log in at  {base}/authorize/login   (as the demo user)
Notes      {notes}   (examples/notes, which trusts Latchkey's guard){mine}
AWS        {workers[0].environment["AWS_ENDPOINT_URL"]}   (embedded: DynamoDB, SSM and SES)
Mail       {base}/_local/outbox   (what would have been sent, to whomever)
Demo user  {demo.ADDRESS}, password {demo.PASSWORD}
Clients    {demo.APP} (public, redirects to {demo.REDIRECT_URI} on any port)
           {demo.SERVICE}, secret {demo.SERVICE_SECRET} (client_credentials)
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
