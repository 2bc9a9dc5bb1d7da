"""What the demo does in the simulated Stripe, over HTTP, as a company's own code would."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from stack.errors import StackError

PLATFORMS = ("web", "ios", "android", "macos")
ORGANISATIONS = ("Acorn Press", "Birch & Sons", "Cedar Labs", "Dune Radio", "Elm Street Bakery")
PLANS = (("Starter", 900), ("Team", 2900))
TRIAL_DAYS = (14, 30, 7, 21, 10)
REQUEST_SECONDS_MAX = 10.0
PAGE = 100

Fields = Mapping[str, str | int]
Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A customer of the demo's company."""

    name: str
    stripe_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A change that Stripe has made: to which subscription, in words."""

    subscription: Object
    words: str


class Stripe:
    """The few calls of Stripe's API that the demo needs."""

    def __init__(self, *, base: str, key: str) -> None:
        self._client = httpx.Client(
            base_url=base, auth=(key, ""), timeout=REQUEST_SECONDS_MAX, trust_env=False
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def post(self, path: str, fields: Fields) -> Object:
        """Create or change an object."""
        form = {name: str(value) for name, value in fields.items()}
        return self._answered("POST", path, data=form)

    def delete(self, path: str) -> Object:
        """Delete or cancel an object."""
        return self._answered("DELETE", path)

    def listed(self, path: str, **parameters: str) -> list[Object]:
        """Every object of a list, page by page, the newest first."""
        found: list[Object] = []
        after: dict[str, str] = {}
        while True:
            query = {"limit": str(PAGE), **parameters, **after}
            page = self._answered("GET", path, params=query)
            found += page["data"]
            if not page["has_more"]:
                return found
            after = {"starting_after": found[-1]["id"]}

    def _answered(self, method: str, path: str, **given: Any) -> Object:
        try:
            answer = self._client.request(method, path, **given)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise StackError(f"The simulated Stripe: {method} {path}: {error}") from error
        body: Object = answer.json()
        return body


def furnish(stripe: Stripe) -> list[Organisation]:
    """Plans, customers, and a subscription in trial for each; then a few changes."""
    prices = [_plan(stripe, name, amount) for name, amount in PLANS]
    organisations = []
    subscriptions = []
    for place, name in enumerate(ORGANISATIONS):
        customer = stripe.post("/v1/customers", {"name": name, "email": _email(name)})
        organisations.append(Organisation(name=name, stripe_id=customer["id"]))
        fields: Fields = {
            "customer": customer["id"],
            "items[0][price]": prices[place % len(prices)],
            "trial_period_days": TRIAL_DAYS[place % len(TRIAL_DAYS)],
            "metadata[platform]": PLATFORMS[place % len(PLATFORMS)],
        }
        subscriptions.append(stripe.post("/v1/subscriptions", fields))
    move_platform(stripe, subscriptions[1], "android")
    pause(stripe, subscriptions[2])
    stripe.delete(f"/v1/subscriptions/{subscriptions[4]['id']}")
    return organisations


def move_platform(stripe: Stripe, subscription: Object, platform: str) -> Changed:
    """The customer goes on using the product elsewhere."""
    changed = _update(stripe, subscription, {"metadata[platform]": platform})
    before = subscription["metadata"].get("platform", "none")
    return Changed(subscription=changed, words=f"platform {before} -> {platform}")


def pause(stripe: Stripe, subscription: Object) -> Changed:
    """Stop collecting payments, or collect them again."""
    if subscription.get("pause_collection"):
        changed = _update(stripe, subscription, {"pause_collection": ""})
        return Changed(subscription=changed, words="collection resumed")
    changed = _update(stripe, subscription, {"pause_collection[behavior]": "void"})
    return Changed(subscription=changed, words="collection paused")


def prolong(stripe: Stripe, subscription: Object, days: int) -> Changed:
    """Give the customer more time to try."""
    trial_end = int(subscription["trial_end"]) + days * 86_400
    changed = _update(stripe, subscription, {"trial_end": trial_end, "proration_behavior": "none"})
    return Changed(subscription=changed, words=f"trial {days} days longer")


def change_something(stripe: Stripe, chance: random.Random) -> Changed | None:
    """One change to one subscription that still lives; none where none does."""
    living = [
        subscription
        for subscription in stripe.listed("/v1/subscriptions", status="all")
        if subscription["status"] in {"trialing", "active"}
    ]
    if not living:
        return None
    subscription = chance.choice(living)
    kind = chance.randrange(3)
    if kind == 0 and subscription["status"] == "trialing":
        return prolong(stripe, subscription, chance.randint(1, 3))
    if kind == 1:
        return pause(stripe, subscription)
    others = [name for name in PLATFORMS if name != subscription["metadata"].get("platform")]
    return move_platform(stripe, subscription, chance.choice(others))


def _update(stripe: Stripe, subscription: Object, fields: Fields) -> Object:
    return stripe.post(f"/v1/subscriptions/{subscription['id']}", fields)


def _plan(stripe: Stripe, name: str, amount: int) -> str:
    product = stripe.post("/v1/products", {"name": name})
    price = stripe.post(
        "/v1/prices",
        {
            "product": product["id"],
            "currency": "eur",
            "unit_amount": amount,
            "recurring[interval]": "month",
        },
    )
    return str(price["id"])


def _email(name: str) -> str:
    word = "".join(letter for letter in name.lower() if letter.isalnum())
    return f"billing@{word}.example"
