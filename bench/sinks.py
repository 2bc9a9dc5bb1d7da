"""Sinks as processes: let catch up, and timed while they do."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.machine import cpu_seconds, peak_memory_mib
from schemas.topics import Names
from tests.end_to_end.services import Service
from tests.infrastructure import Infrastructure

STILL_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.005
APPLICATION = "stripeline sink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How one side did one round; processor time is microseconds a row."""

    per_second: float
    postgres_cpu_micros: float
    client_cpu_micros: float = 0.0
    client_peak_mib: float = 0.0


class Sinks:
    """The sinks of one namespace and one database."""

    def __init__(
        self, infrastructure: Infrastructure, *, names: Names, database_url: str, folder: Path
    ) -> None:
        self._environment = {
            "KAFKA_BOOTSTRAP_SERVERS": infrastructure.kafka,
            "SCHEMA_REGISTRY_URL": infrastructure.registry,
            "DATABASE_URL": database_url,
            "KAFKA_NAMESPACE": names.namespace,
        }
        self._folder = folder
        self.watcher: psycopg.Connection[Any] = psycopg.connect(database_url, autocommit=True)
        self._started = 0

    def close(self) -> None:
        """End the session that watches."""
        self.watcher.close()

    @contextmanager
    def running(
        self, processes: int = 1, *, environment: Mapping[str, str] | None = None
    ) -> Iterator[Sequence[Service]]:
        """So many sinks, not waited for, stopped afterwards."""
        with ExitStack() as stack:
            services = []
            for _one in range(processes):
                self._started += 1
                service = Service(
                    "sink",
                    "run",
                    environment={**self._environment, **(environment or {})},
                    folder=self._folder,
                    name=f"sink{self._started}",
                )
                service.launch()
                stack.callback(service.close)
                services.append(service)
            yield services

    def caught_up(self, records: int, *, environment: Mapping[str, str] | None = None) -> Seen:
        """Let a sink catch up; timed from the first batch that it commits to the last.

        Args:
            records: how many there are in the topics, those of earlier rounds included.
            environment: settings of its own.
        """
        begun_with = self.written()
        with self.running(environment=environment) as services:
            while (first := self.written()) == begun_with:
                time.sleep(LOOK_SECONDS)
            clock = Clock(self, services)
            self.await_written(records, services)
            return clock.seen(rows=records - first)

    def held(self, service: Service, publish: Callable[[], None], *, records: int) -> Seen:
        """Hold a sink that has nothing to do still until its next records are there; timed then.

        Args:
            service: the sink.
            publish: writes the records.
            records: how many.
        """
        service.pause()
        known = self.written()
        publish()
        clock = Clock(self, [service])
        service.resume()
        self.await_written(known + records, [service])
        return clock.seen(rows=records)

    def fill(self, records: int) -> None:
        """Let a sink catch up, however long it takes."""
        with self.running() as services:
            self.await_written(records, services)

    def await_written(self, records: int, services: Sequence[Service]) -> None:
        """Wait until so many records of all rounds are written, as long as it goes on."""
        moved, known = time.monotonic(), 0
        while (written := self.written()) < records:
            if written > known:
                moved, known = time.monotonic(), written
            assert time.monotonic() - moved < STILL_SECONDS_MAX, services[0].log()
            time.sleep(LOOK_SECONDS)

    def written(self) -> int:
        """How many records are written."""
        try:
            row = self.watcher.execute(
                "select coalesce(sum(next_offset), 0) from stripeline.partition_offset"
            ).fetchone()
        except psycopg.errors.UndefinedTable:
            return 0
        assert row is not None
        return int(row[0])

    def backends(self) -> list[int]:
        """The processes that Postgres has for the sinks."""
        return backends_of(self.watcher, APPLICATION)


class Clock:
    """Time, and processor time of both sides, from now on."""

    def __init__(self, sinks: Sinks, services: Sequence[Service]) -> None:
        self._sinks = sinks
        self._services = services
        self._began = time.monotonic()
        self._sink_began = self._sink_seconds()
        self._postgres_began = self._postgres_seconds()

    def seen(self, *, rows: int) -> Seen:
        """What was used for so many rows."""
        seconds = time.monotonic() - self._began
        return Seen(
            per_second=rows / seconds,
            client_cpu_micros=(self._sink_seconds() - self._sink_began) / rows * 1e6,
            postgres_cpu_micros=(self._postgres_seconds() - self._postgres_began) / rows * 1e6,
            client_peak_mib=max(peak_memory_mib(one.process_id) for one in self._services),
        )

    def _sink_seconds(self) -> float:
        return sum(cpu_seconds(one.process_id) for one in self._services)

    def _postgres_seconds(self) -> float:
        return sum(cpu_seconds(one) for one in self._sinks.backends())


def backends_of(watcher: "psycopg.Connection[Any]", application: str) -> list[int]:
    """The processes of the sessions that an application has in the watcher's database."""
    rows = watcher.execute(
        "select pid from pg_stat_activity "
        "where application_name = %s and datname = current_database()",
        [application],
    )
    return [int(row[0]) for row in rows]
