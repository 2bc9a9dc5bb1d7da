"""What Stripe lists, read as a backfill reads it, and given to a comparison, not to the inbox."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from producer.asking import Asking
from producer.backfill import Backfill
from producer.backfill_items import ItemReader
from producer.backfill_plan import plan_for
from producer.backfill_questions import Asked
from producer.backfill_report import Tally
from producer.backfill_scope import Scope
from producer.errors import StripeUnreachable
from producer.full_lists import is_truncated
from producer.known_objects import Open
from producer.one_by_one import AWAY
from producer.rate_limit import RateLimiter
from producer.reconcile import NotRead, Take
from producer.reconcile_groups import read_for
from producer.stripe_api import StripeApi
from runtime.clock import Clock
from runtime.metrics import Meters
from runtime.stop import Stop
from schemas.endpoints import Ways
from schemas.inbox import Envelope, Evidence

REQUESTS_AT_ONCE: Final = 16
TAKEN_TOGETHER: Final = 500


class StripeLists:
    """Reads lists through a backfill that stores nothing and remembers nothing.

    Args:
        tally: what was read so far, for whoever watches.
        shown: called again and again.
    """

    def __init__(
        self,
        *,
        api: StripeApi,
        limiter: RateLimiter,
        items: ItemReader,
        ways: Mapping[str, Ways],
        tally: Tally,
        shown: Callable[[], None],
        clock: Clock,
        stop: Stop,
    ) -> None:
        self._api = api
        self._limiter = limiter
        self._items = items
        self._ways = ways
        self._tally = tally
        self._shown = shown
        self._clock = clock
        self._stop = stop
        owned = (child for one in ways.values() for child in one.children if child.owned)
        self._owned = frozenset(child.object_name for child in owned)

    def read(
        self, objects: Sequence[str], account_id: str, take: Take, *, since: int | None
    ) -> NotRead:
        """Read all that shows objects of these types; see `Lists`.

        Raises:
            StripeRefused: Stripe does not know the key.
        """
        for found in self._tally.objects.values():
            found.begin()
        shown = _Shown(objects=objects, take=take)
        asking: Asking[Asked] = Asking(threads=REQUESTS_AT_ONCE, stop=self._stop)
        backfill = Backfill(
            scope=Scope(selection="", plan=plan_for(objects, self._ways), since=since, until=None),
            api=self._api,
            limiter=self._limiter,
            asking=asking,
            inbox=shown,
            cursors=_NoCursors(),
            items=self._items,
            owned=self._owned,
            tally=self._tally,
            # What a backfill has stored is not counted by what only looks.
            meters=Meters(),
            shown=self._shown,
            clock=self._clock,
            stop=self._stop,
        )
        try:
            backfill.run([account_id])
        except StripeUnreachable:
            return NotRead(whole=dict.fromkeys(objects, AWAY))
        finally:
            asking.close()
        return self._not_read(objects)

    def _not_read(self, objects: Sequence[str]) -> NotRead:
        """What was not read: of a type's own lists, or of those that it is read through."""
        whole = {
            name: next(iter(found.skipped or found.refused)).partition(":")[0]
            for name, found in self._tally.objects.items()
            if found.skipped or (found.refused and not found.pages)
        }
        above: dict[str, tuple[str, str]] = {}
        for name in objects:
            refused = [one for one in sorted(read_for(name, self._ways)) if one in whole]
            if refused and name not in refused:
                above[name] = (refused[0], whole[refused[0]])
        read = {name for name, found in self._tally.objects.items() if found.pages}
        return NotRead(
            whole={
                **{name: whole[name] for name in objects if name in whole},
                **{name: reason for name, (_, reason) in above.items() if name not in read},
            },
            above={name: found for name, found in above.items() if name in read},
            in_part={
                name: {word.partition(":")[0]: count for word, count in found.refused.items()}
                for name, found in self._tally.objects.items()
                if name in objects and found.refused and name not in whole
            },
        )


class _Shown:
    """Stands where a backfill has the inbox; objects are taken many at a time.

    An object whose lists could not be read whole is not taken: it would differ for that alone. As
    no list shows it then, it is asked for by its id.
    """

    def __init__(self, *, objects: Sequence[str], take: Take) -> None:
        self._objects = frozenset(objects)
        self._take = take
        self._waiting: defaultdict[str, list[Open]] = defaultdict(list)

    def put(self, *, key: str, value: bytes, envelope: Envelope) -> None:
        """Take an object, now or with others."""
        name = _HEAD.decode(value).object
        if name not in self._objects or is_truncated(value):
            return
        waiting = self._waiting[name]
        waiting.append(
            Open(
                key=key,
                account_id=envelope.account_id,
                body=value,
                observed_second=envelope.observed_second,
                retrieved=envelope.evidence is Evidence.RETRIEVE,
            )
        )
        if len(waiting) >= TAKEN_TOGETHER:
            self._waiting.pop(name)
            self._take(name, waiting)

    def flush(self) -> None:
        """Take what waits."""
        waiting, self._waiting = self._waiting, defaultdict(list)
        for name, shown in waiting.items():
            self._take(name, shown)


class _NoCursors:
    """A comparison that was ended begins anew."""

    def read(self) -> dict[str, dict[str, Any]]:
        """Nothing is remembered."""
        return {}

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Remember nothing."""


class _Head(msgspec.Struct, gc=False):
    object: str = ""


_HEAD: Final = msgspec.json.Decoder(_Head)
