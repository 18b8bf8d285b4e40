"""A stage of .chalice/config.json, and the few settings that Chalice's file has no place for."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
GUARDS = ("guard", "guard_request")
# Chalice's own default; it is in the URL that API Gateway gives: …amazonaws.com/api
API_STAGE = "api"


@dataclass(frozen=True)
class Limits:
    """How long a stage's logs are kept, and how many requests a second its gateway lets through."""

    log_days: int
    rate: int
    burst: int


LIMITS = {"dev": Limits(log_days=14, rate=50, burst=100)}
LIMITS_OF_OTHERS = Limits(log_days=90, rate=200, burst=400)


class NoSuchStageError(Exception):
    """The name is not one of the stages in .chalice/config.json."""


@dataclass(frozen=True)
class Stage:
    """One stage: its name, the project's name and the stage's part of config.json."""

    name: str
    app_name: str
    config: dict[str, Any]

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions as config.json names them; `api_handler` is the one with all routes."""
        return tuple(self.config["lambda_functions"])

    @property
    def limits(self) -> Limits:
        """The stage's limits; a stage of your own gets those of production."""
        return LIMITS.get(self.name, LIMITS_OF_OTHERS)

    @property
    def users_table(self) -> str:
        """The table that holds the accounts."""
        return self.environment()["LATCHKEY_USERS_TABLE"]

    @property
    def grants_table(self) -> str:
        """The table that holds the sessions."""
        return self.environment()["LATCHKEY_GRANTS_TABLE"]

    @property
    def outbox_table(self) -> str:
        """The table that holds what is still to be delivered."""
        return self.environment()["LATCHKEY_OUTBOX_TABLE"]

    @property
    def tables(self) -> dict[str, str]:
        """The names of the tables, by what they are for."""
        return {"users": self.users_table, "grants": self.grants_table, "outbox": self.outbox_table}

    @property
    def configuration_set(self) -> str:
        """SES's configuration set, under which the stage sends its mail; "" where it sends none, or under none."""
        environment = self.environment()
        return environment.get("LATCHKEY_SES_CONFIGURATION_SET", "") if environment.get("LATCHKEY_MAIL_FROM") else ""

    def deployed_name(self, function: str) -> str:
        """Return the function's name in AWS, as `chalice deploy` makes it up."""
        base = f"{self.app_name}-{self.name}"
        return base if function == "api_handler" else f"{base}-{function}"

    def log_group(self, function: str) -> str:
        """Return the log group into which Lambda writes for this function."""
        return f"/aws/lambda/{self.deployed_name(function)}"

    def environment(self, function: str = "api_handler") -> dict[str, str]:
        """Return the function's environment, put together as Chalice does it."""
        own: dict[str, str] = self.config["lambda_functions"][function].get("environment_variables", {})
        return {**self.config.get("environment_variables", {}), **own}


def names(*, project: Path = PROJECT) -> list[str]:
    """Return the names of all stages in the project's config.json."""
    return list(json.loads((project / ".chalice" / "config.json").read_text())["stages"])


def read(name: str, *, project: Path = PROJECT) -> Stage:
    """Read one stage from the project's config.json."""
    config = json.loads((project / ".chalice" / "config.json").read_text())
    stages = config["stages"]
    if name not in stages:
        raise NoSuchStageError(f"There is no stage {name!r} in .chalice/config.json, only {', '.join(stages)}.")
    return Stage(name=name, app_name=config["app_name"], config=stages[name])
