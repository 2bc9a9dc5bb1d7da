"""The `Stripe-Signature` header of a webhook."""

import hashlib
import hmac
from collections.abc import Sequence


def signature_header(body: bytes, *, secrets: Sequence[str], at: int) -> str:
    """One `v1` for each secret, as Stripe signs while a secret is being rolled.

    Args:
        body: the webhook's exact bytes.
        secrets: the endpoint's signing secrets, newest first.
        at: unix time of the attempt.
    """
    signed = f"{at}.".encode() + body
    signatures = [hmac.new(secret.encode(), signed, hashlib.sha256) for secret in secrets]
    return ",".join([f"t={at}", *(f"v1={made.hexdigest()}" for made in signatures)])
