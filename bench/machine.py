"""The machine that a figure was measured on, and what a process used of it."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("confluent-kafka", "psycopg", "pyarrow", "pyruhvro", "stripe", "uvicorn", "uvloop")


def described() -> dict[str, str | int | float]:
    """What another reader needs to compare: processor, cores, memory, versions, load."""
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": processor,
        "cores": os.cpu_count() or 0,
        "memory_gib": round(pages * page_bytes / 2**30),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
        **{name: version(name) for name in LIBRARIES},
    }


def cpu_seconds(process_id: int) -> float:
    """Processor time that a process has used so far, all its threads, user and system."""
    return cpu_seconds_of(Path(f"/proc/{process_id}/stat").read_text())


def cpu_seconds_of(text: str) -> float:
    """The same, out of the text of `/proc/PID/stat`."""
    # The second field may hold spaces; the fields after it are counted from its last bracket.
    fields = text.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory_mib(process_id: int) -> float:
    """The most memory that a process has held at once so far."""
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the system does not tell a process's peak")
