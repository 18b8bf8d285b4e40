"""Template and zip for who deploys with SAM, CloudFormation or Terraform."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy import sam, staging, terraform
from deploy.stages import PROJECT, Stage


def package(
    stage: Stage,
    *,
    form: str,
    out: Path,
    architecture: str | None = None,
    registry: Mapping[str, Any] | None = None,
    project: Path = PROJECT,
    build: Path = staging.BUILD,
) -> Path:
    """Write template and checked zip into `out`; return the template."""
    architecture = architecture or stage.config["lambda_architecture"]
    # The issuer is the template's parameter: it lays itself over whatever config.json may say.
    copy = staging.make(
        stage, architecture=architecture, environment={}, registry=registry, project=project, build=build
    )
    template = write(stage, copy, form=form, out=out)
    staging.check(out / "deployment.zip", architecture=architecture, project=project)
    return template


def write(stage: Stage, copy: Path, *, form: str, out: Path) -> Path:
    """Write template and zip of a stage's staging copy into `out`, and nothing else there; return the template."""
    shutil.rmtree(out, ignore_errors=True)
    return _write_terraform(stage, copy, out) if form == "terraform" else _write_sam(stage, copy, out)


def _write_sam(stage: Stage, copy: Path, out: Path) -> Path:
    extra = copy / "merge.json"
    extra.write_text(json.dumps(sam.merge_template(stage)))
    staging.run_chalice(copy, "package", "--stage", stage.name, "--merge-template", str(extra), str(out))
    return out / "sam.json"


def _write_terraform(stage: Stage, copy: Path, out: Path) -> Path:
    staging.run_chalice(copy, "package", "--stage", stage.name, "--pkg-format", "terraform", str(out))
    template = out / "chalice.tf.json"
    complete = terraform.complete(json.loads(template.read_text()), stage)
    template.write_text(json.dumps(complete, indent=2))
    return template
