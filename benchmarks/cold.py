"""A cold start of each function of the real zip under Lambda's own runtime client: CPU and memory, ready and answered.

The yardsticks are two functions beside it in the same folder: one that does nothing, and one that imports Chalice and
PyJWT. What is over the bare one is the function's own.
"""

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from os import environ
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from benchmarks import deployment, environments
from benchmarks.rounds import Comparison, Table, of_pairs
from benchmarks.routes import event
from benchmarks.runtime.api import Moment, RuntimeApi
from chalicelib.domain.accounts.passwords import OWASP_19_MIB
from chalicelib.domain.authentication.user_agent import UserAgent
from chalicelib.flows.accounts import signup
from chalicelib.flows.platform import keys
from chalicelib.services import Services
from deploy import package, stages, vendor

ROUNDS = 7
ADDRESS, PASSWORD = "cold@example.com", "correct horse battery staple"
YARDSTICKS = {
    "bare": "def function(event, context):\n    return {}\n",
    "libraries": "import chalice.app, jwt\n\ndef function(event, context):\n    return {}\n",
}
BARE, LIBRARIES, API = "bare.function", "libraries.function", "app.app"
LABELS = {BARE: "nothing", LIBRARIES: "import chalice.app, jwt", API: "API function"}
NOW = "now"
GUARD = "chalicelib.guard.functions.guard"
IMPORT_LINE = re.compile(r"import time: +(\d+) \| +\d+ \| +(\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Zip:
    """An unpacked zip, its functions' handlers, and what is set for them."""

    name: str
    folder: Path
    handlers: tuple[str, ...]
    environment: Mapping[str, str]


def measure(before: Path | None = None) -> Iterator[Comparison | Table]:
    """Every function, then what the targets are about; `before` is the folder of an older package to go beside it."""
    with deployment.running(hashing=OWASP_19_MIB) as svc, TemporaryDirectory() as scratch:
        zips = [_unpacked(NOW, _packaged(Path(scratch)), Path(scratch, NOW), svc)]
        if before is not None:
            zips.append(_without_yardsticks(_unpacked("before", before, Path(scratch, "before"), svc)))
        events = _events(svc)
        python = environments.python("runtime")
        starts = _starts(python, zips, events)
        yield from tables(starts)
        for each in zips:
            yield breakdown(python, each)
        yield from comparisons(starts)


Starts = dict[tuple[str, str], list[list[Moment]]]


def _starts(python: Path, zips: list[Zip], events: Mapping[str, Any]) -> Starts:
    starts: Starts = {(each.name, handler): [] for each in zips for handler in each.handlers}
    for number in range(ROUNDS):
        pairs = [(each, handler) for each in zips for handler in each.handlers]
        for each, handler in pairs if number % 2 else reversed(pairs):
            api = RuntimeApi([events[handler]] * 2 if handler in events else [])
            starts[each.name, handler].append(api.run(python, each.folder, handler, each.environment))
            _must_be_good(handler, api.answers)
    return starts


def _must_be_good(handler: str, answers: list[Any]) -> None:
    if handler == API:
        assert [answer["statusCode"] for answer in answers] == [200, 200], answers
    elif "guard" in handler:
        assert all(answer["principalId"] for answer in answers), answers


def _packaged(scratch: Path) -> Path:
    out = scratch / "package"
    package.package(
        stages.read("dev"), form="sam", out=out, architecture=vendor.of_this_machine(), build=scratch / "build"
    )
    return out


def _unpacked(name: str, packaged: Path, folder: Path, svc: Services) -> Zip:
    with ZipFile(packaged / "deployment.zip") as archive:
        archive.extractall(folder)
    for yardstick, program in YARDSTICKS.items():
        (folder / f"{yardstick}.py").write_text(program)
    # What a deployment ships beside the code: the guard starts with the keys that are published.
    (folder / "chalicelib" / "jwks.json").write_text(json.dumps({"keys": keys.published(svc)}))
    entry = {"name": "notes", "revocation": "stateless", "scopes": {"GET /notes": "account"}}
    (folder / "chalicelib" / "apis.json").write_text(json.dumps({"notes": entry}))
    resources = json.loads((packaged / "sam.json").read_text())["Resources"].values()
    functions = [each["Properties"]["Handler"] for each in resources if each["Type"] == "AWS::Serverless::Function"]
    settings = {name: value for name, value in environ.items() if name.startswith("AWS_")} | deployment.SETTINGS
    return Zip(name=name, folder=folder, handlers=(BARE, LIBRARIES, *sorted(functions)), environment=settings)


def _without_yardsticks(package: Zip) -> Zip:
    return replace(package, handlers=tuple(each for each in package.handlers if each not in (BARE, LIBRARIES)))


def _events(svc: Services) -> dict[str, Any]:
    """The first request of each function; one that has none here is measured until it is ready."""
    _, tokens = signup.sign_up(
        svc,
        address=ADDRESS,
        password=PASSWORD,
        name="",
        device="bench",
        agent=UserAgent(network="192.0.2.1", language="en"),
    )
    arn = "arn:aws:execute-api:eu-central-1:123456789012:{}/api/GET/{}"
    token = {"type": "TOKEN", "authorizationToken": f"Bearer {tokens.access_token}"}
    schedule = dict.fromkeys(("version", "account", "region", "detail-type", "source", "time", "id"), "")
    return {
        API: event("POST", "/login", {"email": ADDRESS, "password": PASSWORD}),
        GUARD: {**token, "methodArn": arn.format("own", "me")},
        f"{GUARD}_request": {**token, "methodArn": arn.format("notes", "notes")},
        "chalicelib.web.jobs.key_rotation.rotate_keys": {**schedule, "detail": {}, "resources": []},
    }


def tables(starts: Starts) -> Iterator[Table]:
    """Medians, a row a function: CPU until ready and for the first and the second request; memory at those moments."""
    cpu: dict[str, dict[str, float]] = {}
    memory: dict[str, dict[str, float]] = {}
    for (name, handler), rounds in sorted(starts.items(), key=lambda start: _place(start[0][1])):
        row = f"{LABELS.get(handler, handler.rpartition('.')[2])}{'' if name == NOW else f', {name}'}"
        cpu[row] = {"until ready": median(moments[0].cpu for moments in rounds) * 1e3}
        memory[row] = {"when ready": median(moments[0].resident for moments in rounds) / 1024}
        for number, request in enumerate(("first request", "second request")[: len(rounds[0]) - 1], start=1):
            cpu[row][request] = median(moments[number].cpu - moments[number - 1].cpu for moments in rounds) * 1e3
            memory[row][f"after {request}"] = median(moments[number].resident for moments in rounds) / 1024
        memory[row]["at most"] = median(moments[-1].peak for moments in rounds) / 1024
    yield Table(name="CPU of a cold start", unit="ms", rows=cpu)
    yield Table(name="Memory of a cold start", unit="MiB", rows=memory)


def _place(handler: str) -> tuple[int, str]:
    """The yardsticks, the API function, then all others."""
    known = [*LABELS]
    return (known.index(handler) if handler in known else len(known), handler)


def breakdown(python: Path, package: Zip) -> Table:
    """Where the milliseconds of importing go, by package; time on the clock, the least of three starts."""
    least: dict[str, float] = {}
    for _ in range(3):
        run = subprocess.run(
            [python, "-X", "importtime", "-c", "import awslambdaric.bootstrap, json; import app"],
            cwd=package.folder,
            env={**package.environment, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        ours = run.stderr[run.stderr.rfind("awslambdaric.bootstrap") :]
        for microseconds, module in IMPORT_LINE.findall(ours):
            least[module] = min(least.get(module, float("inf")), int(microseconds) / 1e3)
    parts: defaultdict[str, float] = defaultdict(float)
    for module, milliseconds in least.items():
        parts[_part(module, package.folder)] += milliseconds
    rows = {part: {"import": parts[part]} for part in sorted(parts, key=lambda part: -parts[part])}
    return Table(name=f"Imports of the API function, {package.name}, on the clock", unit="ms", rows=rows)


def _part(module: str, folder: Path) -> str:
    top = module.split(".")[0]
    if top == "chalicelib":
        return ".".join(module.split(".")[:2])
    return top if (folder / top).is_dir() or top in ("boto3", "botocore", "urllib3") else "standard library"


def comparisons(starts: Starts) -> Iterator[Comparison]:
    """What the API function loads up to its first answer, and the memory that it then keeps."""
    rounds = zip(starts[NOW, API], starts[NOW, LIBRARIES], starts[NOW, BARE], strict=True)
    pairs = [
        (api[0].cpu - bare[0].cpu + _loaded(api), libraries[0].cpu - bare[0].cpu) for api, libraries, bare in rounds
    ]
    yield of_pairs("API function: import and first login", pairs, at_most=2.0, unit="ms", scale=1e3)
    if ("before", API) in starts:
        memory = [
            (float(now[1].resident), float(then[1].resident))
            for now, then in zip(starts[NOW, API], starts["before", API], strict=True)
        ]
        yield of_pairs("API function: memory after first login", memory, at_most=0.70, unit="MiB", scale=1 / 1024)


def _loaded(moments: list[Moment]) -> float:
    """What a first request does that a second one need not."""
    ready, first, second = (moment.cpu for moment in moments)
    return (first - ready) - (second - first)
