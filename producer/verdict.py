"""What a reconcile makes of one object: what was published last against what Stripe shows.

Pure: values go in, a verdict comes out.
"""

from enum import StrEnum
from typing import Final

from producer.known_objects import Known
from producer.order import snapshot_event_at
from producer.untold import Untold


class Verdict(StrEnum):
    """What a reconcile found about one object."""

    UNCHANGED = "unchanged"
    """It is as Stripe shows it."""
    OVERTAKEN = "overtaken"
    """It was published anew while the reconcile ran; what the list showed is older."""
    REPAIRED = "repaired"
    """Stripe shows other values: they are published."""
    REFRESHED = "refreshed"
    """It differs only in what no event tells, or in what comes of the API version of its last
    event: published as the lists show it, and no drift."""
    CREATED = "created"
    """Stripe shows it, and it was missing here, or deleted here."""
    DELETED = "deleted"
    """Stripe was asked for it by its id, and it does not exist."""
    REFUSED = "refused"
    """Stripe would not show it, or what it showed cannot be read."""


DRIFT: Final = (Verdict.REPAIRED, Verdict.CREATED, Verdict.DELETED)
"""What should not have been: a change that was missed, if an event tells it."""


def before_comparing(known: Known | None, *, observed_second: int, gone: bool) -> Verdict | None:
    """What can be said without looking at the object's columns; none if they decide.

    Args:
        known: what was published last, of all that was published by now.
        observed_second: Stripe's second in which the object was shown, or asked for.
        gone: whether Stripe said that it does not exist.
    """
    if known is None:
        return Verdict.UNCHANGED if gone else Verdict.CREATED
    if known.event_at >= snapshot_event_at(observed_second):
        return Verdict.OVERTAKEN
    if gone:
        return Verdict.DELETED if known.alive else Verdict.UNCHANGED
    return None if known.alive else Verdict.CREATED


def by_columns(drift: tuple[str, ...], *, untold: Untold, of_versions: bool) -> Verdict:
    """What the columns say.

    Args:
        drift: names of the columns that differ.
        untold: what no event tells of the object.
        of_versions: whether they differ because the last record's event came in another API
            version than lists do.
    """
    if not drift:
        return Verdict.UNCHANGED
    if of_versions or untold.covers(drift):
        return Verdict.REFRESHED
    return Verdict.REPAIRED


def is_told(verdict: Verdict, untold: Untold) -> bool:
    """Whether an event should have told of what was found."""
    if verdict is Verdict.CREATED:
        return not untold.created
    return not (verdict is Verdict.DELETED and untold.deleted)
