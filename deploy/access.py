"""The AWS account that the shell's credentials lead to."""

from dataclasses import dataclass

import boto3
from botocore.config import Config
from botocore.parsers import ResponseParserError

from deploy.errors import CannotDeployError

# API Gateway lets an account make few changes a second; the client waits and tries again.
PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 10})


@dataclass(frozen=True)
class Account:
    """Where the deployment goes."""

    number: str
    region: str
    identity: str


def session() -> boto3.Session:
    """Return the AWS session that the environment describes; raise CannotDeployError where a part of it is missing."""
    aws = boto3.Session()
    if aws.region_name is None:
        raise CannotDeployError("No region: set AWS_DEFAULT_REGION, or region in your AWS profile.")
    if aws.get_credentials() is None:
        raise CannotDeployError(
            "No AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
            "where a command has --local, it works on what `make serve` runs."
        )
    return aws


def account() -> Account:
    """Ask AWS who we are; the first thing to fail where credentials are missing or stale."""
    aws = session()
    try:
        who = aws.client("sts").get_caller_identity()
    except ResponseParserError:
        raise CannotDeployError(
            "What AWS_ENDPOINT_URL names knows no accounts: the AWS of `make serve` has tables and keys alone, and nothing is "
            "deployed into it. Unset the variable; to begin the local run anew, delete the folder that `make serve` prints."
        ) from None
    return Account(number=who["Account"], region=str(aws.region_name), identity=who["Arn"])
