"""`./latchkey deploy`: everything from an empty AWS account to a live issuer; safe to repeat."""

import click

from deploy.vendor import ARCHITECTURES


@click.command("deploy")
@click.option("--stage", required=True, help="A stage of .chalice/config.json.")
@click.option("--architecture", type=click.Choice(ARCHITECTURES), help="Default: as config.json says.")
@click.option("--without-smoke-test", is_flag=True, help="Only where no live API is behind AWS_ENDPOINT_URL.")
@click.option("--with-a-new-api", is_flag=True, help="Though functions without a known API exist.")
def command(stage: str, architecture: str | None, *, without_smoke_test: bool, with_a_new_api: bool) -> None:
    """Bring a stage into the account of your credentials, or up to date there."""
    from deploy import associations, deployment, stages
    from deploy.access import account

    chosen_stage = stages.read(stage)
    deployment.check_settings(chosen_stage)
    machine = architecture or chosen_stage.config["lambda_architecture"]
    deployment.announce(chosen_stage, account(), machine)
    if not with_a_new_api:
        deployment.refuse_a_second_api(chosen_stage)
    issuer = deployment.deploy(chosen_stage, architecture=machine, smoke_test=not without_smoke_test)
    print(f"Keep .chalice/deployed/{stage}.json: without it the next deployment makes a second API.")
    print(f"The issuer is {issuer}")
    if not without_smoke_test:
        associations.report({**chosen_stage.environment("api_handler"), "LATCHKEY_ISSUER": issuer})
