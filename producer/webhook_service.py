"""The webhook service's loops: it listens, waits for Kafka, tells of its health, and stops."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import uvicorn

from producer.errors import KafkaUnreachable
from producer.kafka_inbox import Inbox
from producer.kafka_topics import Topics
from producer.webhook import Receive, Scope, Send, Webhook
from runtime import logs
from runtime.errors import WrongSetting
from runtime.health import Health
from runtime.metrics import WEBHOOK_QUEUED, Meters
from runtime.retry import Backoff, jitter
from runtime.stop import Stop

TICK_SECONDS = 0.1
CHECK_SECONDS = 5.0
CONNECTIONS_MAX = 2_000
BACKLOG_MAX = 2_048
KEEP_ALIVE_SECONDS_MAX = 60
STOP_SECONDS_MAX = 5

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookService:
    """All parts of the running service.

    Attributes:
        answer_seconds_max: how long a request may wait for Kafka, for an orderly stop.
    """

    webhook: Webhook
    inbox: Inbox
    topics: Topics
    health: Health
    meters: Meters
    stop: Stop
    answer_seconds_max: float

    async def run(self, listening: socket.socket) -> None:
        """Serve until the stop is requested and every request that came in is answered.

        Raises:
            TopicRefused: Kafka does not let the inbox be made.
            PartitionCountDiffers: the inbox exists with another number of partitions.
        """
        server = _Server(server_config(self.webhook, answer_seconds_max=self.answer_seconds_max))
        tasks = [asyncio.create_task(self._watch_kafka()), asyncio.create_task(self._tick(server))]
        try:
            await server.serve(sockets=[listening])
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            left = self.inbox.close(seconds_max=STOP_SECONDS_MAX)
            logs.logger("webhook").info("stopped", not_acknowledged=left)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _tick(self, server: uvicorn.Server) -> None:
        """Let the health server see that the loop moves, and the loop see the wish to stop."""
        try:
            while not self.stop.requested:
                self.health.beat()
                self.inbox.poll()
                self.meters.set_to(WEBHOOK_QUEUED, self.inbox.queued)
                await asyncio.sleep(TICK_SECONDS)
        finally:
            self.health.mark_unready("stopping")
            server.should_exit = True

    async def _watch_kafka(self) -> None:
        """Make or check the topics, open the webhook, then keep the readiness true."""
        try:
            await self._ensure_topics()
            self.webhook.open()
            await self._keep_readiness()
        finally:
            # Also where it fails: a service that nobody watches must not go on.
            self.stop.request()

    async def _keep_readiness(self) -> None:
        ready = False
        while True:
            reason = await self._unready_reason()
            if self.stop.requested:
                return
            if reason:
                self.health.mark_unready(reason)
                logs.logger("webhook").warning("not ready", reason=reason)
            else:
                self.health.mark_ready()
                if not ready:
                    logs.logger("webhook").info("ready")
            ready = not reason
            await asyncio.sleep(CHECK_SECONDS)

    async def _ensure_topics(self) -> None:
        backoff = Backoff(first_seconds=0.5, factor=2, pause_seconds_max=10)
        attempt = 0
        while True:
            try:
                await asyncio.to_thread(self.topics.ensure_streams)
            except KafkaUnreachable:
                attempt += 1
                pause_seconds = backoff.pause_seconds(attempt=attempt, jitter=jitter())
                self.health.mark_unready("Kafka does not answer")
                logs.logger("webhook").warning(
                    "waiting for kafka", attempt=attempt, pause_seconds=round(pause_seconds, 3)
                )
                await asyncio.sleep(pause_seconds)
            else:
                return

    async def _unready_reason(self) -> str:
        try:
            found = await asyncio.to_thread(self.topics.inbox_exists)
        except KafkaUnreachable:
            return "Kafka does not answer"
        return "" if found else "the inbox topic is gone"


def server_config(application: Application, *, answer_seconds_max: float) -> uvicorn.Config:
    """How the HTTP server runs; what is left out of its work shows in the benchmark."""
    return uvicorn.Config(
        application,
        http="httptools",
        # One address, no start-up hooks, no upgrade.
        lifespan="off",
        ws="none",
        # Our own logs say what matters, without addresses.
        log_config=None,
        access_log=False,
        server_header=False,
        # Stripe does not read them, and each costs a copy per request.
        date_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        backlog=BACKLOG_MAX,
        timeout_keep_alive=KEEP_ALIVE_SECONDS_MAX,
        timeout_graceful_shutdown=int(answer_seconds_max) + STOP_SECONDS_MAX,
    )


class _Server(uvicorn.Server):
    """Leaves the signals to `Stop`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listen(*, host: str, port: int) -> socket.socket:
    """The socket that the webhook listens on; port 0 takes a free one.

    Raises:
        WrongSetting: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise WrongSetting(
            f"WEBHOOK_PORT {port} on {host} cannot be used ({error.strerror}). "
            "Choose a free one, for example WEBHOOK_PORT=8080, or 0 for any."
        ) from error
    return opened
