"""What a benchmark says: figures, each one line of text and one entry of the results file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure; none where a key does not apply.

    Attributes:
        name: as in `NAME key=value`; the first figure of a benchmark has the benchmark's name.
        per_second: how many of the things measured, per second.
        ratio: ours over the limit that was measured beside it in the same run.
        p50_ms, p99_ms: milliseconds that half, and 99 of 100, did not exceed.
        details: what else is worth a look, in the order printed.
    """

    name: str
    per_second: float | None = None
    ratio: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    details: Mapping[str, float | int | str] = field(default_factory=dict)

    def values(self) -> dict[str, float | int | str]:
        """The keys that apply, rounded to what a reader can use."""
        named: dict[str, float | None] = {
            "per_second": None if self.per_second is None else round(self.per_second),
            "ratio": None if self.ratio is None else round(self.ratio, 2),
            "p50_ms": None if self.p50_ms is None else round(self.p50_ms, 2),
            "p99_ms": None if self.p99_ms is None else round(self.p99_ms, 2),
        }
        found: dict[str, float | int | str] = {
            key: value for key, value in named.items() if value is not None
        }
        found.update(self.details)
        return found

    def line(self) -> str:
        """`NAME key=value ...`."""
        return " ".join([self.name, *(f"{key}={value}" for key, value in self.values().items())])


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of all values do not exceed."""
    assert values
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
