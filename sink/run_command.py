"""`stripeline sink run`: the settings read, the parts wired, the loop run."""

from runtime import logs
from runtime.clock import SystemClock
from runtime.health import Health, HealthServer
from runtime.metrics import Meters
from runtime.settings import load
from runtime.stop import Stop
from schemas.registry import Registry
from schemas.topics import Names
from sink.history_choice import history_tables
from sink.kafka_dead_letters import KafkaDeadLetters
from sink.kafka_ranges import TopicReader
from sink.kafka_source import KafkaSource
from sink.loader import Loader
from sink.loop import Sink
from sink.postgres_database import PostgresDatabase
from sink.settings import SinkSettings
from sink.writer import Writer


def run() -> None:
    """Run the sink until SIGTERM or SIGINT.

    Raises:
        SinkStopped: what only a person can put right.
    """
    settings = load(SinkSettings)
    logs.configure(service="sink")
    stop = Stop()
    stop.install()
    clock, meters = SystemClock(), Meters()
    health = Health(clock=clock)
    server = HealthServer(
        health=health,
        registry=meters.registry,
        host=settings.health_host,
        port=settings.health_port,
    )
    server.start()
    logs.logger("sink").info("listening", health_port=server.port)
    names = Names(namespace=settings.kafka_namespace)
    history = history_tables(settings, TopicReader(settings.kafka(), names=names))
    registry = Registry(settings.schema_registry_url)
    loader = Loader(
        names=names,
        schema=settings.database_schema,
        writer_schema=registry.schema,
        history=history,
    )
    sink = Sink(
        names=names,
        source=KafkaSource(settings.kafka(), names=names),
        loader=loader,
        writer=Writer(
            database=PostgresDatabase(
                settings.database_url.get_secret_value(), schema=settings.database_schema
            ),
            dead_letters=KafkaDeadLetters(settings.kafka(), topic=names.dead_letters),
            reload=loader.load,
            clock=clock,
            dead_letters_in_a_row_max=settings.sink_dead_letters_in_a_row_max,
            dead_letters_per_thousand_max=settings.sink_dead_letters_per_thousand_max,
        ),
        health=health,
        meters=meters,
        clock=clock,
        stop=stop,
        records_max=settings.sink_batch_records_max,
        bytes_max=settings.sink_batch_bytes_max,
    )
    try:
        sink.run()
    finally:
        registry.close()
        server.stop()
    logs.logger("sink").info("stopped")
