"""Where events are sent, which ones, and in which shape."""

from dataclasses import dataclass
from enum import StrEnum

EVERYTHING = "*"
WEBHOOK_RETRY_SECONDS = 1.0


class Payload(StrEnum):
    """What is sent of a change."""

    SNAPSHOT = "snapshot"
    """The event with the whole object, in the endpoint's API version."""
    THIN = "thin"
    """The event that only names its object."""


class Envelope(StrEnum):
    """What an event is wrapped in on its way."""

    NONE = "none"
    AMAZON_EVENTBRIDGE = "amazon_eventbridge"
    AZURE_EVENT_GRID = "azure_event_grid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One receiver of events.

    Args:
        name: tells it from the others; an id of Stripe's where it was made by the API, and empty
            for the one that the options `webhook_...` describe.
        url: where its events are posted.
        secrets: signing secrets; an event is signed with each.
        lanes: events in flight at once; those of one object always go one after the other.
        retry_seconds: wait before the second attempt; doubled before each further one.
        enabled_events: types that it wants; `*` wants all.
        api_version: the version that its events are rendered in; empty for the account's.
        from_self: whether it gets the platform's own events.
        from_accounts: whether it gets those of connected accounts.
        payload: snapshot or thin events.
        envelope: what they are wrapped in.
        thin_details: whether thin events tell the snapshot event and the changes at once, and not
            only when they are fetched.
    """

    name: str = ""
    url: str
    secrets: tuple[str, ...] = ("whsec_simulator",)
    lanes: int = 1
    retry_seconds: float = WEBHOOK_RETRY_SECONDS
    enabled_events: tuple[str, ...] = (EVERYTHING,)
    api_version: str = ""
    from_self: bool = True
    from_accounts: bool = False
    payload: Payload = Payload.SNAPSHOT
    envelope: Envelope = Envelope.NONE
    thin_details: bool = True

    def wants(self, kind: str, *, account: str) -> bool:
        """Whether an event of this type and account is sent to it."""
        asked = self.from_accounts if account else self.from_self
        return asked and (EVERYTHING in self.enabled_events or kind in self.enabled_events)
