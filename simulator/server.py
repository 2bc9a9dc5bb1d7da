"""A simulator that serves from a thread of this process, and is controlled from it."""

import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

import httpx
import uvicorn

from runtime.clock import Clock, SystemClock
from simulator.application import Application
from simulator.control import PREFIX
from simulator.deliveries import Release
from simulator.endpoints import Endpoint
from simulator.errors import PortTaken
from simulator.faults import FaultPlan
from simulator.simulation import Options, Simulation
from simulator.state import Body

STOP_SECONDS_MAX = 2
CONTROL_SECONDS_MAX = 600.0


class Simulator:
    """A running simulated Stripe.

        with Simulator(Options(webhook_url="http://127.0.0.1:8080/webhooks/stripe")) as simulator:
            client = StripeClient("sk_test_any", base_addresses={"api": simulator.url})
            client.v1.customers.create({"email": "someone@example.com"})
            simulator.settle()

    Raises:
        PortTaken: the chosen port cannot be listened on.
    """

    def __init__(self, options: Options | None = None, *, clock: Clock | None = None) -> None:
        self._options = options or Options()
        self._simulation = Simulation(self._options, real=clock or SystemClock())
        self._socket = _listen(self._options.host, self._options.port)
        self.port: int = self._socket.getsockname()[1]
        everywhere = self._options.host == "0.0.0.0"  # noqa: S104 - compared, not listened on
        self.url = f"http://{'127.0.0.1' if everywhere else self._options.host}:{self.port}"
        config = uvicorn.Config(
            Application(self._simulation),
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            # The application says the date of the simulated world.
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [self._socket]},
            name="simulator",
            daemon=True,
        )
        self._control = httpx.Client(
            base_url=self.url + PREFIX,
            timeout=CONTROL_SECONDS_MAX,
            trust_env=False,
            # Loading the machine's certificates takes longer than starting the server.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port and wait for the thread."""
        self._control.close()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    def now(self) -> int:
        """The unix time of the simulated world."""
        return int(self._ask("GET", "")["now"])

    def advance(self, *, seconds: int) -> int:
        """Let that much time pass, with all that comes due in it; the new time."""
        return int(self._ask("POST", "/clock", {"advance_seconds": seconds})["now"])

    def advance_to(self, seconds: int) -> int:
        """Let time pass up to a unix time, with all that comes due; the new time."""
        return int(self._ask("POST", "/clock", {"now": seconds})["now"])

    def stop_clock(self) -> int:
        """Let everything from now on happen in one second; that second."""
        return int(self._ask("POST", "/clock", {"stopped": True})["now"])

    def start_clock(self) -> int:
        """Let the clock run again; the time."""
        return int(self._ask("POST", "/clock", {"stopped": False})["now"])

    def reset(self, *, seed: int | None = None) -> None:
        """Forget every object, event and delivery."""
        self._ask("POST", "/reset", {"seed": seed})

    def make(
        self,
        name: str,
        *,
        count: int = 1,
        fields: Body | None = None,
        children: Mapping[str, int] | None = None,
        account: str = "",
        events: bool = True,
        created: int | None = None,
        over_seconds: int = 0,
    ) -> list[str]:
        """Make objects of any type; their ids, oldest first.

        Args:
            name: Stripe's `object`.
            count: how many.
            fields: what their bodies show beside what is made up; also the ids of parents.
            children: how many elements each embedded list has, by field: `{"lines": 250}`.
            account: the connected account that has them; empty for the platform.
            events: whether each says so, where Stripe has an event for that.
            created: unix time of the first one; None for now.
            over_seconds: the others follow evenly over this time.
        """
        asked = {
            "object": name,
            "count": count,
            "fields": fields or {},
            "children": dict(children or {}),
            "account": account,
            "events": events,
            "created": created,
            "over_seconds": over_seconds,
        }
        return list(self._ask("POST", "/objects", asked)["ids"])

    def change(
        self, name: str, identifier: str, fields: Body, *, account: str = "", events: bool = True
    ) -> Body:
        """Change an object, whatever its endpoints would allow; silently without `events`."""
        asked = {"object": name, "id": identifier, "fields": fields}
        return self._ask(
            "POST", "/objects/change", {**asked, "account": account, "events": events}
        )

    def remove(
        self, name: str, identifier: str, *, account: str = "", events: bool = True
    ) -> None:
        """Take an object away, whatever its endpoints would allow; silently without `events`."""
        asked = {"object": name, "id": identifier, "account": account, "events": events}
        self._ask("POST", "/objects/remove", asked)

    def put_limits(
        self,
        *,
        requests_per_second: float | None = None,
        requests_per_second_per_endpoint: float | None = None,
    ) -> None:
        """Refuse from now on what comes faster; None for no limit. Counting begins anew."""
        asked = {
            "requests_per_second": requests_per_second,
            "requests_per_second_per_endpoint": requests_per_second_per_endpoint,
        }
        self._ask("POST", "/limits", asked)

    def requests_by_second(self, *, account: str = "", endpoint: str = "") -> dict[int, int]:
        """How many requests were answered, by the real unix second in which they came.

        Args:
            account: whose; empty for the platform's own.
            endpoint: `GET /v1/customers/{id}` or the like; empty for all together.
        """
        counted: dict[int, int] = {}
        for one in self._ask("GET", "/limits")["answered"]:
            if one["account"] == account and endpoint in ("", one["endpoint"]):
                counted[one["second"]] = counted.get(one["second"], 0) + one["count"]
        return counted

    def requests_refused(self) -> int:
        """How many requests came too fast."""
        return int(self._ask("GET", "/limits")["refused"])

    def put_faults(self, plan: FaultPlan) -> None:
        """Let go wrong what the plan says; `FaultPlan()` lets nothing."""
        self._ask("POST", "/faults", plan.model_dump(mode="json"))

    def faults_struck(self) -> list[int]:
        """How often each fault of the API has struck, in the plan's order."""
        return list(self._ask("GET", "/faults")["struck"])

    def send_webhooks_to(self, url: str, *, secrets: Sequence[str], lanes: int = 1) -> None:
        """Send the webhooks of the nameless endpoint elsewhere; an empty address sends none."""
        self._ask("POST", "/webhooks", {"url": url, "secrets": list(secrets), "lanes": lanes})

    def put_endpoint(self, endpoint: Endpoint) -> None:
        """Send events to one more place, or elsewhere to the endpoint of that name."""
        self._ask("POST", "/webhooks", asdict(endpoint))

    def say_thin(self, kind: str, name: str, identifier: str, *, account: str = "") -> None:
        """Say of an object what no snapshot event tells, such as `price.activated`."""
        asked = {"type": kind, "object": name, "id": identifier, "account": account}
        self._ask("POST", "/thin_events", asked)

    def hold_webhooks(self) -> None:
        """Keep webhooks back until they are released."""
        self._ask("POST", "/webhooks/hold")

    def release_webhooks(self, order: Release = Release.CREATED, *, seed: int = 0) -> int:
        """Send the webhooks that were held, in this order; how many they were."""
        asked = {"order": order.value, "seed": seed}
        return int(self._ask("POST", "/webhooks/release", asked)["released"])

    def drop_webhooks(self, count: int) -> None:
        """Never send the next `count` events."""
        self._ask("POST", "/webhooks/drop", {"count": count})

    def resend(self, event_ids: Sequence[str]) -> None:
        """Send events once more."""
        self._ask("POST", "/webhooks/resend", {"events": list(event_ids)})

    def settle(self, *, seconds: float = 30.0) -> bool:
        """Wait until no webhook is on its way; whether that came within `seconds`."""
        return bool(self._ask("POST", "/webhooks/settle", {"seconds": seconds})["settled"])

    def deliveries(self) -> list[Body]:
        """Every sending of an event: `event`, `type`, `object`, `standing`, `outcomes`."""
        return list(self._ask("GET", "/deliveries")["deliveries"])

    def _ask(self, method: str, path: str, body: Body | None = None) -> dict[str, Any]:
        answer = self._control.request(method, path, json=body if method == "POST" else None)
        try:
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            error.add_note(answer.text)
            raise
        shown: dict[str, Any] = answer.json()
        return shown


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortTaken(
            f"SIMULATOR_PORT {port} on {host} cannot be used ({error.strerror}). "
            "Choose a free one, for example SIMULATOR_PORT=12111, or 0 for any."
        ) from error
    listening.listen(1_024)
    return listening
