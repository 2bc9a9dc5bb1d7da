"""The services against real Stripe, on the local stack."""

from functools import partial
from pathlib import Path

from runtime.errors import WrongSetting
from stack.addresses import Addresses
from stack.folder import HOST
from stack.local import LocalStack
from stack.services import Service, metrics_url, program
from stack.settings import StackSettings

SERVICES = (Service.WEBHOOK, Service.POLL, Service.RELAY, Service.SINK)


def require_keys(settings: StackSettings) -> None:
    """See that the keys are there before anything is started.

    Raises:
        WrongSetting: one is missing.
    """
    needed = {
        "STRIPE_API_KEY": settings.stripe_api_key,
        "STRIPE_WEBHOOK_SECRET": settings.stripe_webhook_secret,
    }
    missing = [name for name, secret in needed.items() if not secret.get_secret_value()]
    if missing:
        raise WrongSetting(
            f"{' and '.join(missing)}: missing, and real Stripe needs both. Set them in the "
            "environment or in .env, for example STRIPE_API_KEY=sk_test_... and "
            "STRIPE_WEBHOOK_SECRET=whsec_... (without Stripe: make demo)"
        )


def start_services(
    stack: LocalStack, addresses: Addresses, settings: StackSettings
) -> list[tuple[str, str]]:
    """Start the services that do not run yet; names and addresses of what they offer."""
    environment = {
        **addresses.environment(),
        "WEBHOOK_PORT": str(settings.webhook_port),
        "RELAY_MEMORY_FOLDER": str(stack.folder.data("relay").resolve()),
    }
    for service in SERVICES:
        make = partial(
            program,
            stack.folder,
            service,
            environment=environment,
            # Here, so that every other setting of the services comes from `.env` too.
            working_folder=Path.cwd(),
        )
        stack.ensure(service.label, make)
    return [
        ("WEBHOOK_URL", f"http://{HOST}:{settings.webhook_port}/webhooks/stripe"),
        *((f"METRICS_{one.name}", metrics_url(stack.folder, one)) for one in SERVICES),
    ]
