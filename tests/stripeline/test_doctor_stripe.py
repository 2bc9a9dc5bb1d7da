"""What the doctor says of the key, the API and the webhook secret."""

import pytest

from simulator.settings import SimulatorSettings
from stripeline.doctor_stripe import secret_findings, stripe_findings
from stripeline.findings import Verdict
from tests.stripeline.answering import answering

KEY = "sk_test_do_not_show"
ERROR = '{"error": {"type": "invalid_request_error", "message": "no"}}'
EVENTS = '{"object": "list", "data": [], "has_more": false, "url": "/v1/events"}'


@pytest.mark.parametrize(
    ("status", "body", "verdict", "words"),
    [
        (200, EVENTS, Verdict.FINE, "takes the test key"),
        (401, ERROR, Verdict.WRONG, "does not know the key"),
        (403, ERROR, Verdict.NOTE, "may not read events"),
        (500, ERROR, Verdict.UNREACHABLE, "answers 500"),
    ],
)
def test_the_answer_of_the_api_is_told(
    status: int, body: str, verdict: Verdict, words: str
) -> None:
    with answering({"/v1/events": (status, body)}) as url:
        [found] = stripe_findings(api_key=KEY, api_base=url, timeout_seconds=5)

    assert found.verdict is verdict
    assert words in found.words
    assert KEY not in found.words + found.advice


def test_an_api_that_does_not_answer_is_unreachable() -> None:
    [found] = stripe_findings(api_key=KEY, api_base="http://127.0.0.1:1", timeout_seconds=1)

    assert found.verdict is Verdict.UNREACHABLE
    assert "STRIPE_API_BASE" in found.advice


def test_a_publishable_key_is_wrong_and_not_shown() -> None:
    [found] = stripe_findings(api_key="pk_test_1", api_base="http://x", timeout_seconds=1)

    assert found.verdict is Verdict.WRONG
    assert "pk_test_1" not in found.words + found.advice


def test_no_key_is_only_a_note_that_says_what_is_lost() -> None:
    [found] = stripe_findings(api_key="", api_base="http://x", timeout_seconds=1)

    assert found.verdict is Verdict.NOTE
    assert "arrival" in found.words


def test_secrets_are_counted_and_an_odd_one_is_not_shown() -> None:
    [fine] = secret_findings(["whsec_a", "whsec_b"])
    [odd] = secret_findings(["whsec_a", "hunter2"])

    assert fine.verdict is Verdict.FINE
    assert "2 secrets" in fine.words
    assert odd.verdict is Verdict.WRONG
    assert "hunter2" not in odd.words + odd.advice


def test_the_simulators_secret_is_noted_because_everyone_knows_it() -> None:
    default = SimulatorSettings.model_fields["stripe_webhook_secret"].default

    [found] = secret_findings(["whsec_a", default.get_secret_value()])

    assert found.verdict is Verdict.NOTE
    assert "anyone may sign" in found.words
