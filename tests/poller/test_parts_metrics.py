"""The metrics of several processes are one page that Prometheus can read."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from producer.parts_metrics import PartsMetrics
from runtime.metrics import DEAD_LETTERS, RELAY_BATCH_RECORDS, RELAY_LAG_SECONDS, Meters


def _text(meters: Meters) -> str:
    return generate_latest(meters.registry).decode()


def test_what_several_parts_have_is_one_family_with_a_label_each() -> None:
    relay, other = Meters(), Meters()
    for meters in (relay, other):
        meters.add(DEAD_LETTERS, 3, service="relay", reason="bad_json")
        meters.observe(RELAY_BATCH_RECORDS, 7)
    relay.set_to(RELAY_LAG_SECONDS, 1.5)
    registry = CollectorRegistry()
    registry.register(
        PartsMetrics(
            {"relay": lambda: _text(relay), "other": lambda: _text(other), "dead": lambda: ""}
        )
    )

    shown = generate_latest(registry).decode()

    families = list(text_string_to_metric_families(shown))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    labels = {"service": "relay", "reason": "bad_json"}
    for part in ("relay", "other"):
        assert registry.get_sample_value(DEAD_LETTERS.name, {"part": part, **labels}) == 3
        name = f"{RELAY_BATCH_RECORDS.name}_count"
        assert registry.get_sample_value(name, {"part": part}) == 1
    assert registry.get_sample_value(RELAY_LAG_SECONDS.name, {"part": "relay"}) == 1.5
    assert {family.name: family.type for family in families}[RELAY_BATCH_RECORDS.name] == (
        "histogram"
    )
