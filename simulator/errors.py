"""What the simulated Stripe refuses, said in Stripe's words.

StripelineError
+-- Refused                 a request is answered with a Stripe-shaped error body
+-- ConnectionCut           the fault plan cuts the connection instead of answering
+-- PortTaken               the chosen port cannot be listened on (exit code 2)
"""

from typing import Any

from runtime.errors import ExitCode, StripelineError

DOCUMENTATION = "https://stripe.com/docs/error-codes/"


class Refused(StripelineError):
    """A request is answered with a Stripe-shaped error body.

    Args:
        message: what Stripe's `error.message` says.
        status: the HTTP status.
        kind: Stripe's `error.type`.
        code: Stripe's `error.code`; empty where Stripe gives none.
        parameter: Stripe's `error.param`.
        more: further keys of `error`, such as `payment_intent` of a declined card.
        keeps_work: what led to the refusal stays: a declined card is an outcome, not a mistake.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str = "",
        parameter: str = "",
        more: dict[str, Any] | None = None,
        keeps_work: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.code = code
        self.parameter = parameter
        self.more = more or {}
        self.keeps_work = keeps_work

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        error: dict[str, Any] = {}
        if self.code:
            error |= {"code": self.code, "doc_url": DOCUMENTATION + self.code.replace("_", "-")}
        error["message"] = self.message
        if self.parameter:
            error["param"] = self.parameter
        return {"error": error | self.more | {"type": self.kind}}


class ConnectionCut(StripelineError):
    """The fault plan cuts the connection instead of answering, after `seconds` of silence."""

    def __init__(self, *, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class PortTaken(StripelineError):
    """The chosen port cannot be listened on; the message names it and a way out."""

    exit_code = ExitCode.WRONG_USAGE


def no_such(kind: str, identifier: str, *, parameter: str = "id") -> Refused:
    """An object that does not exist: 404 for the one in the path, 400 for one in a parameter."""
    return Refused(
        f"No such {kind.replace('_', ' ')}: '{identifier}'",
        status=404 if parameter == "id" else 400,
        code="resource_missing",
        parameter=parameter,
    )


def missing_parameter(name: str) -> Refused:
    """A parameter that must be given is not."""
    return Refused(f"Missing required param: {name}.", code="parameter_missing", parameter=name)


def unknown_parameter(name: str) -> Refused:
    """A parameter that this request does not have."""
    return Refused(f"Received unknown parameter: {name}", code="parameter_unknown", parameter=name)


def wrong_parameter(name: str, fault: str, *, code: str = "") -> Refused:
    """A parameter whose value cannot be used."""
    return Refused(fault, code=code, parameter=name)


def declined(message: str, *, more: dict[str, Any], keeps_work: bool = True) -> Refused:
    """A card that its bank does not charge; `more` has at least `code` and `decline_code`."""
    return Refused(message, status=402, kind="card_error", more=more, keeps_work=keeps_work)
