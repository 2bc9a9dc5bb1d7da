"""Balance transactions: what a charge or a refund did to the balance."""

from simulator.parameters import text
from simulator.resource import CREATED, Filter, Resource, equals, fresh
from simulator.resources.periods import DAY_SECONDS
from simulator.session import Session
from simulator.state import Body

PAYOUT_DELAY_SECONDS = 2 * DAY_SECONDS
FEE_FIXED = 30
FEE_PER_THOUSAND = 29


def book(session: Session, source: Body, *, kind: str, amount: int) -> Body:
    """Book `amount` (negative for a refund) of the object `source`; Stripe says no event."""
    fee = amount * FEE_PER_THOUSAND // 1_000 + FEE_FIXED if amount > 0 else 0
    details = {
        "amount": fee,
        "application": None,
        "currency": source["currency"],
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
    body = fresh(session, BALANCE_TRANSACTION, {})
    return session.add(
        {
            **body,
            "amount": amount,
            "available_on": session.now + PAYOUT_DELAY_SECONDS,
            "currency": source["currency"],
            "description": source["description"],
            "fee": fee,
            "fee_details": [details] if fee else [],
            "net": amount - fee,
            "reporting_category": kind,
            "source": source["id"],
            "type": kind,
        }
    )


BALANCE_TRANSACTION = Resource(
    name="balance_transaction",
    path="balance_transactions",
    prefix="txn_",
    blank={
        "amount": 0,
        "available_on": 0,
        "balance_type": "payments",
        "created": 0,
        "currency": None,
        "description": None,
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "net": 0,
        "reporting_category": "charge",
        "source": None,
        "status": "pending",
        "type": "charge",
    },
    filters={
        **CREATED,
        "currency": equals("currency"),
        "source": equals("source"),
        "type": equals("type"),
        "payout": Filter(parser=text, keeps=lambda _body, _asked: False),
    },
)
