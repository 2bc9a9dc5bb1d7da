"""The metrics of all parts as if they were this process' own, told apart by a label."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

LABEL = "part"


class PartsMetrics(Collector):
    """Asks each part when it is asked itself.

    Args:
        parts: name -> what gives its metrics as text; empty where it does not answer.
    """

    def __init__(self, parts: Mapping[str, Callable[[], str]]) -> None:
        self._parts = parts

    def describe(self) -> Iterator[Metric]:
        """Nothing: what the parts have is known only once they run."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Every family of every part; one that several have is one family."""
        found: dict[str, Metric] = {}
        for part, text in self._parts.items():
            for family in text_string_to_metric_families(text()):
                merged = found.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    labels = {LABEL: part, **sample.labels}
                    merged.add_sample(sample.name, labels, sample.value)
        return iter(found.values())
