"""The endpoints under `/_simulator/objects`: any object made, changed, removed, loud or silent."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from simulator.errors import wrong_parameter
from simulator.generic.making import Order
from simulator.session import Session
from simulator.simulation import Simulation
from simulator.state import Body

COUNT_MAX = 10_000_000


class Asked(BaseModel):
    """A request's JSON body; `account` is empty for the platform's own objects."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    object: str
    account: str = ""
    events: bool = True


class MakeAsked(Asked):
    """What to make; `over_seconds` spreads the times of creation, from `created` on."""

    count: int = Field(default=1, ge=1, le=COUNT_MAX)
    fields: dict[str, Any] = {}
    children: dict[str, int] = {}
    created: int | None = None
    over_seconds: int = Field(default=0, ge=0)


class ChangeAsked(Asked):
    """Which object is to get which fields."""

    id: str
    fields: dict[str, Any]


class RemoveAsked(Asked):
    """Which object is to be taken away."""

    id: str


class Objects:
    """Answers the control requests for objects."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def make(self, body: bytes) -> Body:
        """The ids of what was made."""
        asked = MakeAsked.model_validate_json(body)
        order = Order(
            name=asked.object,
            count=asked.count,
            fields=asked.fields,
            children=asked.children,
            events=asked.events,
            created=asked.created,
            over_seconds=asked.over_seconds,
        )
        session = self._session(asked.account)
        identifiers = self._simulation.types.making.make(session, order)
        self._simulation.publish(session.changes)
        return {"ids": identifiers}

    async def change(self, body: bytes) -> Body:
        """The object as it now is."""
        asked = ChangeAsked.model_validate_json(body)
        session = self._session(asked.account)
        changed = self._simulation.types.making.change(
            session, asked.object, asked.id, asked.fields, events=asked.events
        )
        self._simulation.publish(session.changes)
        return changed

    async def remove(self, body: bytes) -> Body:
        """What Stripe answers to a delete."""
        asked = RemoveAsked.model_validate_json(body)
        session = self._session(asked.account)
        removed = self._simulation.types.making.remove(
            session, asked.object, asked.id, events=asked.events
        )
        self._simulation.publish(session.changes)
        return removed

    def _session(self, account: str) -> Session:
        if account not in self._simulation.world.by_account:
            raise wrong_parameter("account", f"There is no account {account}.")
        return self._simulation.session(account)
