"""`./latchkey apis`: which other APIs the guard protects, and what each of their routes needs."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from chalicelib.domain.oauth.claims import OF_USER
from cli.drawing import print_rows
from deploy import mcp_server, stages
from deploy.deployed import deployed_api, issuer_of
from deploy.mcp_server import McpServer, NotAnMcpServer
from deploy.registered_apis import (
    ANSWERS,
    API_ID,
    NAME,
    OFFERED_RESOURCES,
    OFFERED_SCOPES,
    REVOCATION,
    TYPS,
    CannotRegisterError,
    Register,
    Registry,
    check_same_tokens,
    entry,
    needed,
    scope_map,
    scopes,
    warnings,
)
from deploy.stages import Stage

HEADINGS = ("Id", "Name", "Revocation", "Answer", "Routes")
STAGE = click.option("--stage", help="Whose guard the instructions name (default: dev to add, every one to remove).")


@click.group("apis")
@STAGE
@click.pass_context
def command(ctx: click.Context, stage: str | None) -> None:
    """Which other APIs the guard protects, and what each of their routes needs."""
    ctx.meta["stage"] = stage  # where the other commands do not take it


def _register() -> Register:
    return click.get_current_context().find_object(Register) or Register()


def _stage(option: str | None) -> str | None:
    stage: str | None = option or click.get_current_context().meta["stage"]
    return stage


@command.command()
@click.option(
    "--mcp", "mcp_url", metavar="URL", help="It is the MCP server at this URL; nothing else need be said of it."
)
@click.option("--mcp-scopes", default="mcp", help="What its tools need, the first for all of it (default: mcp).")
@click.option("--id", "api_id", metavar="ID", help="Its id in API Gateway.")
@click.option("--name", help="What to call it here.")
@click.option("--file", type=click.Path(path_type=Path), help="A scope map, or OpenAPI as JSON or YAML.")
@click.option("--revocation", type=click.Choice(REVOCATION), help="How late an ended session counts.")
@click.option("--answer", type=click.Choice(ANSWERS), default="policy", help="simple: HTTP APIs, payload 2.0.")
@click.option("--audience", help="The `aud` that its tokens must have (default: LATCHKEY_AUDIENCE).")
@click.option(
    "--keep-scopes", is_flag=True, help="Leave LATCHKEY_SCOPES as it is: for scopes that not every user may have."
)
@click.option("--dpop", is_flag=True, help="Take tokens bound to a key (RFC 9449) with a proof of it.")
@click.option(
    "--typ", type=click.Choice(TYPS), default=TYPS[0], help="Of its tokens; JWT for verifiers that know no other."
)
@click.option(
    "--claim",
    "access_token_claims",
    multiple=True,
    type=click.Choice(OF_USER),
    help="Its tokens say this of their user, as far as their scopes open it; may be given several times.",
)
@STAGE
def add(mcp_url: str | None, mcp_scopes: str, *, stage: str | None, **registered: Any) -> None:
    """Register an API, or register it anew, and print how it attaches the guard."""
    register = _register()
    chosen_stage = stages.read(_stage(stage) or "dev", project=register.project)
    if mcp_url is not None:
        _add_mcp(register, chosen_stage, _mcp_server(mcp_url, mcp_scopes), **registered)
        return
    if missing := [name for name in ("api_id", "name", "file", "revocation") if registered[name] is None]:
        raise click.UsageError(f"--{missing[0].removeprefix('api_')} is missing; an MCP server needs --mcp alone.")
    _add(register, chosen_stage, **registered)


def _mcp_server(url: str, scopes: str) -> McpServer:
    try:
        return mcp_server.parse(url, scopes)
    except NotAnMcpServer as wrong:
        raise CannotRegisterError(f"{wrong}.") from None


def _add_mcp(
    register: Register,
    stage: Stage,
    server: McpServer,
    *,
    api_id: str | None,
    name: str | None,
    file: Path | None,
    keep_scopes: bool,
    **registered: Any,
) -> None:
    """Register an MCP server, let clients come to it that nobody has registered, and print what is to be done."""
    from deploy import attaching

    own_id, name = api_id or server.api_id, name or mcp_server.NAME
    _check_names(own_id or mcp_server.NAME, name)
    options = {option: value for option, value in registered.items() if value is not None}
    reading = scope_map(file) if file else None
    api = server.entry(
        name,
        scope_map=reading.scopes if reading else None,
        acr=reading.acr if reading else None,
        scope_descriptions=reading.descriptions if reading else None,
        **options,
    )
    _refuse_our_own(register, own_id)
    registry = register.read()
    check_same_tokens(registry, own_id or name, api)
    register.write({**registry, own_id or name: api})
    if not keep_scopes:
        register.offer(stage.name, server.scopes, variable=OFFERED_SCOPES)
        register.offer(stage.name, [server.url], variable=OFFERED_RESOURCES)
    if own_id:
        _instruct(register, own_id, api, stage=stage.name)
    issuer = issuer_of(stages.read(stage.name, project=register.project)) or "<issuer>"
    print(attaching.of_mcp(own_id, name, server, issuer))


def _add(
    register: Register, chosen_stage: Stage, *, api_id: str, file: Path, keep_scopes: bool, **registered: Any
) -> None:
    _check_names(api_id, registered["name"])
    reading = scope_map(file)
    api = entry(scopes=reading.scopes, acr=reading.acr, scope_descriptions=reading.descriptions, **registered)
    _refuse_our_own(register, api_id)
    registry = register.read()
    check_same_tokens(registry, api_id, api)
    before = registry.get(api_id, {})
    api["login_scopes"] = dict(before.get("login_scopes", {}))
    if not keep_scopes:
        api["login_scopes"][chosen_stage.name] = _open(register, api, before, chosen_stage.name)
    register.write({**registry, api_id: api})
    for line in reading.public:
        print(f"Not guarded, as it asks for no token: {line}")
    _instruct(register, api_id, api, stage=chosen_stage.name)


def _check_names(api_id: str, name: str) -> None:
    if not API_ID.fullmatch(api_id):
        raise CannotRegisterError(f"{api_id!r} is not the id of an API.")
    if not NAME.fullmatch(name):
        raise CannotRegisterError(f"{name!r} cannot be its name, which is in a URL: letters, digits, and . _ ~ -")


def _instruct(register: Register, api_id: str, api: Mapping[str, Any], *, stage: str) -> None:
    from deploy import attaching

    settings_of_stage = stages.read(stage, project=register.project)  # as it is now, with what logins may ask for
    for line in warnings(api, settings_of_stage):
        print(line)
    print(attaching.instructions(api_id, dict(api), stage=stage, project=register.project))
    issuer = issuer_of(settings_of_stage) or "<issuer>"
    print(f"\n{attaching.challenge(api_id, api['name'], issuer, sorted(needed(api)))}")
    print("The guard knows of it from the next `make deploy` on.")


def _refuse_our_own(register: Register, api_id: str) -> None:
    """A map for Latchkey's own API would take the place of the one that it is made with."""
    for name in stages.names(project=register.project):
        ours = deployed_api(stages.read(name, project=register.project), project=register.project)
        if ours is not None and ours["rest_api_id"] == api_id:
            raise CannotRegisterError(f"{api_id} is Latchkey's own API in the stage {name}: it has its guard already.")


def _open(register: Register, api: Mapping[str, Any], before: Mapping[str, Any], stage: str) -> list[str]:
    """Let logins of a stage ask for what an API newly needs; return what was opened for it, now or before."""
    earlier = before.get("login_scopes", {})
    # What the API needed when it was last added for this stage is as the operator left it.
    new = needed(api) - (needed(before) if stage in earlier else set())
    new_scopes = register.offer(stage, sorted(new))
    if new_scopes:
        print(
            f"From now on every login of the stage {stage} may ask for {', '.join(new_scopes)}: they are in LATCHKEY_SCOPES."
        )
    return sorted({*earlier.get(stage, []), *new_scopes})


@command.command("list")
def list_apis() -> None:
    """Show what is registered."""
    rows = [
        (api_id, api["name"], api["revocation"], api["answer"], f"{len(api['scopes'])} routes")
        for api_id, api in _register().read().items()
    ]
    print_rows(HEADINGS, rows)


@command.command()
@click.option("--id", "api_id", required=True, metavar="ID", help="Its id in API Gateway.")
@STAGE
def remove(api_id: str, stage: str | None) -> None:
    """Take an API off the register."""
    from deploy import attaching

    register = _register()
    registry = register.read()
    removed = registry.pop(api_id, None)
    if removed is None:
        raise CannotRegisterError(f"No API {api_id!r} is registered.")
    every_stage = stages.names(project=register.project)
    # The register is for all stages and does not know which of them the API was attached to.
    attached = [only] if (only := _stage(stage)) else every_stage
    revocations = [attaching.revocation(api_id, stages.read(name, project=register.project)) for name in attached]
    register.write(registry)
    if removed.get("mcp"):
        _withhold_mcp(register, registry, removed, attached)
    others = {scope for api in registry.values() for scope in needed(api)}
    for name, login_scopes in removed.get("login_scopes", {}).items():
        closed = [scope for scope in login_scopes if scope not in others]
        if name in every_stage and register.withhold(name, closed):
            print(f"No login of the stage {name} may ask for {', '.join(closed)} any more: `add` had opened them.")
    print("The guard forgets it with the next `make deploy`; take its permission away as well, where it has one:")
    print("\n".join(revocations))


def _withhold_mcp(
    register: Register, registry: Registry, removed: Mapping[str, Any], stage_names: Iterable[str]
) -> None:
    """Offer clients that nobody has registered no more what an MCP server alone had for them."""
    others = [api for api in registry.values() if api.get("mcp")]
    kept = {scope for api in others for scope in scopes(api)}
    withheld = [scope for scope in scopes(removed) if scope not in kept]
    for name in stage_names:
        register.withhold(name, withheld, variable=OFFERED_SCOPES)
        if removed["audience"] not in {api["audience"] for api in others}:
            register.withhold(name, [removed["audience"]], variable=OFFERED_RESOURCES)
