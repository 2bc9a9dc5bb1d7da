"""A signal only records the wish to stop; the loop ends at its own pace."""

import signal
import subprocess
import sys
import threading

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


TIGHT_LOOPS = """
import os, signal, threading
from runtime.stop import Stop

for number in range(200):
    stop = Stop()
    stop.install()
    begun = threading.Event()

    def send():
        begun.wait()
        for _ in range(3):
            os.kill(os.getpid(), (signal.SIGTERM, signal.SIGINT)[number % 2])

    sender = threading.Thread(target=send)
    sender.start()
    begun.set()
    while not stop.wait(seconds=(number % 3) * 0.00001):
        pass
    sender.join()
print("all ended")
"""
HANG_SECONDS = 50.0


def test_a_signal_in_the_middle_of_a_wait_ends_a_tight_loop_every_time() -> None:
    run = subprocess.run(
        [sys.executable, "-c", TIGHT_LOOPS],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )

    assert (run.returncode, run.stdout, run.stderr) == (0, "all ended\n", "")


def test_a_request_wakes_every_thread_that_waits() -> None:
    stop = Stop()
    woken: list[bool] = []
    threads = [
        threading.Thread(target=lambda: woken.append(stop.wait(seconds=3_600))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()

    stop.request()

    for thread in threads:
        thread.join()
    assert woken == [True] * 8


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
