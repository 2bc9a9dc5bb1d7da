"""Asks Stripe for objects by their addresses, where lists do not decide or do not exist."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol

from producer.asking import Answer, Asking
from producer.belonging import belonging
from producer.comparison import Comparison
from producer.errors import StripeRefused
from producer.known_objects import Open
from producer.rate_bucket import Purpose
from producer.record_keys import object_id_of
from producer.stripe_api import Retrieved
from producer.verdict import Verdict
from runtime.stop import Stop
from schemas.columns import PARENT_SOURCE
from schemas.endpoints import Ways
from schemas.retrieve_paths import retrieve_path

AT_ONCE: Final = 8
ANSWER_SECONDS: Final = 1.0
AWAY: Final = "unreachable"
"""Why something was not shown, where Stripe did not answer for minutes."""


class Retriever(Protocol):
    """Asks for one object; `StripeApi` does it."""

    def retrieve(
        self,
        *,
        path: str,
        object_name: str,
        object_id: str,
        account_id: str,
        expand: Sequence[str] = (),
        purpose: Purpose,
    ) -> Retrieved:
        """The object as it is now.

        Raises:
            StripeUnreachable: ask again later.
            StripeRefused: asking again changes nothing.
        """
        ...


class OneByOne:
    """Retrieves what a comparison leaves undecided."""

    def __init__(self, *, retriever: Retriever, ways: Mapping[str, Ways], stop: Stop) -> None:
        self._retriever = retriever
        self._ways = ways
        self._stop = stop

    def retrieve(self, comparison: Comparison) -> None:
        """Ask for each object that the lists do not decide; gives up where Stripe is away."""
        undecided = comparison.to_be_retrieved()
        asking: Asking[Open] = Asking(threads=AT_ONCE, stop=self._stop)
        try:
            more = True
            while more or asking.outstanding:
                more = more and not self._stop.requested and not comparison.tally.failures[AWAY]
                while more and asking.idle:
                    found, fields = next(undecided, (None, {}))
                    if found is None:
                        more = False
                    else:
                        self._ask(asking, comparison, found, fields)
                if asking.outstanding:
                    self._take(comparison, asking.answer(seconds_max=ANSWER_SECONDS))
        finally:
            asking.close()

    def _ask(
        self, asking: Asking[Open], comparison: Comparison, found: Open, fields: Mapping[str, Any]
    ) -> None:
        name = comparison.tally.object_name
        path = retrieve_path(name, fields)
        if path is None:
            comparison.tally.verdicts[Verdict.REFUSED] += 1
            comparison.known.close_open([found.key])
            return
        object_id = object_id_of(found.key)
        question = self._question(name, path, object_id, found.account_id)
        parent_id = fields.get(PARENT_SOURCE)
        # Stripe's answer does not say whose it is either.
        asking.ask(found, partial(_belonging, question, parent_id) if parent_id else question)

    def _take(self, comparison: Comparison, answer: Answer[Open] | None) -> None:
        if answer is None:
            return
        if answer.error is None:
            comparison.take_retrieved(answer.token, answer.found)
            return
        comparison.known.close_open([answer.token.key])
        if isinstance(answer.error, StripeRefused):
            comparison.tally.verdicts[Verdict.REFUSED] += 1
        else:
            comparison.tally.failures[AWAY] += 1

    def _question(
        self, object_name: str, path: str, object_id: str, account_id: str
    ) -> Callable[[], Retrieved]:
        return partial(
            self._retriever.retrieve,
            path=path,
            object_name=object_name,
            object_id=object_id,
            account_id=account_id,
            expand=self._ways[object_name].expand,
            purpose=Purpose.BACKGROUND,
        )


def _belonging(question: Callable[[], Retrieved], parent_id: str) -> Retrieved:
    found = question()
    return found if found.gone else replace(found, body=belonging(found.body, parent_id))
