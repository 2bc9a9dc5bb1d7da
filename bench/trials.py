"""What was tried to make the sink faster, each beside what the sink does, in turns.

Settings are tried on the sink itself; ways of Postgres in Postgres alone, by a statement like the
sink's, on tables like the sink's.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing

from bench.figures import Figure
from bench.sink_live import TABLE, place
from bench.sinks import Seen
from bench.trials_postgres import OWN, WAYS, Ways
from tests.infrastructure import Infrastructure

IDS = 100_000
PARTITIONS = 4
ROUNDS = 3
AS_IT_IS = "as_it_is"
SETTINGS: Mapping[str, Mapping[str, str]] = {
    AS_IT_IS: {},
    "batch_of_2000_records": {"SINK_BATCH_RECORDS_MAX": "2000"},
    "batch_of_50000_records": {
        "SINK_BATCH_RECORDS_MAX": "50000",
        "SINK_BATCH_BYTES_MAX": "134217728",
    },
    "batch_of_1_mib": {"SINK_BATCH_BYTES_MAX": "1048576"},
    "batch_of_4_mib": {"SINK_BATCH_BYTES_MAX": "4194304"},
    "without_synchronous_commit": {"PGOPTIONS": "-c synchronous_commit=off"},
}


def run(infrastructure: Infrastructure) -> Iterator[Figure]:
    """First the sink's settings, then Postgres' ways, on the table that the sink has made."""
    with place(infrastructure) as at:
        at.publisher.make_topics([TABLE], partitions=PARTITIONS)
        at.publisher.publish(TABLE, range(IDS), version=0)
        at.sinks.fill(IDS)
        settings: dict[str, list[Seen]] = {name: [] for name in SETTINGS}
        version = 0
        for _round in range(ROUNDS):
            for name, environment in SETTINGS.items():
                version += 1
                at.publisher.publish(TABLE, range(IDS), version=version)
                settings[name].append(
                    at.sinks.caught_up((version + 1) * IDS, environment=environment)
                )
        for name in SETTINGS:
            yield _figure(f"sink_trials_{name}", settings, name, AS_IT_IS)
        with closing(Ways(at.database_url)) as ways:
            yield from _in_postgres(ways)


def _in_postgres(ways: Ways) -> list[Figure]:
    few = {"few_rows_prepared": True, "few_rows_not_prepared": False}
    seen: dict[str, list[Seen]] = {name: [] for name in (*WAYS, *few)}
    for number in range(ROUNDS):
        ways.make_batches(1 + number)
        for name in WAYS:
            seen[name].append(ways.written(name))
        for name, prepare in few.items():
            seen[name].append(ways.few(prepare=prepare))
    beside = {
        **dict.fromkeys(seen, OWN),
        "upsert_same_compared": "upsert_same",
        "shadow_logged": "shadow_unlogged",
        "shadow_unlogged": "shadow_unlogged",
        **dict.fromkeys(few, "few_rows_prepared"),
    }
    figures = []
    for name in seen:
        told = {}
        if name in WAYS and WAYS[name].keyed:
            told = {"updates_in_place": round(ways.updates_in_place(name), 2)}
        figures.append(_figure(f"sink_trials_{name}", seen, name, beside[name], **told))
    return figures


def _figure(
    figure: str, seen: Mapping[str, Sequence[Seen]], name: str, beside: str, **told: float
) -> Figure:
    """The middle of the rounds; the ratios are over what it was tried beside, round by round."""

    def ratio(value: Callable[[Seen], float]) -> float:
        pairs = zip(seen[name], seen[beside], strict=True)
        return statistics.median(value(one) / value(other) for one, other in pairs)

    def middle(value: Callable[[Seen], float]) -> float:
        return statistics.median(value(one) for one in seen[name])

    return Figure(
        name=figure,
        per_second=middle(lambda one: one.per_second),
        ratio=ratio(lambda one: one.per_second),
        details={
            "beside": beside,
            "cpu_ratio": round(ratio(_cpu), 2),
            "sink_cpu_us": round(middle(lambda one: one.client_cpu_micros), 1),
            "postgres_cpu_us": round(middle(lambda one: one.postgres_cpu_micros), 1),
            "peak_memory_mib": round(max(one.client_peak_mib for one in seen[name])),
            **told,
        },
    )


def _cpu(seen: Seen) -> float:
    return seen.client_cpu_micros + seen.postgres_cpu_micros
