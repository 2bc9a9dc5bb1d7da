"""The demo: a simulated Stripe, the stack and both services, and rows that follow every change."""

import fcntl
import random
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from runtime.stop import Stop
from stack import postgres
from stack.addresses import Addresses, Given
from stack.demo_rows import ARRIVE_SECONDS_MAX, Rows
from stack.demo_screen import Screen, addresses_lines, trials_table
from stack.demo_stripe import Changed, Stripe, change_something, furnish
from stack.errors import ProgramFailed, StackError, StillRunning, WrongRows
from stack.folder import HOST, Folder
from stack.local import LocalStack
from stack.progress import OnConsole
from stack.services import Service, metrics_url, program
from stack.supervisor import last_lines

KEY = "sk_test_demo"
WEBHOOK_SECRET = "whsec_demo"  # noqa: S105 - of a Stripe that is simulated here
OBJECTS = "customer,invoice,price,product,subscription"
PARTITIONS = 2
PAUSE_SECONDS = 3.0
POLL_SECONDS = 0.02
SERVICES = (Service.SIMULATOR, Service.WEBHOOK, Service.RELAY, Service.SINK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where the demo's parts are."""

    addresses: Addresses
    stripe: str
    webhook: str
    namespace: str


class Demo:
    """One run of the demo, in a data folder of its own that starts empty.

    Servers that are given may hold the topics and tables of real work: there the demo takes a
    namespace and a database that nobody has.
    """

    def __init__(self, *, folder: Folder, given: Given, cache: Path, console: Console) -> None:
        self._folder = folder
        self._given = given
        self._console = console
        self._progress = OnConsole(console)
        self._stack = LocalStack(folder=folder, given=given, cache=cache, progress=self._progress)
        self._name = f"demo_{secrets.token_hex(4)}"

    def run(self, *, leave: bool) -> None:
        """Start everything, show the rows, and let them change until stopped.

        Args:
            leave: stop by itself after the rows were shown and found right.

        Raises:
            StillRunning: the demo runs already.
            WrongRows: the rows differ from what Stripe says.
            StackError: a part could not be fetched or started, or ended by itself.
        """
        # As Ctrl-C: what was started so far is stopped.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with _only_one(self._folder):
            self._clear()
            try:
                self._perform(leave=leave)
            except KeyboardInterrupt:
                self._console.print("Stopping.")
            finally:
                self._stop()

    def _perform(self, *, leave: bool) -> None:
        scene = self._start()
        with ExitStack() as opened:
            stripe = Stripe(base=scene.stripe, key=KEY)
            opened.callback(stripe.close)
            rows = Rows(scene.addresses.database)
            opened.callback(rows.close)
            with self._progress.step("Making plans, customers and trials in the simulated Stripe"):
                rows.keep(furnish(stripe))
            with self._progress.step("Waiting for the rows"):
                differences = rows.await_agreement(stripe)
            if differences:
                raise WrongRows("\n".join(["The rows differ from Stripe:", *differences]))
            if leave or not self._console.is_terminal:
                self._console.print(trials_table(rows.trials()))
            shown = addresses_lines(self._shown(scene))
            self._console.print(shown, highlight=False, soft_wrap=True)
            if leave:
                self._console.print("Every row says what Stripe says.")
            else:
                self._go_on(stripe, rows)

    def _go_on(self, stripe: Stripe, rows: Rows) -> None:
        stop = Stop()
        stop.install()
        chance = random.Random()  # noqa: S311 - what changes next is no secret
        with Screen(self._console) as screen:
            screen.show(rows.trials())
            try:
                while not self._ended(stop, seconds=PAUSE_SECONDS):
                    changed = change_something(stripe, chance)
                    if changed is not None:
                        told = self._follow(changed, rows, stop)
                        screen.show(rows.trials(), change=told)
            except StackError:
                # What is stopped elsewhere goes away piece by piece.
                if not self._stopped_elsewhere():
                    raise
        if not stop.requested:
            self._console.print("Stopped elsewhere.")

    def _follow(self, changed: Changed, rows: Rows, stop: Stop) -> str:
        """What became of a change, in words."""
        name = f"{changed.subscription['id']}  {changed.words}"
        started = time.monotonic()
        while not rows.says(changed.subscription):
            waited = time.monotonic() - started
            if waited >= ARRIVE_SECONDS_MAX or self._ended(stop, seconds=POLL_SECONDS):
                return f"{name}: no row after {waited:.0f} s"
        return f"{name}: row after {(time.monotonic() - started) * 1_000:.0f} ms"

    def _ended(self, stop: Stop, *, seconds: float) -> bool:
        """Whether it should end, here or elsewhere, after waiting that long at most."""
        return stop.wait(seconds=seconds) or self._stopped_elsewhere()

    def _stopped_elsewhere(self) -> bool:
        """Whether another command stops the services.

        Raises:
            ProgramFailed: one of them ended by itself.
        """
        supervisor = self._stack.supervisor
        gone = [one.label for one in SERVICES if supervisor.running(one.label) is None]
        crashed = [name for name in gone if not supervisor.was_stopped(name)]
        if crashed:
            log = self._folder.log(crashed[0])
            raise ProgramFailed(
                program=crashed[0],
                fault="it ended by itself",
                log=log,
                last_lines=last_lines(log),
            )
        return bool(gone)

    def _start(self) -> Scene:
        addresses = self._with_database(self._stack.up())
        ports = {
            service: self._folder.usable_port(service.label)
            for service in (Service.SIMULATOR, Service.WEBHOOK)
        }
        scene = Scene(
            addresses=addresses,
            stripe=f"http://{HOST}:{ports[Service.SIMULATOR]}",
            webhook=f"http://{HOST}:{ports[Service.WEBHOOK]}/webhooks/stripe",
            namespace=self._name if self._given.kafka else "stripe",
        )
        environment = {
            **addresses.environment(),
            "KAFKA_NAMESPACE": scene.namespace,
            "TOPIC_PARTITIONS": str(PARTITIONS),
            "OBJECTS": OBJECTS,
            "STRIPE_API_KEY": KEY,
            "STRIPE_API_BASE": scene.stripe,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "WEBHOOK_HOST": HOST,
            "WEBHOOK_PORT": str(ports[Service.WEBHOOK]),
            "SIMULATOR_HOST": HOST,
            "SIMULATOR_PORT": str(ports[Service.SIMULATOR]),
            "SIMULATOR_WEBHOOK_URL": scene.webhook,
            "RELAY_MEMORY_FOLDER": str(self._folder.data("relay").resolve()),
        }
        for service in SERVICES:
            with self._progress.step(f"Starting {service.label}"):
                self._stack.supervisor.start(
                    program(
                        self._folder,
                        service,
                        environment=environment,
                        # Not here: a `.env` with a real key has no business in the demo.
                        working_folder=self._folder.path,
                    )
                )
        return scene

    def _with_database(self, addresses: Addresses) -> Addresses:
        if not self._given.database:
            return addresses
        own = postgres.ensure_database(addresses.database, self._name)
        return Addresses(kafka=addresses.kafka, registry=addresses.registry, database=own)

    def _shown(self, scene: Scene) -> list[tuple[str, str]]:
        return [
            ("PostgreSQL", f"psql '{scene.addresses.database}'"),
            ("Kafka", scene.addresses.kafka),
            ("Topics", f"{scene.namespace}.subscription, {scene.namespace}.customer, ..."),
            ("Schema registry", scene.addresses.registry),
            ("Simulated Stripe", f"{scene.stripe} (key {KEY})"),
            ("Webhook", scene.webhook),
            *((f"Metrics of {one.label}", metrics_url(self._folder, one)) for one in SERVICES[1:]),
            ("Logs", str(self._folder.path / "logs")),
        ]

    def _clear(self) -> None:
        self._stack.down()
        self._stack.remove_data()

    def _stop(self) -> None:
        # Held by the command that stops it elsewhere, which does the same.
        with suppress(StillRunning):
            self._stack.down()
        if self._given.database:
            postgres.drop_database(self._given.database, self._name)


@contextmanager
def _only_one(folder: Folder) -> Iterator[None]:
    folder.path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder, which is emptied while this is held.
    with folder.path.with_name(f"{folder.path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StillRunning("The demo runs already. Stop it first: make down") from error
        yield
