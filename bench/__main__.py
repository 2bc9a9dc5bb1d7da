"""`python -m bench [FIGURE]`: measures all figures, or one, on the stack that the tests use."""

import importlib
import json
import sys
from datetime import UTC, datetime

from bench import machine
from bench.figures import RESULTS, Figure
from tests.infrastructure import provided

# Name of the benchmark, and the module whose `run(infrastructure)` gives its figures.
BENCHMARKS = {
    "webhook": "bench.webhook",
    "backfill": "bench.backfill",
    "relay": "bench.relay",
    "sink_live": "bench.sink_live",
    "sink_topics": "bench.sink_topics",
    "sink_processes": "bench.sink_processes",
    "sink_growth": "bench.sink_growth",
    "sink_profile": "bench.sink_profile",
    "sink_trials": "bench.trials",
    "debezium": "bench.debezium",
    "rebuild": "bench.rebuild",
    "latency": "bench.latency",
}
FILE = RESULTS / "latest.json"


def main(arguments: list[str]) -> int:
    """Measure, print a line per figure, write the results file."""
    unknown = [name for name in arguments if name not in BENCHMARKS]
    if unknown:
        print(f"no figure {unknown[0]}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    with provided() as infrastructure:
        for name in arguments or BENCHMARKS:
            benchmark = importlib.import_module(BENCHMARKS[name])
            for figure in benchmark.run(infrastructure):
                print(figure.line(), flush=True)
                figures.append(figure)
    _write(figures)
    return 0


def _write(figures: list[Figure]) -> None:
    RESULTS.mkdir(exist_ok=True)
    results = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.described(),
        "figures": {figure.name: figure.values() for figure in figures},
    }
    FILE.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
