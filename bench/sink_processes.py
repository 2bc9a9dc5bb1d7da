"""One topic, and 1, 2 or 4 sinks that share its partitions.

They are held still while the records are written, so that all of them begin with their share.
"""

from collections.abc import Iterator, Sequence

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from bench.figures import Figure
from bench.machine import cpu_seconds
from bench.sink_live import TABLE, Place, place
from bench.sinks import Clock, Seen
from tests.end_to_end.services import Service, eventually
from tests.infrastructure import Infrastructure

PARTITIONS = 8
IDS = 100_000
UPSERT_ROUNDS = 2
PROCESSES = (1, 2, 4)
BALANCED_SECONDS_MAX = 120.0


def run(infrastructure: Infrastructure) -> Iterator[Figure]:
    """More and more sinks, the same number of changes each time."""
    with place(infrastructure) as at:
        at.publisher.make_topics([TABLE], partitions=PARTITIONS)
        at.publisher.publish(TABLE, range(IDS), version=0)
        alone = at.sinks.caught_up(IDS).per_second
        version = 1
        for processes in PROCESSES:
            with at.sinks.running(processes) as services:
                _await_balance(infrastructure, at, processes)
                rounds = []
                for _round in range(1 + UPSERT_ROUNDS):
                    rounds.append(_changed(at, services, version))
                    version += 1
            # The first round is for the claims that still go on.
            best = max(rounds[1:], key=lambda seen: seen.per_second)
            if processes == 1:
                alone = best.per_second
            yield _figure(best, processes=processes, alone=alone)


def _changed(at: Place, services: Sequence[Service], version: int) -> Seen:
    """Every row changed by sinks that begin together."""
    prepared = list(at.publisher.records(TABLE, range(IDS), version=version))
    for service in services:
        service.pause()
    at.publisher.send(prepared)
    clock = Clock(at.sinks, services)
    began = [cpu_seconds(service.process_id) for service in services]
    for service in services:
        service.resume()
    at.sinks.await_written((version + 1) * IDS, services)
    seen = clock.seen(rows=IDS)
    assert all(
        cpu_seconds(service.process_id) > before
        for service, before in zip(services, began, strict=True)
    )
    return seen


def _await_balance(infrastructure: Infrastructure, at: Place, processes: int) -> None:
    admin = AdminClient({"bootstrap.servers": infrastructure.kafka})
    group = at.publisher.names.sink_group

    def balanced() -> bool:
        told = admin.describe_consumer_groups([group])[group].result()
        shares = [len(member.assignment.topic_partitions) for member in told.members]
        return told.state is ConsumerGroupState.STABLE and shares == (
            [PARTITIONS // processes] * processes
        )

    eventually(balanced, seconds_max=BALANCED_SECONDS_MAX, what="the sinks share the partitions")


def _figure(seen: Seen, *, processes: int, alone: float) -> Figure:
    return Figure(
        name=f"sink_processes_{processes}",
        per_second=seen.per_second,
        details={
            "over_one": round(seen.per_second / alone, 2),
            "sink_cpu_us": round(seen.client_cpu_micros, 1),
            "postgres_cpu_us": round(seen.postgres_cpu_micros, 1),
            "peak_memory_mib": round(seen.client_peak_mib),
        },
    )
