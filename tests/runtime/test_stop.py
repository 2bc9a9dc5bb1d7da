"""A signal only records the wish to stop; the loop ends at its own pace."""

import signal
import subprocess
import sys

from runtime.stop import Stop

LOOP = """
from runtime.stop import Stop
stop = Stop()
stop.install()
print("running", flush=True)
while not stop.wait(seconds=60):
    pass
print("batch finished", flush=True)
"""


def test_a_loop_finishes_its_round_after_either_signal() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        process = subprocess.Popen([sys.executable, "-c", LOOP], stdout=subprocess.PIPE, text=True)
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            process.send_signal(number)
            assert process.stdout.read() == "batch finished\n"
        assert process.returncode == 0


def test_a_wait_ends_with_its_time_when_nobody_asks() -> None:
    stop = Stop()

    assert not stop.wait(seconds=0)
    assert not stop.requested


def test_a_request_ends_every_later_wait_at_once() -> None:
    stop = Stop()

    stop.request()

    assert stop.requested
    assert stop.wait(seconds=3600)
