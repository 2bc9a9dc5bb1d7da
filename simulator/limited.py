"""The API at Stripe's pace: what comes too fast is refused before anything else happens."""

from simulator.exchange import Answer, Call
from simulator.faulty import FaultyApi
from simulator.limits import Pace
from simulator.routing import Router


class LimitedApi:
    """The API behind its rate limits."""

    def __init__(self, api: FaultyApi, pace: Pace, router: Router) -> None:
        self._api = api
        self._pace = pace
        self._router = router

    def answer(self, call: Call) -> Answer:
        """The API's answer, or a refusal.

        Raises:
            ConnectionCut: the connection is to be cut.
        """
        account = call.headers.get("stripe-account", "")
        endpoint = f"{call.method} {self._router.pattern(call.method, call.path)}"
        reason = self._pace.refuses(account=account, endpoint=endpoint)
        return self._api.rate_limited(reason=reason) if reason else self._api.answer(call)
