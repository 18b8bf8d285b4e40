"""The gateway and the app refuse in the same words, so that a client need not know which of the two it was."""

import pytest

from chalicelib.web.http.answers import STATUS
from chalicelib.web.http.middleware import CHALICE
from deploy.gateway_responses import ANSWERS

OF_THE_APP = set(STATUS.items()) | {(code, status) for status, (code, _) in CHALICE.items()}
# A firewall in front of the gateway refuses what the app never does.
OF_THE_GATEWAY_ALONE = {"WAF_FILTERED"}
# Whatever the gateway fails with, 502 say: its status is left as it is.
OF_ANY_STATUS = {"DEFAULT_5XX"}


@pytest.mark.parametrize("kind", sorted(ANSWERS.keys() - OF_THE_GATEWAY_ALONE - OF_ANY_STATUS))
def test_what_the_gateway_answers_by_itself_has_the_code_that_the_app_gives_that_status(kind: str) -> None:
    assert (ANSWERS[kind].error, ANSWERS[kind].status) in OF_THE_APP


@pytest.mark.parametrize("kind", OF_ANY_STATUS)
def test_a_fault_whose_status_is_left_as_it_is_has_the_code_of_every_fault(kind: str) -> None:
    assert (ANSWERS[kind].error, 500) in OF_THE_APP


@pytest.mark.parametrize("kind", OF_THE_GATEWAY_ALONE)
def test_what_only_the_gateway_refuses_has_a_code_of_its_own(kind: str) -> None:
    assert ANSWERS[kind].error not in {code for code, _ in OF_THE_APP}
