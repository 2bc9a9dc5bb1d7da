"""Products and their prices: each can be made inside a request for the other."""

from simulator.errors import Refused, missing_parameter, wrong_parameter
from simulator.parameters import array, boolean, choice, metadata, number, record, text
from simulator.resource import (
    ACTIVE,
    CREATED,
    Filter,
    Resource,
    changes,
    equals,
    fresh,
)
from simulator.resources.price_parameters import PRICE_UPDATABLE, amounts, price_parameters
from simulator.session import Session
from simulator.state import Body

_PRODUCT_WRITABLE = {
    "active": boolean,
    "description": text,
    "images": array(text, items_max=8),
    "marketing_features": array(record({"name": text}), items_max=15),
    "metadata": metadata,
    "name": text,
    "package_dimensions": record(
        {"height": number, "length": number, "weight": number, "width": number}
    ),
    "shippable": boolean,
    "statement_descriptor": text,
    "tax_code": text,
    "unit_label": text,
    "url": text,
}


def create_product(session: Session, given: Body) -> Body:
    """Make a product, and its default price where `default_price_data` is given."""
    identifier = given.pop("id", None) or ""
    if identifier and session.find("product", identifier) is not None:
        raise Refused("Product already exists.", code="resource_already_exists", parameter="id")
    price = given.pop("default_price_data", None)
    body = fresh(session, PRODUCT, given, identifier=identifier)
    body["updated"] = session.now
    session.add(body, event="product.created")
    if price is not None:
        made = create_price(session, {**price, "product": body["id"]})
        body = _change_product(session, body, {"default_price": made["id"]})
    return body


def _update_product(session: Session, body: Body, given: Body) -> Body:
    if given.get("default_price") is not None:
        session.get("price", given["default_price"], parameter="default_price")
    return _change_product(session, body, changes(body, given))


def _change_product(session: Session, body: Body, made: Body) -> Body:
    if {**body, **made} == body:
        return body
    return session.change(body, {**made, "updated": session.now}, event="product.updated")


def _delete_product(session: Session, body: Body, _given: Body) -> Body:
    if session.belonging("price", "product", body["id"]):
        raise Refused(
            "This product cannot be deleted because it has one or more user-created prices."
        )
    return session.remove(body, event="product.deleted")


PRODUCT = Resource(
    name="product",
    path="products",
    prefix="prod_",
    length=14,
    blank={
        "active": True,
        "created": 0,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": None,
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "tax_details": None,
        "type": "service",
        "unit_label": None,
        "updated": 0,
        "url": None,
    },
    create=create_product,
    creatable={
        **_PRODUCT_WRITABLE,
        "id": text,
        "type": choice("good", "service"),
        "default_price_data": record(
            {name: parser for name, parser in price_parameters().items() if name != "product"}
        ),
    },
    required=("name",),
    update=_update_product,
    updatable={**_PRODUCT_WRITABLE, "default_price": text},
    delete=_delete_product,
    filters={
        **ACTIVE,
        **CREATED,
        "ids": Filter(parser=array(text), keeps=lambda body, asked: body["id"] in asked),
        "shippable": equals("shippable", parser=boolean),
        "type": equals("type"),
        "url": equals("url"),
    },
    references={"default_price": "price", "tax_code": "tax_code"},
)


def create_price(session: Session, given: Body, *, listed: bool = True) -> Body:
    """Make a price; one that was made inside another request is not `listed`."""
    if not given.get("currency"):
        raise missing_parameter("currency")
    given = {**given, "currency": given["currency"].lower()}
    transfer = given.pop("transfer_lookup_key", False)
    product = _product(session, given)
    tiers = given.pop("tiers", None)
    body = fresh(session, PRICE, {**given, **amounts(given), "product": product})
    if given.get("recurring") is not None:
        interval = given["recurring"].get("interval")
        if interval is None:
            raise missing_parameter("recurring[interval]")
        unset = {"interval_count": 1, "meter": None, "trial_period_days": None}
        body["recurring"] = unset | {"usage_type": "licensed"} | given["recurring"]
        body["type"] = "recurring"
    if body["custom_unit_amount"] is not None:
        asked = body["custom_unit_amount"]
        names = ("maximum", "minimum", "preset")
        body["custom_unit_amount"] = {name: asked.get(name) for name in names}
    _take_lookup_key(session, body, transfer=bool(transfer))
    session.add(body, event="price.created", listed=listed)
    if tiers is not None:
        session.world.aside[body["id"]] = tiers
    return body


def _product(session: Session, given: Body) -> str:
    inline = given.pop("product_data", None)
    if inline is not None:
        return str(create_product(session, inline)["id"])
    if not given.get("product"):
        raise missing_parameter("product")
    return str(session.get("product", given["product"], parameter="product")["id"])


def _take_lookup_key(session: Session, body: Body, *, transfer: bool) -> None:
    key = body["lookup_key"]
    if key is None:
        return
    for other in session.world.state["price"].newest_first():
        if other["lookup_key"] == key and other["id"] != body["id"]:
            if not transfer:
                raise wrong_parameter(
                    "lookup_key", f"A price (`{other['id']}`) already uses that lookup key."
                )
            session.change(other, {"lookup_key": None}, event="price.updated")
            return


def _update_price(session: Session, body: Body, given: Body) -> Body:
    transfer = given.pop("transfer_lookup_key", False)
    changed = session.change(body, changes(body, given), event="price.updated")
    _take_lookup_key(session, changed, transfer=bool(transfer))
    return changed


def _recurring_matches(body: Body, asked: Body) -> bool:
    recurring = body["recurring"]
    return recurring is not None and all(recurring[name] == value for name, value in asked.items())


PRICE = Resource(
    name="price",
    path="prices",
    prefix="price_",
    blank={
        "active": True,
        "billing_scheme": "per_unit",
        "created": 0,
        "currency": None,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": None,
        "recurring": None,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": None,
        "unit_amount_decimal": None,
    },
    create=create_price,
    creatable={
        **price_parameters(),
        "product_data": record(
            {
                "active": boolean,
                "id": text,
                "metadata": metadata,
                "name": text,
                "statement_descriptor": text,
                "tax_code": text,
                "unit_label": text,
            }
        ),
    },
    required=("currency",),
    update=_update_price,
    updatable=PRICE_UPDATABLE,
    filters={
        **ACTIVE,
        **CREATED,
        "currency": equals("currency"),
        "lookup_keys": Filter(
            parser=array(text, items_max=10),
            keeps=lambda body, asked: body["lookup_key"] in asked,
        ),
        "product": equals("product"),
        "recurring": Filter(
            parser=record({"interval": text, "meter": text, "usage_type": text}),
            keeps=_recurring_matches,
        ),
        "type": equals("type"),
    },
    hides=lambda _session, body, asked: "active" not in asked and not body["active"],
    references={"product": "product"},
    included={
        "currency_options": lambda _session, body: {
            body["currency"]: {
                "custom_unit_amount": body["custom_unit_amount"],
                "tax_behavior": body["tax_behavior"],
                "unit_amount": body["unit_amount"],
                "unit_amount_decimal": body["unit_amount_decimal"],
            }
        },
        "tiers": lambda session, body: session.world.aside.get(body["id"]),
    },
)
