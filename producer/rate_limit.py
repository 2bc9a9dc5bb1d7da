"""Keeps requests to Stripe below what it allows: per account and per endpoint, learning from 429.

Requests are spread evenly, and any second holds at most what a second may hold. A 429 halves the
rate that it names; each second without one gives back a little.
"""

import threading
from dataclasses import dataclass
from typing import Final

from producer.errors import LimiterStopped
from producer.rate_bucket import Bucket, Purpose
from runtime.clock import Clock

LIVE_PER_SECOND: Final = 100.0
TEST_PER_SECOND: Final = 25.0
ENDPOINT_PER_SECOND: Final = 25.0
EXPECTED_MIN: Final = 2
EXPECTED_SECONDS: Final = 0.2
"""Of an endpoint's requests, as many are waited with: what comes free is used at once, whenever
the next ones are announced; more would only hold threads."""
BUCKETS_MAX: Final = 10_000
"""Accounts times endpoints; those at rest are forgotten when there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedRates:
    """Requests a second that Stripe allows.

    Attributes:
        account_per_second: to all endpoints of one account together.
        endpoint_per_second: to one endpoint of one account.
    """

    account_per_second: float
    endpoint_per_second: float = ENDPOINT_PER_SECOND


class Permit:
    """Leave for one request; it goes back to the limiter if Stripe answers 429."""

    __slots__ = ("account", "endpoint", "numbered")

    def __init__(self, *, account: Bucket, endpoint: Bucket, numbered: int) -> None:
        self.account = account
        self.endpoint = endpoint
        self.numbered = numbered


class RateLimiter:
    """One for all threads of a process.

    **Invariant:** a background request never takes the place of an urgent one that waits for the
    same bucket.
    """

    def __init__(self, *, clock: Clock, allowed: AllowedRates) -> None:
        self._clock = clock
        self._allowed = allowed
        self._changed = threading.Condition()
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._numbered = 0
        self._stopped = False

    def acquire(self, *, account_id: str, endpoint: str, purpose: Purpose) -> Permit:
        """Wait until a request may be sent; it is to be sent at once.

        Args:
            account_id: the connected account, empty for the merchant's own.
            endpoint: method and path without ids; each has a rate of its own.
            purpose: urgent requests go first.

        Raises:
            LimiterStopped: `stop` was called.
        """
        with self._changed:
            account = self._bucket(account_id, "", self._allowed.account_per_second)
            bucket = self._bucket(account_id, endpoint, self._allowed.endpoint_per_second)
        if purpose is Purpose.URGENT:
            return self._acquire(account, bucket, purpose)
        # One background request of an endpoint waits for the clock, the others for this lock:
        # else all of them would wake up for each place that comes free.
        with bucket.turn:
            return self._acquire(account, bucket, purpose)

    def try_acquire(
        self, *, account_id: str, endpoint: str, purpose: Purpose
    ) -> tuple[Permit | None, float, Bucket]:
        """Leave for a request that may be sent now, else how long to wait, and for what.

        See `acquire`.
        """
        with self._changed:
            account = self._bucket(account_id, "", self._allowed.account_per_second)
            bucket = self._bucket(account_id, endpoint, self._allowed.endpoint_per_second)
            return self._try(account, bucket, purpose)

    def expect(self, *, account_id: str, endpoint: str) -> None:
        """Announce a background request."""
        with self._changed:
            self._bucket(account_id, endpoint, self._allowed.endpoint_per_second).expected += 1

    def has_room(self, *, account_id: str, endpoint: str, pending: int) -> bool:
        """Whether one more request should be announced: few wait for the endpoint's pace.

        Args:
            account_id: of the request.
            endpoint: of the request.
            pending: announced and not answered; one that was announced need not have been made.
        """
        with self._changed:
            bucket = self._bucket(account_id, endpoint, self._allowed.endpoint_per_second)
            waiting = min(bucket.expected, pending)
            return waiting < max(EXPECTED_MIN, bucket.per_second * EXPECTED_SECONDS)

    def refused(self, permit: Permit, *, reason: str = "") -> None:
        """Take note of a 429.

        Args:
            permit: of the request; of requests that were on their way together only the first
                one counts.
            reason: Stripe's header `Stripe-Rate-Limited-Reason`.
        """
        with self._changed:
            now = self._clock.monotonic_seconds()
            buckets = (permit.endpoint,) if reason in _OF_ENDPOINT else (permit.account,)
            for bucket in buckets if reason in _KNOWN else (permit.account, permit.endpoint):
                if permit.numbered > bucket.halved_at:
                    bucket.halve(now)
                    bucket.halved_at = self._numbered

    def stop(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def per_second(self, *, account_id: str, endpoint: str = "") -> float:
        """The rate now, of an endpoint or (without one) of an account as a whole."""
        allowed = self._allowed
        rate = allowed.endpoint_per_second if endpoint else allowed.account_per_second
        with self._changed:
            bucket = self._bucket(account_id, endpoint, rate)
            bucket.regain(self._clock.monotonic_seconds())
            return bucket.per_second

    def is_free(self, *, account_id: str, endpoint: str) -> bool:
        """Whether a background request would not have to wait now."""
        allowed = self._allowed
        with self._changed:
            now = self._clock.monotonic_seconds()
            buckets = (
                self._bucket(account_id, "", allowed.account_per_second),
                self._bucket(account_id, endpoint, allowed.endpoint_per_second),
            )
            return all(bucket.wait_seconds(now, Purpose.BACKGROUND) <= 0 for bucket in buckets)

    def _acquire(self, account: Bucket, endpoint: Bucket, purpose: Purpose) -> Permit:
        with self._changed:
            while not self._stopped:
                permit, seconds, binding = self._try(account, endpoint, purpose)
                if permit is not None:
                    return permit
                self._wait(seconds, binding, purpose)
        raise LimiterStopped("The process ends; Stripe was not asked.")

    def _try(
        self, account: Bucket, endpoint: Bucket, purpose: Purpose
    ) -> tuple[Permit | None, float, Bucket]:
        buckets = (account, endpoint)
        now = self._clock.monotonic_seconds()
        seconds, binding = max(
            ((bucket.wait_seconds(now, purpose), bucket) for bucket in buckets),
            key=lambda found: found[0],
        )
        if seconds > 0:
            return None, seconds, binding
        for bucket in buckets:
            bucket.take(now, purpose)
        if purpose is Purpose.BACKGROUND:
            # One that is asked again was announced once; then a few more wait than have to.
            endpoint.expected = max(0, endpoint.expected - 1)
        self._numbered += 1
        return Permit(account=account, endpoint=endpoint, numbered=self._numbered), 0.0, binding

    def _wait(self, seconds: float, binding: Bucket, purpose: Purpose) -> None:
        if purpose is not Purpose.URGENT:
            self._changed.wait(seconds)
            return
        binding.urgent_waiting += 1
        try:
            self._changed.wait(seconds)
        finally:
            binding.urgent_waiting -= 1

    def _bucket(self, account_id: str, endpoint: str, allowed: float) -> Bucket:
        bucket = self._buckets.get((account_id, endpoint))
        if bucket is None:
            now = self._clock.monotonic_seconds()
            if len(self._buckets) >= BUCKETS_MAX:
                self._buckets = {
                    name: known for name, known in self._buckets.items() if not known.rests(now)
                }
            bucket = self._buckets[account_id, endpoint] = Bucket(allowed=allowed, now=now)
        return bucket


_OF_ENDPOINT: Final = ("endpoint-rate", "endpoint-concurrency", "resource-specific")
_KNOWN: Final = (*_OF_ENDPOINT, "global-rate", "global-concurrency")
