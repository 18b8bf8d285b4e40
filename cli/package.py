"""`./latchkey package`: template and zip for who deploys with SAM, CloudFormation or Terraform."""

from pathlib import Path

import click

from deploy.vendor import ARCHITECTURES


@click.command("package")
@click.option("--stage", required=True, help="A stage of .chalice/config.json.")
@click.option("--format", "form", type=click.Choice(("sam", "terraform")), default="sam", show_default=True)
@click.option("--architecture", type=click.Choice(ARCHITECTURES), help="Default: as config.json says.")
@click.option("--out", type=click.Path(path_type=Path), help="Default: build/package/<stage>-<format>.")
def command(stage: str, form: str, architecture: str | None, out: Path | None) -> None:
    """Write template and zip for who deploys with SAM, CloudFormation or Terraform."""
    from deploy import package, stages, staging
    from deploy.deployment import check_settings

    chosen_stage = stages.read(stage)
    check_settings(chosen_stage)
    folder = out or staging.BUILD / "package" / f"{stage}-{form}"
    template = package.package(chosen_stage, form=form, out=folder.resolve(), architecture=architecture)
    print(template)
    print(template.with_name("deployment.zip"))
