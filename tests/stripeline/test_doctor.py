"""`stripeline doctor` as an operator runs it."""

from pathlib import Path

import psycopg
import pytest

from tests.infrastructure import Infrastructure
from tests.stripeline.answering import answering
from tests.stripeline.running import stripeline

NOWHERE = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",
    "DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:1/app",
    "STRIPE_API_BASE": "http://127.0.0.1:1",
    "STRIPE_API_KEY": "sk_test_hunter3",
    "STRIPE_WEBHOOK_SECRET": "whsec_hunter4",
}
EVENTS = '{"object": "list", "data": [], "has_more": false, "url": "/v1/events"}'


def schemas_in(database_url: str) -> list[str]:
    """Our schemas in a database; the doctor makes none."""
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "select nspname from pg_namespace where nspname in ('stripeline', 'stripe')"
        ).fetchall()
    return [str(name) for (name,) in found]


def test_where_nothing_answers_each_part_says_what_to_do_and_no_secret_is_shown(
    tmp_path: Path,
) -> None:
    done = stripeline("doctor", folder=tmp_path, **NOWHERE)

    assert done.returncode == 3
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL", "DATABASE_URL"):
        assert name in done.stdout
    assert "STRIPE_API_BASE" in done.stdout
    assert "hunter" not in done.stdout
    assert done.stderr == ""


def test_a_wrong_setting_is_named_with_an_example_and_the_rest_is_looked_at(
    tmp_path: Path,
) -> None:
    wrong = NOWHERE | {"STRIPE_WEBHOOK_SECRET": "", "TOPIC_PARTITIONS": "none"}

    done = stripeline("doctor", folder=tmp_path, **wrong)

    assert done.returncode == 2
    assert "TOPIC_PARTITIONS=6" in done.stdout
    assert "STRIPE_WEBHOOK_SECRET=whsec_..." in done.stdout
    assert "127.0.0.1:1 does not answer" in done.stdout


@pytest.mark.stack
def test_after_the_services_own_preparations_all_is_fine(
    stack: Infrastructure, namespace: str, database_url: str, tmp_path: Path
) -> None:
    with answering({"/v1/events": (200, EVENTS)}) as stripe:
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": stack.kafka,
            "KAFKA_NAMESPACE": namespace,
            "SCHEMA_REGISTRY_URL": stack.registry,
            "DATABASE_URL": database_url,
            "STRIPE_API_BASE": stripe,
            "STRIPE_API_KEY": "sk_test_x",
            "STRIPE_WEBHOOK_SECRET": "whsec_x",
            "TOPIC_PARTITIONS": "1",
            "OBJECTS": "customer",
        }
        before = stripeline("doctor", folder=tmp_path, **environment)
        untouched = schemas_in(database_url)
        topics = stripeline("producer", "topics", folder=tmp_path, **environment)
        migrated = stripeline("sink", "migrate", folder=tmp_path, **environment)
        after = stripeline("doctor", folder=tmp_path, **environment)

    assert before.returncode == 2
    assert untouched == []
    assert "stripeline producer topics" in before.stdout
    assert "stripeline sink migrate" in before.stdout
    assert topics.returncode == 0, topics.stderr
    assert migrated.returncode == 0, migrated.stderr
    assert after.returncode == 0, after.stdout
    assert "1 of 1 as planned" in after.stdout
    assert "migrations applied" in after.stdout
