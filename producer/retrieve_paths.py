"""Where each object is retrieved by its id, and what of its body the address is made of.

A test compares every address with the pinned `stripe` package. A type that is not here cannot be
retrieved by id.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote


def retrieve_path(object_name: str, body: Mapping[str, Any]) -> str | None:
    """The address of an object; none if there is none, or the body lacks what it is made of.

    Args:
        object_name: Stripe's name of the type.
        body: the object as it was seen.
    """
    for template in RETRIEVE_PATHS.get(object_name, ()):
        values = {name: _identifier(body.get(name)) for name in _FIELD.findall(template)}
        if all(values.values()):
            return template.format_map(
                {name: quote(value or "", safe="") for name, value in values.items()}
            )
    return None


def _identifier(value: Any) -> str | None:
    """The id in a field that holds an id or the expanded object."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) and found else None


_FIELD: Final = re.compile(r"{(\w+)}")

RETRIEVE_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "account": ("/v1/accounts/{id}",),
    "apple_pay_domain": ("/v1/apple_pay/domains/{id}",),
    "application_fee": ("/v1/application_fees/{id}",),
    "apps.install": ("/v1/apps/installs/{id}",),
    "balance": ("/v1/balance",),
    "balance_settings": ("/v1/balance_settings",),
    "balance_transaction": ("/v1/balance_transactions/{id}",),
    "bank_account": (
        "/v1/customers/{customer}/sources/{id}",
        "/v1/accounts/{account}/external_accounts/{id}",
    ),
    "billing.alert": ("/v1/billing/alerts/{id}",),
    "billing.credit_balance_transaction": ("/v1/billing/credit_balance_transactions/{id}",),
    "billing.credit_grant": ("/v1/billing/credit_grants/{id}",),
    "billing.feedback_option": ("/v1/billing/feedback_options/{id}",),
    "billing.meter": ("/v1/billing/meters/{id}",),
    "billing_portal.configuration": ("/v1/billing_portal/configurations/{id}",),
    "capability": ("/v1/accounts/{account}/capabilities/{id}",),
    "card": (
        "/v1/customers/{customer}/sources/{id}",
        "/v1/accounts/{account}/external_accounts/{id}",
    ),
    "cash_balance": ("/v1/customers/{id}/cash_balance",),
    "charge": ("/v1/charges/{id}",),
    "checkout.session": ("/v1/checkout/sessions/{id}",),
    "climate.order": ("/v1/climate/orders/{id}",),
    "climate.product": ("/v1/climate/products/{id}",),
    "climate.supplier": ("/v1/climate/suppliers/{id}",),
    "confirmation_token": ("/v1/confirmation_tokens/{id}",),
    "country_spec": ("/v1/country_specs/{id}",),
    "coupon": ("/v1/coupons/{id}",),
    "credit_note": ("/v1/credit_notes/{id}",),
    "customer": ("/v1/customers/{id}",),
    "customer_balance_transaction": ("/v1/customers/{customer}/balance_transactions/{id}",),
    "customer_cash_balance_transaction": (
        "/v1/customers/{customer}/cash_balance_transactions/{id}",
    ),
    "dispute": ("/v1/disputes/{id}",),
    "entitlements.active_entitlement": ("/v1/entitlements/active_entitlements/{id}",),
    "entitlements.feature": ("/v1/entitlements/features/{id}",),
    "exchange_rate": ("/v1/exchange_rates/{id}",),
    "fee_refund": ("/v1/application_fees/{fee}/refunds/{id}",),
    "file": ("/v1/files/{id}",),
    "file_link": ("/v1/file_links/{id}",),
    "financial_connections.account": ("/v1/financial_connections/accounts/{id}",),
    "financial_connections.session": ("/v1/financial_connections/sessions/{id}",),
    "financial_connections.transaction": ("/v1/financial_connections/transactions/{id}",),
    "forwarding.request": ("/v1/forwarding/requests/{id}",),
    "identity.verification_report": ("/v1/identity/verification_reports/{id}",),
    "identity.verification_session": ("/v1/identity/verification_sessions/{id}",),
    "invoice": ("/v1/invoices/{id}",),
    "invoice_payment": ("/v1/invoice_payments/{id}",),
    "invoice_rendering_template": ("/v1/invoice_rendering_templates/{id}",),
    "invoiceitem": ("/v1/invoiceitems/{id}",),
    "issuing.authorization": ("/v1/issuing/authorizations/{id}",),
    "issuing.card": ("/v1/issuing/cards/{id}",),
    "issuing.cardholder": ("/v1/issuing/cardholders/{id}",),
    "issuing.dispute": ("/v1/issuing/disputes/{id}",),
    "issuing.personalization_design": ("/v1/issuing/personalization_designs/{id}",),
    "issuing.physical_bundle": ("/v1/issuing/physical_bundles/{id}",),
    "issuing.token": ("/v1/issuing/tokens/{id}",),
    "issuing.transaction": ("/v1/issuing/transactions/{id}",),
    "mandate": ("/v1/mandates/{id}",),
    "payment_attempt_record": ("/v1/payment_attempt_records/{id}",),
    "payment_intent": ("/v1/payment_intents/{id}",),
    "payment_link": ("/v1/payment_links/{id}",),
    "payment_method": ("/v1/payment_methods/{id}",),
    "payment_method_configuration": ("/v1/payment_method_configurations/{id}",),
    "payment_method_domain": ("/v1/payment_method_domains/{id}",),
    "payment_record": ("/v1/payment_records/{id}",),
    "payout": ("/v1/payouts/{id}",),
    "person": ("/v1/accounts/{account}/persons/{id}",),
    "plan": ("/v1/plans/{id}",),
    "price": ("/v1/prices/{id}",),
    "product": ("/v1/products/{id}",),
    "product_catalog.trial_offer": ("/v1/product_catalog/trial_offers/{id}",),
    "promotion_code": ("/v1/promotion_codes/{id}",),
    "quote": ("/v1/quotes/{id}",),
    "radar.early_fraud_warning": ("/v1/radar/early_fraud_warnings/{id}",),
    "radar.value_list": ("/v1/radar/value_lists/{id}",),
    "radar.value_list_item": ("/v1/radar/value_list_items/{id}",),
    "refund": ("/v1/refunds/{id}",),
    "reporting.report_run": ("/v1/reporting/report_runs/{id}",),
    "reporting.report_type": ("/v1/reporting/report_types/{id}",),
    "review": ("/v1/reviews/{id}",),
    "scheduled_query_run": ("/v1/sigma/scheduled_query_runs/{id}",),
    "setup_intent": ("/v1/setup_intents/{id}",),
    "shipping_rate": ("/v1/shipping_rates/{id}",),
    "source": ("/v1/sources/{id}",),
    "subscription": ("/v1/subscriptions/{id}",),
    "subscription_item": ("/v1/subscription_items/{id}",),
    "subscription_schedule": ("/v1/subscription_schedules/{id}",),
    "tax.calculation": ("/v1/tax/calculations/{id}",),
    "tax.location": ("/v1/tax/locations/{id}",),
    "tax.registration": ("/v1/tax/registrations/{id}",),
    "tax.settings": ("/v1/tax/settings",),
    "tax.transaction": ("/v1/tax/transactions/{id}",),
    "tax_code": ("/v1/tax_codes/{id}",),
    "tax_id": ("/v1/tax_ids/{id}",),
    "tax_rate": ("/v1/tax_rates/{id}",),
    "terminal.configuration": ("/v1/terminal/configurations/{id}",),
    "terminal.location": ("/v1/terminal/locations/{id}",),
    "terminal.reader": ("/v1/terminal/readers/{id}",),
    "test_helpers.test_clock": ("/v1/test_helpers/test_clocks/{id}",),
    "three_d_secure.authentication": ("/v1/three_d_secure/authentications/{id}",),
    "token": ("/v1/tokens/{id}",),
    "topup": ("/v1/topups/{id}",),
    "transfer": ("/v1/transfers/{id}",),
    "transfer_reversal": ("/v1/transfers/{transfer}/reversals/{id}",),
    "treasury.credit_reversal": ("/v1/treasury/credit_reversals/{id}",),
    "treasury.debit_reversal": ("/v1/treasury/debit_reversals/{id}",),
    "treasury.financial_account": ("/v1/treasury/financial_accounts/{id}",),
    "treasury.inbound_transfer": ("/v1/treasury/inbound_transfers/{id}",),
    "treasury.outbound_payment": ("/v1/treasury/outbound_payments/{id}",),
    "treasury.outbound_transfer": ("/v1/treasury/outbound_transfers/{id}",),
    "treasury.received_credit": ("/v1/treasury/received_credits/{id}",),
    "treasury.received_debit": ("/v1/treasury/received_debits/{id}",),
    "treasury.transaction": ("/v1/treasury/transactions/{id}",),
    "treasury.transaction_entry": ("/v1/treasury/transaction_entries/{id}",),
    "webhook_endpoint": ("/v1/webhook_endpoints/{id}",),
}
