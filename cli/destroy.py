"""`./latchkey destroy`: take a stage out of the account; the users stay unless told otherwise."""

import click


@click.command("destroy")
@click.option("--stage", required=True, help="A stage of .chalice/config.json.")
@click.option("--confirm", metavar="STAGE", help="The stage's name once more; asked for if it is not given.")
@click.option("--with-users", is_flag=True, help="Delete the accounts, and what they are known by, too: for good.")
def command(stage: str, confirm: str | None, *, with_users: bool) -> None:
    """Take a stage out of the account; the users stay unless told otherwise."""
    from deploy import destroy, stages
    from deploy.access import account

    chosen_stage = stages.read(stage)
    where = account()
    print(f"Account {where.number}, {where.region}, as {where.identity}.")
    destroy.announce(chosen_stage, with_users=with_users)
    destroy.confirm(chosen_stage, confirm)
    destroy.destroy(chosen_stage, with_users=with_users)
