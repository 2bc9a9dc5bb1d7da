"""The API behind a fault plan: a wrapper that answers wrongly, late or not at all."""

from typing import assert_never

from simulator.api import Api
from simulator.errors import ConnectionCut, Refused
from simulator.exchange import Answer, Call
from simulator.faults import Faults, ResponseFaultKind

GLOBAL_RATE = "global-rate"
"""Stripe's reason where all requests of an account together are too many."""


class FaultyApi:
    """The API behind the plan's faults."""

    def __init__(self, api: Api, faults: Faults) -> None:
        self._api = api
        self._faults = faults

    def answer(self, call: Call) -> Answer:
        """The API's answer, or what the plan puts in its place.

        Raises:
            ConnectionCut: the connection is to be cut.
        """
        fault = self._faults.draw(call)
        if fault is None:
            return self._api.answer(call)
        match fault.kind:
            case ResponseFaultKind.RATE_LIMITED:
                return self.rate_limited(reason=GLOBAL_RATE)
            case ResponseFaultKind.SERVER_ERROR:
                if fault.after_work:
                    return self._api.answer(call, then=lambda _answer: self._server_error())
                return self._server_error()
            case ResponseFaultKind.FORBIDDEN:
                return self._forbidden(call)
            case ResponseFaultKind.HANG | ResponseFaultKind.CUT:
                if fault.after_work:
                    self._api.answer(call)
                hangs = fault.kind is ResponseFaultKind.HANG
                raise ConnectionCut(seconds=fault.seconds if hangs else 0.0)
            case _:
                assert_never(fault.kind)

    def rate_limited(self, *, reason: str) -> Answer:
        """What Stripe answers to one request too many."""
        answer = self._api.refuse(
            Refused(
                "Request rate limit exceeded. You can learn more about rate limits here "
                "https://stripe.com/docs/rate-limits.",
                status=429,
                code="rate_limit",
            )
        )
        named = (("Stripe-Rate-Limited-Reason", reason),)
        return Answer(status=429, headers=answer.headers + named, body=answer.body)

    def _forbidden(self, call: Call) -> Answer:
        return self._api.refuse(
            Refused(
                f"The provided key does not have the required permissions for {call.path}.",
                status=403,
            )
        )

    def _server_error(self) -> Answer:
        return self._api.refuse(
            Refused(
                "An unknown error occurred. Please try your request again.",
                status=500,
                kind="api_error",
            )
        )
