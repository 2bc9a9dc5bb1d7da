"""What is done again and again ends when it is asked to, whatever it waits for."""

import threading
from collections.abc import Callable
from typing import Any

from producer.schedule import Schedule
from runtime.clock import SystemClock
from runtime.health import Health
from runtime.stop import Stop

END_SECONDS_MAX = 60.0


def schedule(work: Callable[[], None], stop: Stop, **more: Any) -> Schedule:
    clock = SystemClock()
    return Schedule(
        every_seconds=3_600, work=work, stop=stop, clock=clock, health=Health(clock=clock), **more
    )


def test_a_stop_does_not_wait_for_a_run_that_never_ends() -> None:
    stop, released = Stop(), threading.Event()

    def work() -> None:
        stop.request()
        released.wait(END_SECONDS_MAX)

    schedule(work, stop, stop_seconds_max=0.0).run()

    assert not released.is_set()
    released.set()


def test_a_stop_lets_a_run_come_to_its_end() -> None:
    stop, looked, ended = Stop(), threading.Event(), threading.Event()

    def work() -> None:
        stop.request()
        looked.clear()
        assert looked.wait(END_SECONDS_MAX)
        ended.set()

    def doubt() -> str:
        looked.set()
        return ""

    schedule(work, stop, doubt=doubt, stop_seconds_max=END_SECONDS_MAX).run()

    assert ended.is_set()
