"""Requests are counted under the address without its ids."""

import pytest

from producer.endpoint_names import endpoint_name


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/v1/customers", "/v1/customers"),
        ("/v1/customers/cus_1", "/v1/customers/{}"),
        ("/v1/customers/cus_1/sources/card_1", "/v1/customers/{}/sources/{}"),
        ("/v1/coupons/summer", "/v1/coupons/{}"),
        ("/v1/coupons/coupons", "/v1/coupons/{}"),
        ("/v1/invoices/in_1/lines", "/v1/invoices/{}/lines"),
        ("/v1/billing/meters", "/v1/billing/meters"),
        ("/v1/something/new", "/v1/something/new"),
    ],
)
def test_an_address_loses_its_ids_and_nothing_else(address: str, name: str) -> None:
    assert endpoint_name(address) == name
