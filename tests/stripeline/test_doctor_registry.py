"""What the doctor says of the schema registry."""

from contextlib import closing

import httpx
import orjson
import pytest

from schemas.registry import Registry
from schemas.topics import Names
from stripeline.doctor_registry import LISTED_MAX, judged_subjects, registry_findings
from stripeline.findings import Verdict
from tests.infrastructure import Infrastructure
from tests.stripeline.answering import answering

NAMES = Names()
SCHEMA = {"type": "record", "name": "Price", "fields": [{"name": "id", "type": "string"}]}


def test_subjects_held_to_full_transitive_are_fine() -> None:
    found = judged_subjects({"stripe.price-value": "FULL_TRANSITIVE"})

    assert [finding.verdict for finding in found] == [Verdict.FINE]


@pytest.mark.parametrize(("level", "shown"), [("BACKWARD", "BACKWARD"), ("", "the default")])
def test_a_subject_held_to_less_is_wrong_and_names_the_remedy(level: str, shown: str) -> None:
    found = judged_subjects({"stripe.plan-value": "FULL_TRANSITIVE", "stripe.price-value": level})

    wrong, summary = found
    assert wrong.verdict is Verdict.WRONG
    assert shown in wrong.words
    assert "config/stripe.price-value" in wrong.advice
    assert summary.words == "1 of 2 held to FULL_TRANSITIVE"


def test_a_registry_without_our_subjects_is_only_a_note() -> None:
    with answering({"/subjects": (200, '["other.price-value"]')}) as url:
        found = registry_findings(url, names=NAMES, timeout_seconds=5)

    assert [finding.verdict for finding in found] == [Verdict.FINE, Verdict.NOTE]


def test_our_subjects_are_found_where_the_list_of_all_is_cut_off() -> None:
    full = orjson.dumps([f"other-{number}" for number in range(LISTED_MAX)]).decode()
    level = '{"compatibilityLevel": "FULL_TRANSITIVE"}'
    with answering(
        {"/subjects": (200, full), "/config/stripe.checkout_session-value": (200, level)}
    ) as url:
        _, found = registry_findings(url, names=NAMES, timeout_seconds=5)

    assert found.words == "1 of 1 held to FULL_TRANSITIVE"


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_registry_that_answers_with_an_error_is_a_wrong_setting(status: int) -> None:
    with answering({"/subjects": (status, "{}")}) as url:
        [found] = registry_findings(url, names=NAMES, timeout_seconds=5)

    assert found.verdict is Verdict.WRONG
    assert str(status) in found.words
    assert "SCHEMA_REGISTRY_URL=" in found.advice


def test_a_page_that_is_no_registry_is_a_fault_and_not_a_crash() -> None:
    with answering({"/subjects": (200, "<html>"), "/other": (200, "{}")}) as url:
        [found] = registry_findings(url, names=NAMES, timeout_seconds=5)

    assert found.verdict is Verdict.WRONG
    assert "no Confluent API" in found.words


def test_the_password_in_the_address_is_never_shown() -> None:
    [found] = registry_findings(
        "http://me:hunter2@127.0.0.1:1/api", names=NAMES, timeout_seconds=1
    )

    assert found.verdict is Verdict.UNREACHABLE
    assert "127.0.0.1:1/api" in found.words
    assert "hunter2" not in found.words + found.advice


@pytest.mark.stack
def test_subjects_of_a_real_registry_are_told_apart_by_their_compatibility(
    stack: Infrastructure, namespace: str
) -> None:
    names = Names(namespace=namespace)
    held, loose = (names.subject(names.object_topic(name)) for name in ("price", "plan"))
    with closing(Registry(stack.registry)) as registry:
        registry.register(held, SCHEMA)
        registry.register(loose, SCHEMA)
    answer = httpx.put(f"{stack.registry}/config/{loose}", json={"compatibility": "BACKWARD"})
    assert answer.status_code == httpx.codes.OK

    found = registry_findings(stack.registry, names=names, timeout_seconds=10)

    assert [finding.verdict for finding in found] == [Verdict.FINE, Verdict.WRONG, Verdict.FINE]
    assert found[1].subject == f"subject {loose}"
    assert "BACKWARD" in found[1].words
