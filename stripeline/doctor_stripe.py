"""What the doctor asks Stripe, and how the key and the webhook secret look."""

from collections.abc import Sequence

import stripe

from stripeline.findings import Finding, Verdict, counted

PART = "Stripe"
KEY_BEGINNINGS = ("sk_test_", "rk_test_", "sk_live_", "rk_live_")
SIGNING_BEGINNING = "whsec_"
SIMULATED_SECRET = "whsec_simulator"  # noqa: S105 - the simulator's default, in its docs


def stripe_findings(*, api_key: str, api_base: str, timeout_seconds: float) -> list[Finding]:
    """Whether the key is one, and whether the API takes it.

    Args:
        api_key: may be empty: only same-second ties need it.
        api_base: address of the API.
        timeout_seconds: for the one request that is sent, which reads one event.
    """
    if not api_key:
        return [
            Finding(
                part=PART,
                subject="key",
                verdict=Verdict.NOTE,
                words="none: a tie of two events of one second is settled by their arrival",
                advice="Set STRIPE_API_KEY to let the relay ask Stripe instead.",
            )
        ]
    if not api_key.startswith(KEY_BEGINNINGS):
        return [
            Finding(
                part=PART,
                subject="key",
                verdict=Verdict.WRONG,
                words="it begins like no secret key of Stripe",
                advice="Set STRIPE_API_KEY to a secret or restricted key: "
                f"{', '.join(f'{beginning}...' for beginning in KEY_BEGINNINGS)}.",
            )
        ]
    return [_asked(api_key=api_key, api_base=api_base, timeout_seconds=timeout_seconds)]


def secret_findings(secrets: Sequence[str]) -> list[Finding]:
    """How the webhook secrets look; whether they are the right ones only a webhook shows."""
    odd = sum(not secret.startswith(SIGNING_BEGINNING) for secret in secrets)
    if odd:
        return [
            Finding(
                part=PART,
                subject="webhook secret",
                verdict=Verdict.WRONG,
                words=f"{odd} of {len(secrets)} does not begin with {SIGNING_BEGINNING}",
                advice="Copy the signing secret of the endpoint from Stripe's dashboard. "
                "Example: STRIPE_WEBHOOK_SECRET=whsec_...",
            )
        ]
    if SIMULATED_SECRET in secrets:
        return [
            Finding(
                part=PART,
                subject="webhook secret",
                verdict=Verdict.NOTE,
                words="the simulator's, known to everyone: anyone may sign with it",
                advice="Against real Stripe set STRIPE_WEBHOOK_SECRET to the endpoint's own.",
            )
        ]
    words = counted(len(secrets), "secret")
    return [Finding(part=PART, subject="webhook secret", verdict=Verdict.FINE, words=words)]


def _asked(*, api_key: str, api_base: str, timeout_seconds: float) -> Finding:
    mode = "live" if api_key[3:].startswith("live_") else "test"
    client = stripe.StripeClient(
        api_key,
        base_addresses={"api": api_base.rstrip("/")},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=timeout_seconds),
    )
    try:
        client.v1.events.list({"limit": 1})
    except stripe.APIConnectionError:
        return Finding(
            part=PART,
            subject="API",
            verdict=Verdict.UNREACHABLE,
            words=f"{api_base} does not answer",
            advice="Let this machine reach it, or correct STRIPE_API_BASE. Webhooks are stored "
            "all the same.",
        )
    except stripe.AuthenticationError:
        return Finding(
            part=PART,
            subject="API",
            verdict=Verdict.WRONG,
            words=f"{api_base} does not know the key",
            advice="Set STRIPE_API_KEY to a key that has not been revoked.",
        )
    except stripe.PermissionError:
        return Finding(
            part=PART,
            subject="API",
            verdict=Verdict.NOTE,
            words=f"{api_base} knows the {mode} key, which may not read events",
            advice="Give the restricted key read rights to what is stored.",
        )
    except stripe.StripeError as error:
        return Finding(
            part=PART,
            subject="API",
            verdict=Verdict.UNREACHABLE,
            words=f"{api_base} answers {error.http_status}",
            advice="Try again; status.stripe.com tells of outages.",
        )
    return Finding(
        part=PART, subject="API", verdict=Verdict.FINE, words=f"{api_base} takes the {mode} key"
    )
