"""From a change to the events that tell it."""

from simulator.events import event, previous_attributes
from simulator.rendering import event_data
from simulator.said import Said
from simulator.state import Body
from simulator.thin import IDENTIFIER_CHARACTERS, has_thin, thin_event
from simulator.world import Origin, World


def tell(
    world: World,
    origin: Origin,
    kind: str,
    subject: Body,
    *,
    second: int,
    before: Body | None = None,
    previous: Body | None = None,
    only_thin: bool = False,
) -> Said:
    """What is said of a change.

    Args:
        world: of the account whose change it is.
        origin: what caused it.
        kind: the event's type.
        subject: the object as it is now.
        second: unix time of the change.
        before: the object as it was, where it changed.
        previous: what the change replaced, where `before` is not at hand.
        only_thin: whether Stripe has no snapshot event for it.
    """
    if before is not None:
        previous = previous_attributes(before, subject)
    request = {"id": origin.request_id, "idempotency_key": origin.idempotency_key}
    snapshot, thin = None, None
    if not only_thin:
        version = world.api_version
        snapshot = event(
            identifier=world.identifiers.make("evt_"),
            account=world.account,
            kind=kind,
            created=second,
            livemode=world.livemode,
            api_version=version,
            data=event_data(
                subject, before=before, previous=previous, version=version, state=world.state
            ),
            request=request,
        )
    if only_thin or has_thin(kind):
        prefix = "evt_65" if world.livemode else "evt_test_65"
        thin = thin_event(
            identifier=world.identifiers.make(prefix, length=IDENTIFIER_CHARACTERS),
            account=world.account,
            kind=kind,
            millis=world.clock.moment(second),
            livemode=world.livemode,
            subject=subject,
            previous=previous,
            request=request,
            snapshot=snapshot["id"] if snapshot else None,
        )
    return Said(
        account=world.account,
        state=world.state,
        subject=subject,
        before=before,
        previous=previous,
        snapshot=snapshot,
        thin=thin,
    )
