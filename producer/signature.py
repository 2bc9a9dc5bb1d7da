"""Whether a webhook body was signed by Stripe, with one of our secrets, just now."""

from collections.abc import Sequence

from stripe import SignatureVerificationError, WebhookSignature

from producer.errors import Refusal, RequestRefused
from runtime.clock import MICROS_PER_SECOND, Clock

TOLERANCE_SECONDS = 300


class SignatureCheck:
    """Checks `Stripe-Signature` headers against the endpoint's secrets.

    The package's own age check reads the machine's clock and lets the future pass; here both
    sides are held to the tolerance, so that a recorded request is of use to nobody for longer
    than that, whatever stands in it.
    """

    def __init__(self, *, secrets: Sequence[str], clock: Clock) -> None:
        assert secrets
        self._secrets = tuple(secrets)
        self._clock = clock

    def verify(self, body: bytes, header: str) -> None:
        """Return when the body is Stripe's and was signed within the tolerance.

        Args:
            body: the request's bytes as they came.
            header: the value of `Stripe-Signature`; empty when there was none.

        Raises:
            RequestRefused: the signature is missing, wrong, old or of the future, or the body
                is not UTF-8. Neither body nor secret is in the error or its cause.
        """
        if not header:
            raise RequestRefused(Refusal.SIGNATURE_MISSING)
        try:
            # Once here instead of once for each secret in the package.
            text = body.decode()
        except UnicodeDecodeError:
            raise RequestRefused(Refusal.NOT_UTF8) from None
        # The package compares text, and that is done for ASCII only.
        if not header.isascii() or not any(
            _signed(text, header, secret) for secret in self._secrets
        ):
            raise RequestRefused(Refusal.SIGNATURE_WRONG)
        age_seconds = self._clock.utc_micros() // MICROS_PER_SECOND - _signed_second(header)
        if age_seconds > TOLERANCE_SECONDS:
            raise RequestRefused(Refusal.SIGNATURE_OLD)
        if age_seconds < -TOLERANCE_SECONDS:
            raise RequestRefused(Refusal.SIGNATURE_FUTURE)


def _signed(text: str, header: str, secret: str) -> bool:
    try:
        return bool(WebhookSignature.verify_header(text, header, secret, None))
    except SignatureVerificationError:
        # It carries the body: it ends here.
        return False


def _signed_second(header: str) -> int:
    """The first `t` of a header that was verified already, as the package reads it."""
    for item in header.split(","):
        name, _, value = item.partition("=")
        if name == "t":
            return int(value)
    raise AssertionError("a verified header has a time")
