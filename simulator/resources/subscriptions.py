"""Subscriptions: made, changed, paused, resumed and cancelled."""

from typing import Any

from simulator.agenda import Due
from simulator.errors import Refused, no_such
from simulator.form import Raw
from simulator.parameters import (
    anything,
    array,
    boolean,
    choice,
    integer,
    metadata,
    moment,
    number,
    parse,
    record,
    text,
)
from simulator.resource import (
    CREATED,
    Action,
    Filter,
    Resource,
    changes,
    equals,
    fresh,
    in_range,
    within,
)
from simulator.resources.billing import begin, bill_now
from simulator.resources.discounts import discount_parameters, discounts_for
from simulator.resources.periods import DAY_SECONDS
from simulator.resources.subscription_items import (
    ITEM_CHANGE,
    ITEMS_MAX,
    NEW_ITEM,
    add_item,
    change_items,
    end_of_period,
)
from simulator.resources.subscription_states import cancel, embedded_items, update
from simulator.routing import Route
from simulator.session import Session
from simulator.state import Body

TRIAL_WARNING_SECONDS = 3 * DAY_SECONDS

_DETAILS = record({"comment": text, "feedback": text, "feedback_option": text})
_WRITABLE = {
    "application_fee_percent": number,
    "automatic_tax": record({"enabled": boolean, "liability": anything}),
    "billing_thresholds": anything,
    "cancel_at": integer,
    "cancel_at_period_end": boolean,
    "collection_method": choice("charge_automatically", "send_invoice"),
    "days_until_due": integer,
    "default_payment_method": text,
    "default_source": text,
    "default_tax_rates": array(text),
    "description": text,
    "discounts": array(discount_parameters()),
    "invoice_settings": anything,
    "metadata": metadata,
    "on_behalf_of": text,
    "payment_settings": record(
        {
            "payment_method_options": anything,
            "payment_method_types": array(text),
            "save_default_payment_method": choice("off", "on_subscription"),
        }
    ),
    "pending_invoice_item_interval": record({"interval": text, "interval_count": integer}),
    "transfer_data": record({"amount_percent": number, "destination": text}, whole=True),
    "trial_settings": record(
        {
            "end_behavior": record(
                {"missing_payment_method": choice("cancel", "create_invoice", "pause")}
            )
        }
    ),
}
_BILLING = {
    "add_invoice_items": array(anything),
    "off_session": boolean,
    "payment_behavior": choice(
        "allow_incomplete",
        "default_incomplete",
        "error_if_incomplete",
        "pending_if_incomplete",
    ),
    "proration_behavior": choice("always_invoice", "create_prorations", "none"),
    "proration_date": integer,
    "trial_end": moment("now"),
    "trial_from_plan": boolean,
}
_CREATABLE = {
    **_WRITABLE,
    **_BILLING,
    "billing_cycle_anchor": integer,
    "billing_mode": record({"type": choice("classic", "flexible"), "flexible": anything}),
    "currency": text,
    "customer": text,
    "items": array(NEW_ITEM, items_max=ITEMS_MAX),
    "trial_period_days": integer,
}
_UPDATABLE = {
    **_WRITABLE,
    **_BILLING,
    "billing_cycle_anchor": choice("now", "unchanged"),
    "cancellation_details": _DETAILS,
    "items": array(ITEM_CHANGE, items_max=ITEMS_MAX),
    "pause_collection": record(
        {"behavior": choice("keep_as_draft", "mark_uncollectible", "void"), "resumes_at": integer},
        whole=True,
    ),
}
_ALLOWED_WHEN_CANCELED = frozenset({"cancellation_details", "metadata"})


def _create(session: Session, given: Body) -> Body:
    customer = session.get("customer", given["customer"], parameter="customer")
    items = given.pop("items")
    if not items:
        raise Refused("You must pass at least one item.", parameter="items")
    asked = {name: given.pop(name) for name in _BILLING if name in given}
    days = given.pop("trial_period_days", None)
    trial_end = asked.get("trial_end") or (days and session.now + days * DAY_SECONDS) or None
    if trial_end == "now":
        trial_end = None
    if trial_end is not None and trial_end <= session.now:
        raise Refused(
            "Timestamp must be an integer Unix timestamp in the future.", parameter="trial_end"
        )
    discounts = given.pop("discounts", [])
    anchor = given.pop("billing_cycle_anchor", None) or trial_end or session.now
    _check_method(session, given)
    body = fresh(session, SUBSCRIPTION, given)
    body |= {"billing_cycle_anchor": anchor, "start_date": session.now}
    if trial_end is not None:
        body |= {"status": "trialing", "trial_end": trial_end, "trial_start": session.now}
    body["currency"] = _add_items(session, body, items, customer)
    body["items"] = embedded_items(session, body["id"])
    body["discounts"] = discounts_for(session, discounts, owner=body)
    body |= _cancelling(session, body, given)
    session.add(body)
    body = begin(session, body, customer, behavior=asked.get("payment_behavior"))
    _note(session, body)
    return body


def _add_items(session: Session, body: Body, items: list[Body], customer: Body) -> str:
    """Store the items of a new subscription; its currency."""
    first = None
    for place, item in enumerate(items):
        name = f"items[{place}]"
        start, end = session.now, body["trial_end"] or session.now
        stored = add_item(session, body["id"], item, name=name, start=start, end=end)
        price = stored["price"]
        if body["trial_end"] is None:
            end = end_of_period(price, anchor=body["billing_cycle_anchor"], start=start)
            session.change(stored, {"current_period_end": end})
        if first is not None and price["currency"] != first["currency"]:
            raise Refused(
                "All prices on a subscription must have the same currency.", parameter=name
            )
        first = first or price
    assert first is not None
    if customer["currency"] not in (None, first["currency"]):
        raise Refused("You cannot combine currencies on a single customer.", parameter="currency")
    if customer["currency"] is None:
        session.change(customer, {"currency": first["currency"]}, event="customer.updated")
    return str(first["currency"])


def _check_method(session: Session, given: Body) -> None:
    method = given.get("default_payment_method")
    if method is not None:
        session.get("payment_method", method, parameter="default_payment_method")


def _cancelling(session: Session, body: Body, given: Body) -> dict[str, Any]:
    """What asking for, or taking back, a cancellation in the future changes."""
    if given.get("cancel_at_period_end"):
        at: int | None = min(item["current_period_end"] for item in body["items"]["data"])
    elif "cancel_at" in given:
        at = given["cancel_at"]
    elif given.get("cancel_at_period_end") is False:
        at = None
    else:
        return {}
    details = {**body["cancellation_details"], "reason": at and "cancellation_requested"}
    return {
        "cancel_at": at,
        "cancel_at_period_end": bool(given.get("cancel_at_period_end")),
        "canceled_at": at and session.now,
        "cancellation_details": details,
    }


def _note(session: Session, body: Body) -> None:
    """Put into the agenda what the subscription's times say; also after a change of them."""
    if body["status"] == "trialing":
        warned_at = max(body["trial_end"] - TRIAL_WARNING_SECONDS, session.now)
        session.note(at=warned_at, due=Due.TRIAL_WILL_END, identifier=body["id"])
        session.note(at=body["trial_end"], due=Due.TRIAL_ENDS, identifier=body["id"])
    if body["cancel_at"] is not None:
        session.note(at=body["cancel_at"], due=Due.CANCELS, identifier=body["id"])
    pause = body["pause_collection"]
    if pause is not None and pause["resumes_at"] is not None:
        session.note(at=pause["resumes_at"], due=Due.PAUSE_ENDS, identifier=body["id"])


def _update(session: Session, body: Body, given: Body) -> Body:
    if (
        body["status"] in {"canceled", "incomplete_expired"}
        and set(given) - _ALLOWED_WHEN_CANCELED
    ):
        raise Refused(
            "A canceled subscription can only update its cancellation_details and metadata."
        )
    _check_method(session, given)
    asked = {name: given.pop(name) for name in _BILLING if name in given}
    given.pop("billing_cycle_anchor", None)
    if "discounts" in given:
        given["discounts"] = discounts_for(session, given["discounts"], owner=body)
    items = given.pop("items", [])
    if items:
        change_items(session, body, items)
    made = changes(body, given)
    made["items"] = embedded_items(session, body["id"])
    made |= _cancelling(session, {**body, **made}, given)
    if "trial_end" in asked:
        return _move_trial(session, body, made, asked["trial_end"])
    changed = update(session, body, made)
    _note(session, changed)
    return changed


def _move_trial(session: Session, body: Body, made: Body, asked: int | str | None) -> Body:
    """End the trial now, or at another time."""
    end = session.now if asked in ("now", None) else int(asked or 0)
    if end < session.now:
        raise Refused("Timestamp must be in the future.", parameter="trial_end")
    made |= {"trial_end": end, "trial_start": body["trial_start"] or session.now}
    if end == session.now:
        return bill_now(session, body, made)
    for item in session.belonging("subscription_item", "subscription", body["id"]):
        session.change(item, {"current_period_end": end})
    items = embedded_items(session, body["id"])
    more = {"billing_cycle_anchor": end, "items": items, "status": "trialing"}
    changed = update(session, body, {**made, **more})
    _note(session, changed)
    return changed


def _cancel(session: Session, body: Body, given: Body) -> Body:
    if body["status"] in {"canceled", "incomplete_expired"}:
        raise no_such("subscription", body["id"])
    return cancel(session, body, details=given.get("cancellation_details"))


def _resume(session: Session, body: Body, _given: Body) -> Body:
    if body["status"] != "paused":
        raise Refused("Only a paused subscription can be resumed.")
    resumed = bill_now(session, body, {})
    session.say("customer.subscription.resumed", resumed)
    return resumed


def discount_routes() -> list[Route]:
    """`DELETE /v1/subscriptions/{id}/discount`."""
    path = "/v1/subscriptions/{id}/discount"
    return [Route(method="DELETE", path=path, handler=_delete_discounts)]


def _delete_discounts(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    parse(raw, {})
    body = session.get("subscription", ids[0])
    had = list(body["discounts"])
    discounts = discounts_for(session, [], owner=body)
    update(session, body, {"discounts": discounts})
    return {"id": had[0] if had else None, "object": "discount", "deleted": True}


def _hides(_session: Session, body: Body, asked: Body) -> bool:
    """Canceled ones are left out unless a status was asked for."""
    status = asked.get("status")
    if status is None:
        return bool(body["status"] == "canceled")
    if status == "ended":
        return body["status"] not in {"canceled", "incomplete_expired"}
    return status != "all" and bool(body["status"] != status)


def _has_price(body: Body, asked: str) -> bool:
    return any(item["price"]["id"] == asked for item in body["items"]["data"])


def _period(name: str, choose: Any) -> Filter:
    return Filter(
        parser=within("created").parser,
        keeps=lambda body, asked: in_range(
            choose(item[name] for item in body["items"]["data"]), asked
        ),
    )


SUBSCRIPTION = Resource(
    name="subscription",
    path="subscriptions",
    prefix="sub_",
    blank={
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": 0,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": None, "type": "classic"},
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {
            "comment": None,
            "feedback": None,
            "feedback_option": None,
            "reason": None,
        },
        "collection_method": "charge_automatically",
        "created": 0,
        "currency": None,
        "customer": None,
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "items": None,
        "latest_invoice": None,
        "livemode": False,
        "managed_payments": None,
        "metadata": {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "presentment_details": None,
        "schedule": None,
        "start_date": 0,
        "status": "active",
        "status_details": None,
        "test_clock": None,
        "transfer_data": None,
        "trial_end": None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": None,
    },
    create=_create,
    creatable=_CREATABLE,
    required=("customer", "items"),
    update=_update,
    updatable=_UPDATABLE,
    delete=_cancel,
    deletable={"cancellation_details": _DETAILS, "invoice_now": boolean, "prorate": boolean},
    actions={
        "resume": Action(
            run=_resume,
            parameters={
                "billing_cycle_anchor": choice("now", "unchanged"),
                "proration_behavior": text,
                "proration_date": integer,
            },
        )
    },
    filters={
        **CREATED,
        "collection_method": equals("collection_method"),
        "current_period_end": _period("current_period_end", min),
        "current_period_start": _period("current_period_start", max),
        "customer": equals("customer"),
        "price": Filter(parser=text, keeps=_has_price),
        "status": Filter(parser=text, keeps=lambda _body, _asked: True),
    },
    hides=_hides,
    references={
        "customer": "customer",
        "default_payment_method": "payment_method",
        "discounts": "discount",
        "latest_invoice": "invoice",
        "pending_setup_intent": "setup_intent",
        "schedule": "subscription_schedule",
    },
)
