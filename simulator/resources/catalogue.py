"""Every resource and every endpoint that is written by hand."""

from collections.abc import Mapping

from simulator.resource import Resource
from simulator.resources.account_routes import account_routes
from simulator.resources.accounts import ACCOUNT
from simulator.resources.balance_transactions import BALANCE_TRANSACTION
from simulator.resources.capabilities import CAPABILITY
from simulator.resources.charges import CHARGE
from simulator.resources.coupons import COUPON
from simulator.resources.customers import CUSTOMER
from simulator.resources.discounts import DISCOUNT
from simulator.resources.event_destinations import destination_routes
from simulator.resources.events import event_routes
from simulator.resources.external_accounts import BANK_ACCOUNT, EXTERNAL_CARD
from simulator.resources.invoice_items import INVOICEITEM
from simulator.resources.invoice_lines import LINE_ITEM, line_routes
from simulator.resources.invoice_payments import INVOICE_PAYMENT
from simulator.resources.invoices import INVOICE
from simulator.resources.payment_intents import PAYMENT_INTENT
from simulator.resources.payment_methods import PAYMENT_METHOD
from simulator.resources.persons import PERSON
from simulator.resources.products import PRICE, PRODUCT
from simulator.resources.promotion_codes import PROMOTION_CODE
from simulator.resources.refunds import REFUND
from simulator.resources.subscription_items import SUBSCRIPTION_ITEM
from simulator.resources.subscriptions import SUBSCRIPTION, discount_routes
from simulator.resources.thin_events import thin_event_routes
from simulator.resources.webhook_endpoints import WEBHOOK_ENDPOINT
from simulator.routing import Route, nested_list, routes_of

ENDPOINTS: tuple[Resource, ...] = (
    ACCOUNT,
    BALANCE_TRANSACTION,
    CHARGE,
    COUPON,
    CUSTOMER,
    INVOICE,
    INVOICE_PAYMENT,
    INVOICEITEM,
    PAYMENT_INTENT,
    PAYMENT_METHOD,
    PRICE,
    PRODUCT,
    PROMOTION_CODE,
    REFUND,
    SUBSCRIPTION,
    SUBSCRIPTION_ITEM,
    WEBHOOK_ENDPOINT,
)
UNDER_ACCOUNTS: tuple[Resource, ...] = (BANK_ACCOUNT, CAPABILITY, EXTERNAL_CARD, PERSON)
RESOURCES: tuple[Resource, ...] = (*ENDPOINTS, *UNDER_ACCOUNTS, DISCOUNT, LINE_ITEM)
"""Also the ones that are only seen inside others."""


def all_routes(resources: Mapping[str, Resource]) -> list[Route]:
    """Every endpoint that is written by hand.

    Args:
        resources: the resources by name, with what they have beside what is written here.
    """
    routes = [route for one in ENDPOINTS for route in routes_of(resources[one.name])]
    nested = [
        nested_list(
            resources["payment_method"],
            parent="customer",
            path="/v1/customers/{id}/payment_methods",
            field="customer",
        ),
        nested_list(
            resources["refund"],
            parent="charge",
            path="/v1/charges/{id}/refunds",
            field="charge",
        ),
    ]
    return [
        *routes,
        *nested,
        *line_routes(),
        *event_routes(),
        *thin_event_routes(),
        *destination_routes(),
        *account_routes(),
        *discount_routes(),
    ]
