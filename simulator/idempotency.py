"""Idempotency keys: the same key gets the first answer again, another body is refused."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from simulator.errors import Refused
from simulator.exchange import Answer, Call

KEPT_SECONDS = 24 * 3_600
KEYS_MAX = 10_000
SAVED_STATUSES = frozenset({200, 402, 500})


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The first answer to a key."""

    fingerprint: tuple[str, str, str, bytes]
    at: int
    answer: Answer


class IdempotencyKeys:
    """The answers of the last 24 hours by key; a request refused before it ran is not kept."""

    def __init__(self) -> None:
        self._saved: OrderedDict[str, Saved] = OrderedDict()

    def answer(self, call: Call, *, now: int, through: Callable[[Call], Answer]) -> Answer:
        """The saved answer to the call's key, or the one that `through` gives, saved."""
        key = call.headers.get("idempotency-key", "")
        if call.method != "POST" or not key:
            return through(call)
        fingerprint = (call.method, call.path, call.query, call.body)
        saved = self._saved.get(key)
        if saved is not None and now - saved.at < KEPT_SECONDS:
            if saved.fingerprint != fingerprint:
                raise Refused(
                    "Keys for idempotent requests can only be used with the same parameters they "
                    f"were first used with. Try using a key other than '{key}' if you meant to "
                    "execute a different request.",
                    kind="idempotency_error",
                )
            original = dict(saved.answer.headers)["Request-Id"]
            replayed = (("Idempotent-Replayed", "true"), ("Original-Request", original))
            return replace(saved.answer, headers=saved.answer.headers + replayed)
        answer = through(call)
        if answer.status in SAVED_STATUSES:
            self._saved[key] = Saved(fingerprint=fingerprint, at=now, answer=answer)
            if len(self._saved) > KEYS_MAX:
                self._saved.popitem(last=False)
        return answer
