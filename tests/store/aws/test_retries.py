from typing import Any

import pytest
from botocore.retries import quota, standard

from chalicelib.store.aws import client, retries
from chalicelib.store.aws.answers import Unanswered
from chalicelib.store.aws.client import AwsError
from chalicelib.store.aws.retries import NO_RETRY, Retries

LOST = Unanswered(reason="no answer in time")
THROTTLED = AwsError("GetItem", "ThrottlingException")
BROKEN = AwsError("GetItem", "InternalServerError", status=500)


def the_longest(service: str = "dynamodb") -> Retries:
    return Retries(service, jitter=lambda: 1.0)


STANDARD: Any = standard  # what is private there is what is compared


def test_codes_statuses_and_costs_are_those_of_botocores_standard_mode() -> None:
    assert set(STANDARD.ThrottledRetryableChecker._THROTTLED_ERROR_CODES) == client.THROTTLING_CODES
    assert set(STANDARD.TransientRetryableChecker._TRANSIENT_ERROR_CODES) == client.TRANSIENT_CODES
    assert set(STANDARD.TransientRetryableChecker._TRANSIENT_STATUS_CODES) == retries.TRANSIENT_STATUSES
    checker = STANDARD.RetryQuotaChecker
    assert (checker._RETRY_COST, checker._THROTTLING_RETRY_COST, checker._NO_RETRY_INCREMENT) == (
        retries.RETRY_COST,
        retries.THROTTLED_COST,
        retries.GAIN,
    )
    assert quota.RetryQuota.INITIAL_CAPACITY == retries.CAPACITY
    assert {
        "dynamodb": STANDARD._SERVICE_MAX_ATTEMPTS["dynamodb"],
        "ssm": standard.DEFAULT_MAX_ATTEMPTS,
    } == retries.ATTEMPTS


def test_whatever_is_sent_again_is_temporarily_unavailable_in_the_end() -> None:
    codes = client.THROTTLING_CODES | client.TRANSIENT_CODES
    assert {code for code in codes if not AwsError("GetItem", code).retryable} == set()
    assert all(AwsError("GetItem", "Odd", status=status).retryable for status in (429, *retries.TRANSIENT_STATUSES))


@pytest.mark.parametrize(
    ("service", "failure", "waits"),
    [
        ("dynamodb", LOST, [0.025, 0.05, 0.1]),
        ("dynamodb", BROKEN, [0.025, 0.05, 0.1]),
        ("dynamodb", THROTTLED, [1, 2, 4]),
        ("dynamodb", AwsError("GetItem", "429", status=429), [1, 2, 4]),
        ("ssm", LOST, [0.05, 0.1]),
        ("ssm", THROTTLED, [1, 2]),
    ],
)
def test_waits_double_from_the_services_own_base_until_the_attempts_are_over(
    service: str, failure: AwsError | Unanswered, waits: list[float]
) -> None:
    each = the_longest(service)
    assert [each.after(failure, attempt + 1).wait for attempt in range(len(waits))] == waits
    assert each.after(failure, len(waits) + 1) is NO_RETRY


def test_the_jitter_is_a_part_of_the_wait_down_to_nothing() -> None:
    assert Retries("dynamodb", jitter=lambda: 0.0).after(LOST, 1).wait == 0
    assert Retries("dynamodb", jitter=lambda: 0.5).after(LOST, 2).wait == 0.025


@pytest.mark.parametrize(
    "code",
    [
        "ConditionalCheckFailedException",
        "ValidationException",
        "AccessDeniedException",
        "TransactionCanceledException",
        "400",
    ],
)
def test_what_would_be_refused_again_is_not_sent_again(code: str) -> None:
    assert the_longest().after(AwsError("PutItem", code), 1) is NO_RETRY


def test_an_outage_uses_up_what_all_calls_may_spend_and_answers_bring_it_back() -> None:
    each = the_longest()
    assert NO_RETRY not in [each.after(LOST, 1) for _ in range(500 // 14)]
    for _ in range(4):  # 500 - 35 * 14 = 10, and 14 are needed
        assert each.after(LOST, 1) is NO_RETRY
        each.succeed(NO_RETRY)
    assert each.after(LOST, 1) is not NO_RETRY


def test_a_call_that_was_answered_after_a_retry_gives_back_what_that_cost_and_never_more_than_there_was() -> None:
    each = the_longest()
    for _ in range(1000):
        for failure in (LOST, THROTTLED):
            retry = each.after(failure, 1)
            assert retry is not NO_RETRY
            each.succeed(retry)
        each.succeed(NO_RETRY)
    assert sum(each.after(LOST, 1) is not NO_RETRY for _ in range(100)) == 500 // 14
