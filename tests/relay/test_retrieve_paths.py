"""The addresses of single objects, against the pinned package's own."""

import re
from pathlib import Path

import stripe

from schemas.endpoints import load_ways
from schemas.retrieve_paths import retrieve_path


def test_every_address_is_one_that_the_package_retrieves_from() -> None:
    folder = Path(stripe.__file__).parent
    sources = [path.read_text() for path in folder.rglob("*_service.py")]
    known = {
        _shape(address)
        for source in sources
        for address in re.findall(r'"get",\s+"(/v1/[^"]+)"', source)
    }
    ours = {_shape(address) for ways in load_ways().values() for address in ways.retrieve}
    assert len(ours) > 100
    assert ours <= known


def test_an_address_is_made_of_what_the_body_has() -> None:
    person = {"id": "person_1", "account": {"id": "acct_1"}}
    assert retrieve_path("person", person) == "/v1/accounts/acct_1/persons/person_1"
    cash_balance = {"object": "cash_balance", "customer": "cus_1"}
    assert retrieve_path("cash_balance", cash_balance) == "/v1/customers/cus_1/cash_balance"
    card = {"id": "card_1", "customer": None, "account": "acct_1"}
    assert retrieve_path("card", card) == "/v1/accounts/acct_1/external_accounts/card_1"
    assert retrieve_path("coupon", {"id": "50% off/?"}) == "/v1/coupons/50%25%20off%2F%3F"


def test_what_cannot_be_retrieved_has_no_address() -> None:
    assert retrieve_path("line_item", {"id": "il_1"}) is None
    assert retrieve_path("some.new_thing", {"id": "new_1"}) is None
    assert retrieve_path("person", {"id": "person_1"}) is None


def _shape(address: str) -> str:
    return re.sub(r"{\w+}", "{}", address.partition("?")[0])
