"""Every resource and every endpoint that the simulator has."""

from simulator.resource import Resource
from simulator.resources.customers import CUSTOMER
from simulator.resources.events import event_routes
from simulator.resources.payment_methods import PAYMENT_METHOD
from simulator.resources.products import PRICE, PRODUCT
from simulator.resources.subscription_items import SUBSCRIPTION_ITEM
from simulator.resources.subscriptions import SUBSCRIPTION
from simulator.routing import Route, routes_of

RESOURCES: tuple[Resource, ...] = (
    CUSTOMER,
    PRODUCT,
    PRICE,
    PAYMENT_METHOD,
    SUBSCRIPTION,
    SUBSCRIPTION_ITEM,
)


def all_routes() -> list[Route]:
    """Every endpoint under `/v1`."""
    routes = [route for resource in RESOURCES for route in routes_of(resource)]
    return routes + event_routes()
