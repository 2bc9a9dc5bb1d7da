"""What a simulated account has, and what all of them share."""

from dataclasses import dataclass, replace
from typing import Any

from simulator.agenda import Agenda
from simulator.clock import MovableClock
from simulator.faults import Faults
from simulator.identifiers import Identifiers
from simulator.said import Said
from simulator.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What one account has, and what all accounts share, until a reset.

    Args:
        account: id of the connected account; empty for the platform.
        by_account: every account's world, the platform's under the empty text; shared.
        state: the objects of this account.
        said: what happened, by the id of its snapshot event; shared.
        undelivered: by event id, the endpoints that did not accept it yet; shared.
        api_version: the account's, in which its events are listed.
        aside: by object id, what Stripe knows of an object and sends only on request.
    """

    account: str
    by_account: dict[str, "World"]
    state: State
    clock: MovableClock
    identifiers: Identifiers
    agenda: Agenda
    faults: Faults
    said: dict[str, Said]
    undelivered: dict[str, set[str]]
    aside: dict[str, Any]
    livemode: bool
    api_version: str

    def connect(self, account: str) -> None:
        """Give a new connected account a world of its own."""
        self.by_account[account] = replace(
            self, account=account, state=self.state.emptied(), aside={}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The request that caused a change; both None where time did."""

    request_id: str | None = None
    idempotency_key: str | None = None
