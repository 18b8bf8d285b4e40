"""`./latchkey doctor`: what is in the way of a stage's mail, and what to do about it."""

import click


@click.command("doctor")
@click.option("--stage", required=True, help="A stage of .chalice/config.json.")
def command(stage: str) -> None:
    """Say what Amazon SES still wants before a stage's mail arrives; exit 1 if it is anything."""
    from deploy import doctor, stages

    problems = doctor.findings(stages.read(stage))
    print("\n".join(problems) or "Nothing is in the way of this stage's mail.")
    if problems:
        raise SystemExit(1)
