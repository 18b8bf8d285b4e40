"""The staging copy: what Chalice packs, put together from the project without touching it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from chalice.deploy.packager import DependencyBuilder, LambdaDeploymentPackager
from chalice.utils import UI, OSUtils

from deploy import bundle, bytecode, custom, reference, vendor
from deploy.stages import PROJECT, Stage

BUILD = PROJECT / "build"
_NEVER_SHIPS = shutil.ignore_patterns("__pycache__", "jwks.json", "custom", ".*", "*.orig", "*.rej", "*~")


class CannotPackageError(Exception):
    """Chalice failed, or left out a dependency (which it reports as success)."""


def make(
    stage: Stage,
    *,
    architecture: str,
    environment: dict[str, str],
    jwks: Sequence[Mapping[str, Any]] | None = None,
    registry: Mapping[str, Any] | None = None,
    project: Path = PROJECT,
    build: Path = BUILD,
) -> Path:
    """Make the staging copy of one stage anew, with `environment` laid over the stage's own; return it.

    `jwks` are the public keys to ship; `registry` stands in for the project's list of other APIs.
    """
    copy = build / stage.name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(project / "chalicelib", copy / "chalicelib", ignore=_NEVER_SHIPS)
    custom.check(project)
    custom.copy(project, copy / "chalicelib")
    shutil.copy(project / "app.py", copy / "app.py")
    # Chalice would resolve a full file once more, without looking at the hashes.
    (copy / "requirements.txt").write_text("")
    if jwks is not None:
        (copy / "chalicelib" / "jwks.json").write_text(json.dumps({"keys": jwks}, sort_keys=True))
    if registry is not None:
        (copy / "chalicelib" / "apis.json").write_text(json.dumps(registry, sort_keys=True))
    if {**stage.environment(), **environment}.get(reference.SETTING) == "on":
        reference.ship(copy / "chalicelib")
    _add_configuration(copy, project)
    configure(copy, stage, architecture=architecture, environment=environment, project=project)
    wheels = vendor.build(project / "requirements.txt", architecture=architecture, cache=build / "vendor")
    shutil.copytree(wheels, copy / "vendor")
    bytecode.compile_tree(copy / "chalicelib", shipped_as="chalicelib")
    bytecode.compile_for_root(copy / "app.py", root=copy / "vendor", shipped_as="app.py")
    bytecode.compile_chalice_into(copy / "vendor")
    return copy


def configure(
    copy: Path, stage: Stage, *, architecture: str, environment: dict[str, str], project: Path = PROJECT
) -> None:
    """Give the copy its config.json, with `environment` laid over the stage's own; what is in the zip stays as it is."""
    config = json.loads((project / ".chalice" / "config.json").read_text())
    part = config["stages"][stage.name]
    part["lambda_architecture"] = architecture
    part["environment_variables"] = {**part.get("environment_variables", {}), **environment}
    (copy / ".chalice" / "config.json").write_text(json.dumps(config, indent=2))


def _add_configuration(copy: Path, project: Path) -> None:
    chalice = project / ".chalice"
    (copy / ".chalice").mkdir()
    for policy in chalice.glob("policy-*.json"):
        shutil.copy(policy, copy / ".chalice")
    # What Chalice remembers of a deployment is the project's; a link keeps it there even if we are killed.
    deployed = chalice / "deployed"
    deployed.mkdir(exist_ok=True)
    (copy / ".chalice" / "deployed").symlink_to(deployed, target_is_directory=True)


def zip_up(copy: Path, *, architecture: str) -> Path:
    """Make the zip of a copy where `chalice deploy` looks for it, and takes it as long as nothing in the copy changes."""
    files = OSUtils()
    builder = DependencyBuilder(files, architecture=architecture)
    packager = LambdaDeploymentPackager(files, builder, UI(out=StringIO()), architecture)
    return Path(packager.create_deployment_package(str(copy), "python{}.{}".format(*sys.version_info)))


def check(zipped: Path, *, architecture: str, jwks: bool = False, project: Path = PROJECT) -> None:
    """Raise CannotPackageError unless the zip is fit to be deployed."""
    problems = bundle.problems(zipped, architecture=architecture, requirements=project / "requirements.txt", jwks=jwks)
    if problems:
        raise CannotPackageError("\n".join([f"{zipped} may not be deployed:", *problems]))


def run_chalice(copy: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run Chalice on the staging copy and return what it printed; `environment` is for the import of app.py."""
    chalice = Path(sys.executable).with_name("chalice")
    done = subprocess.run(
        [chalice, "--project-dir", str(copy), *arguments],
        cwd=copy,
        # A pyc that the import of app.py leaves behind would be a stray file in the zip.
        env={"AWS_DEFAULT_REGION": "us-east-1", **os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    if done.returncode != 0 or "Could not install dependencies" in output:
        raise CannotPackageError(output.strip())
    return output
