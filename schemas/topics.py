"""The names of all topics, subjects and consumer groups of one installation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names under one namespace; `stripe` gives `stripe-inbox`, `stripe.subscription`, ..."""

    namespace: str = "stripe"

    @property
    def inbox(self) -> str:
        """Raw JSON as Stripe sent it, keyed by record key."""
        return f"{self.namespace}-inbox"

    @property
    def cursors(self) -> str:
        """Where polling and backfill stand (compacted)."""
        return f"{self.namespace}-cursors"

    @property
    def dead_letters(self) -> str:
        """What could not be processed, with its origin and reason."""
        return f"{self.namespace}-dead-letters"

    @property
    def relay_group(self) -> str:
        """Consumer group of the relay."""
        return f"{self.namespace}-relay"

    @property
    def sink_group(self) -> str:
        """Consumer group of the sink."""
        return f"{self.namespace}-sink"

    @property
    def object_topic_pattern(self) -> str:
        """A regular expression, as librdkafka reads it, of every object topic."""
        return rf"^{self.namespace}\.[a-z0-9_]+$"

    def object_topic(self, object_name: str) -> str:
        """The topic of a Stripe object name: `checkout.session` -> `stripe.checkout_session`."""
        return f"{self.namespace}.{table_name(object_name)}"

    def table_of(self, topic: str) -> str:
        """The table that an object topic's records belong to."""
        prefix = f"{self.namespace}."
        assert topic.startswith(prefix), topic
        return topic.removeprefix(prefix)

    def subject(self, topic: str) -> str:
        """The registry's subject of an object topic's values."""
        return f"{topic}-value"


def table_name(object_name: str) -> str:
    """The table of a Stripe object name: dots become underscores."""
    return object_name.replace(".", "_")
