"""What most tests begin with: a customer, something to sell, a subscription."""

from typing import Any

from stripe import Customer, Event, Price, StripeClient, StripeObject, Subscription

DAY_SECONDS = 24 * 3_600


class Shop:
    """Makes things through Stripe's own client."""

    def __init__(self, client: StripeClient) -> None:
        self._client = client

    def customer(self, *, card: str = "pm_card_visa", **fields: Any) -> Customer:
        """A customer who pays with a test card; an empty `card` leaves them without one."""
        paying: dict[str, Any] = {}
        if card:
            settings = {"default_payment_method": card}
            paying = {"payment_method": card, "invoice_settings": settings}
        return self._client.v1.customers.create({**paying, **fields})  # type: ignore[arg-type]

    def price(self, *, amount: int = 1_000, interval: str = "month") -> Price:
        """A recurring price of a new product."""
        return self._client.v1.prices.create(
            {
                "currency": "usd",
                "product_data": {"name": "Basic"},
                "recurring": {"interval": interval},
                "unit_amount": amount,
            }
        )

    def subscription(self, customer: Customer | None = None, **fields: Any) -> Subscription:
        """A subscription to a new price."""
        given: dict[str, Any] = {
            "customer": (customer or self.customer()).id,
            **fields,
        }
        if "items" not in given:
            given["items"] = [{"price": self.price().id}]
        return self._client.v1.subscriptions.create(given)  # type: ignore[arg-type]

    def events(self, kind: str = "*") -> list[Event]:
        """The events of a type, oldest first."""
        found = self._client.v1.events.list({"limit": 100, "type": kind})
        return list(reversed(list(found.auto_paging_iter())))

    def kinds(self) -> list[str]:
        """The types of all events, oldest first."""
        return [event.type for event in self.events()]


def items_of(subscription: Subscription) -> list[Any]:
    """A subscription's items: its `items` is hidden behind the method of that name."""
    return list(subscription["items"].data)


def metadata_of(body: StripeObject) -> dict[str, str]:
    """An object's metadata as plain texts."""
    found: dict[str, str] = body.to_dict()["metadata"]
    return found


def previous(event: Event) -> dict[str, Any]:
    """What the event says was before."""
    found: dict[str, Any] = event.data.to_dict()["previous_attributes"]
    return found


def subject(event: Event) -> dict[str, Any]:
    """The object that the event is about."""
    found: dict[str, Any] = event.data.to_dict()["object"]
    return found
