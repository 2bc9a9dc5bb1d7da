"""From a candidate that only Stripe can put in order to a wish, and back into the inbox."""

import msgspec

from producer.preparing import Candidate
from producer.refetch import Fetched, Wish
from producer.retrieve_paths import retrieve_path
from schemas.inbox import Envelope, Evidence, Kind, Source


def wish_for(candidate: Candidate) -> Wish | None:
    """What to ask Stripe for; none if objects of this type cannot be asked for."""
    observation = candidate.observation
    path = retrieve_path(observation.object_name, msgspec.json.decode(observation.body))
    if path is None:
        return None
    return Wish(
        name=candidate.name,
        key=observation.key,
        object_name=observation.object_name,
        path=path,
        object_id=observation.key.rpartition("/")[2],
        account_id=observation.account_id,
        partition=observation.partition,
        after_second=observation.second,
    )


def fetched_record(
    fetched: Fetched, *, received_at: int
) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """The inbox record of what was fetched: key, value, headers.

    It goes through the inbox like any other observation, so that all that was ever published
    can be read there again.
    """
    retrieved = fetched.retrieved
    assert retrieved is not None
    envelope = Envelope(
        kind=Kind.GONE if retrieved.gone else Kind.SNAPSHOT,
        source=Source.REFETCH,
        received_at=received_at,
        account_id=fetched.wish.account_id,
        observed_second=retrieved.observed_second,
        evidence=None if retrieved.gone else Evidence.RETRIEVE,
    )
    return fetched.wish.key.encode(), retrieved.body, envelope.headers()
