"""The producer's errors: what each means, what the service does, what the operator does.

StripelineError
+-- KafkaUnreachable        Kafka does not answer (exit code 3)
+-- TopicRefused            Kafka answers, but refuses to make or show a topic
+-- PartitionCountDiffers   a topic exists with another number of partitions
+-- NotReadable             what `explain` was given is neither an event nor an object
+-- RequestRefused          a webhook request that is not taken; nothing is stored
+-- NotStored               an event that Kafka did not acknowledge
    +-- InboxFull           too many events wait for Kafka already
    +-- NotAcknowledged     the deadline passed, or Kafka refused the record
+-- Unreadable              an inbox record that is neither an event nor an object
+-- Interrupted             the relay's batch did not get through
|   +-- NotCommitted        the transaction was aborted; nothing of it was published
|   +-- UnknownOutcome      Kafka did not say whether the transaction was committed
|   +-- PartitionsMoved     the group gave out the inbox's partitions anew
+-- ForeignRecord           an object topic holds a record that no relay wrote
+-- RegistryAway            the registry does not answer (exit code 3)
+-- SchemaNotRegistered     the registry refuses an object's schema
+-- MemoryUnusable          the relay's memory cannot be read or written
+-- StripeUnreachable       Stripe does not answer, or asks to come later
|   +-- RateLimited         Stripe wants fewer requests
|   +-- LimiterStopped      the process ends; Stripe was not asked
+-- StripeRefused           Stripe will not show the object, however often it is asked
+-- Unfinished              a command was stopped before its end (exit code 5)
+-- RecordTooLarge          an object is larger than an inbox record may be
+-- NotAllStored            a backfill found objects that no inbox record holds

Error                  The service                       The operator
KafkaUnreachable       waits and tries again, not ready  starts Kafka, or corrects the address
TopicRefused           stops                             grants Create and Describe on topics
PartitionCountDiffers  stops                             sets TOPIC_PARTITIONS to the topic's
NotReadable            (the command ends)                gives the JSON as Stripe sent it
RequestRefused         answers 4xx                       compares STRIPE_WEBHOOK_SECRET
NotStored              answers 503, Stripe sends again   looks at Kafka's health
Unreadable             dead-letters the record           looks at the dead letter
Interrupted            takes its partitions over again   looks at Kafka's health if it goes on
ForeignRecord          stops                             takes the other writer's access away
RegistryAway           tries again on a schedule         starts the registry
SchemaNotRegistered    stops                             compares the subject's older schemas
MemoryUnusable         stops                             makes room, or removes the memory's folder
StripeUnreachable      tries again, for days if need be  looks at Stripe's status page
StripeRefused          takes the order of arrival, or    gives the key read access to the object
                       skips the list and says so
Unfinished             (the command ends)                gives the same command again
RecordTooLarge         stores the object without the     nothing: the object's row is there
                       rest of its embedded lists
NotAllStored           (the command ends)                reports which type it is
"""

from enum import StrEnum

from runtime.errors import ExitCode, StripelineError


class KafkaUnreachable(StripelineError):
    """Kafka does not answer; trying again may help."""

    exit_code = ExitCode.UNREACHABLE


class TopicRefused(StripelineError):
    """Kafka refuses to make or to show a topic; trying again does not help."""


class PartitionCountDiffers(StripelineError):
    """A topic exists with a number of partitions other than the one that was asked for."""

    def __init__(self, *, topic: str, found: int, wanted: int) -> None:
        super().__init__(
            f"The topic {topic} has {found} partitions, and TOPIC_PARTITIONS asks for {wanted}. "
            "A key's partition follows from their number: with another number an object's "
            "changes would continue on another partition, and their order would be lost. "
            f"Set TOPIC_PARTITIONS={found}, or choose another KAFKA_NAMESPACE to start anew."
        )
        self.topic = topic
        self.found = found
        self.wanted = wanted


class NotReadable(StripelineError):
    """What was given is neither a Stripe event nor a Stripe object."""

    exit_code = ExitCode.WRONG_USAGE


class Refusal(StrEnum):
    """Why a webhook request is not stored; the `reason` of the metric that counts it."""

    NOT_FOUND = "not_found"
    METHOD = "method"
    CONTENT_TYPE = "content_type"
    TOO_LARGE = "too_large"
    BODY_INCOMPLETE = "body_incomplete"
    NOT_UTF8 = "not_utf8"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_WRONG = "signature_wrong"
    SIGNATURE_OLD = "signature_old"
    SIGNATURE_FUTURE = "signature_future"
    NOT_JSON = "not_json"
    NOT_AN_EVENT = "not_an_event"
    NOT_AN_ENVELOPE = "not_an_envelope"
    KEY_WRONG = "key_wrong"
    ORIGIN = "origin"
    OTHER_MODE = "other_mode"
    NOT_READY = "not_ready"
    QUEUE_FULL = "queue_full"
    NOT_ACKNOWLEDGED = "not_acknowledged"


class RequestRefused(StripelineError):
    """A webhook request that is not taken. The message never holds a part of the body."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


class NotStored(StripelineError):
    """Kafka did not acknowledge an event; whoever sent it must send it again."""

    exit_code = ExitCode.UNREACHABLE


class InboxFull(NotStored):
    """Too many events wait for Kafka's acknowledgement already; nothing was handed over."""


class NotAcknowledged(NotStored):
    """The deadline passed, or Kafka refused the record; it may still be stored later."""


class Unreadable(StripelineError):
    """An inbox record that is neither an event nor an object; it goes to the dead letters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Interrupted(StripelineError):
    """The relay's batch did not get through; it is read again from the committed offsets."""


class NotCommitted(Interrupted):
    """The transaction was aborted; nothing of it was published."""


class UnknownOutcome(Interrupted):
    """Kafka did not say whether the transaction was committed; the producer is thrown away."""


class PartitionsMoved(Interrupted):
    """The group gave out the inbox's partitions anew; what was read before is not ours now."""


class ForeignRecord(StripelineError):
    """An object topic holds a record that no relay wrote; the relay must be its only writer."""

    def __init__(self, *, topic: str, offset: int) -> None:
        super().__init__(
            f"The topic {topic} holds a record at offset {offset} that no relay wrote. Only "
            "relays may write to object topics: take away whatever else has write access, and "
            "delete the topic so that it is made anew."
        )


class RegistryAway(StripelineError):
    """The schema registry does not answer a command that reads topics."""

    exit_code = ExitCode.UNREACHABLE


class SchemaNotRegistered(StripelineError):
    """The registry refuses an object's schema; asking again changes nothing."""


class MemoryUnusable(StripelineError):
    """The relay's memory cannot be read or written; it may be removed, and is then built anew."""


class StripeUnreachable(StripelineError):
    """Stripe does not answer, or asks to come later; asking again may help."""

    exit_code = ExitCode.UNREACHABLE


class RateLimited(StripeUnreachable):
    """Stripe wants fewer requests; the limiter has been told."""


class LimiterStopped(StripeUnreachable):
    """The process ends; Stripe was not asked."""


class StripeRefused(StripelineError):
    """Stripe will not show the object, however often it is asked.

    Attributes:
        reason: a constant word.
        said: Stripe's own words, for the operator's eyes and not for logs.
    """

    def __init__(self, reason: str, *, said: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.said = said


class RecordTooLarge(StripelineError):
    """An object is larger than an inbox record may be; nothing of it was stored."""


class NotAllStored(StripelineError):
    """A backfill came to its end, but some objects are larger than an inbox record may be."""


class Unfinished(StripelineError):
    """A command was stopped before its end; the same command goes on where it stood."""

    exit_code = ExitCode.UNFINISHED
