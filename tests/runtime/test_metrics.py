"""The catalogue is complete and well named, and the meters fill exactly what it names."""

import re
from dataclasses import replace

import pytest
from prometheus_client import generate_latest

from runtime import metrics
from runtime.metrics import CATALOGUE, Kind, Meters, Metric


def test_names_are_unique() -> None:
    names = [metric.name for metric in CATALOGUE]

    assert len(names) > 10
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_a_metric_is_named_for_its_service_and_unit_and_says_what_it_means(metric: Metric) -> None:
    assert re.fullmatch(r"stripeline_[a-z][a-z_]*[a-z]", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert re.fullmatch(r"[A-Z0-9].*\.", metric.meaning)
    assert list(metric.buckets) == sorted(metric.buckets)


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_what_is_metered_is_exposed_under_the_catalogue_name(metric: Metric) -> None:
    meters = Meters()
    labels = dict.fromkeys(metric.labels, "x")

    match metric.kind:
        case Kind.COUNTER:
            meters.add(metric, 2, **labels)
        case Kind.GAUGE:
            meters.set_to(metric, 2, **labels)
        case Kind.HISTOGRAM:
            meters.observe(metric, 2, **labels)

    shown = generate_latest(meters.registry).decode()
    suffix = "_sum" if metric.kind is Kind.HISTOGRAM else ""
    wanted = "".join(f'{name}="x"' for name in metric.labels[:1])
    assert re.search(rf"^{metric.name}{suffix}(\{{.*{wanted}.*\}})? 2\.0$", shown, re.MULTILINE)


def test_every_metric_of_the_module_is_in_the_catalogue() -> None:
    defined = {value.name for value in vars(metrics).values() if isinstance(value, Metric)}

    assert defined == {metric.name for metric in CATALOGUE}


def test_a_series_is_zero_before_its_first_use_and_counts_after() -> None:
    meters = Meters()
    assert meters.value(metrics.DEAD_LETTERS, service="sink", reason="22003") == 0

    meters.add(metrics.DEAD_LETTERS, service="sink", reason="22003")
    meters.add(metrics.DEAD_LETTERS, 2, service="sink", reason="22003")
    meters.add(metrics.DEAD_LETTERS, service="relay", reason="22003")

    assert meters.value(metrics.DEAD_LETTERS, service="sink", reason="22003") == 3


def test_a_series_that_is_dropped_is_exposed_no_more_and_may_come_back() -> None:
    meters = Meters()
    for partition in ("0", "1"):
        meters.set_to(metrics.RELAY_LAG_RECORDS, 7, partition=partition)

    meters.drop(metrics.RELAY_LAG_RECORDS, partition="0")

    shown = generate_latest(meters.registry).decode()
    assert 'partition="0"' not in shown
    assert 'partition="1"' in shown
    meters.set_to(metrics.RELAY_LAG_RECORDS, 8, partition="0")
    assert meters.value(metrics.RELAY_LAG_RECORDS, partition="0") == 8


def test_two_sets_of_meters_share_nothing() -> None:
    one, other = Meters(), Meters()

    one.add(metrics.WEBHOOK_RECEIVED)

    assert other.value(metrics.WEBHOOK_RECEIVED) == 0


def test_a_metric_used_as_another_kind_is_our_mistake() -> None:
    as_gauge = replace(metrics.WEBHOOK_RECEIVED, name="stripeline_mistaken", kind=Kind.GAUGE)

    with pytest.raises(AssertionError):
        Meters().add(as_gauge)
