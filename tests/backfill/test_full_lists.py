"""An object's embedded lists are read to their end, and nothing else of it changes."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from producer.errors import StripeRefused
from producer.full_lists import (
    BEGINNINGS_MAX,
    completed,
    is_truncated,
    truncated_address,
)
from producer.stripe_api import Page


class Lists:
    """Lists by their address, read page by page."""

    def __init__(
        self,
        lists: Mapping[str, list[dict[str, Any]]],
        *,
        page_size: int = 100,
        deletes: int = 0,
    ) -> None:
        """Pages of lists.

        Args:
            lists: elements by address.
            page_size: of each page.
            deletes: how often the last element of a first page is deleted once it was shown.
        """
        self._lists = lists
        self._page_size = page_size
        self._deletes = deletes
        self.asked: list[tuple[str, dict[str, str]]] = []

    def read_page(self, address: str, parameters: Mapping[str, str]) -> Page:
        self.asked.append((address, dict(parameters)))
        elements = self._lists[address]
        ids = [element["id"] for element in elements]
        after = parameters.get("starting_after")
        if after and after not in ids:
            raise StripeRefused("bad_request", said=f"No such element: {after}")
        start = ids.index(after) + 1 if after else 0
        shown = elements[start : start + self._page_size]
        if not after and self._deletes:
            self._deletes -= 1
            elements.remove(shown[-1])
        return Page(
            items=tuple(json.dumps(element).encode() for element in shown),
            last_id=shown[-1]["id"] if shown else "",
            has_more=start + self._page_size < len(elements),
            observed_second=1,
        )


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"id": f"il_{number}"} for number in range(count)]


def envelope(elements: list[dict[str, Any]], *, has_more: bool, url: Any = "/v1/l") -> Any:
    return {"object": "list", "data": elements, "has_more": has_more, "url": url}


def test_an_object_whose_lists_are_whole_stays_as_it_is_byte_for_byte() -> None:
    body = b'{"id" :"in_1", "lines": {"object":"list","data":[{"id":"il_1"}], "has_more" : false}}'

    assert completed(body, Lists({}).read_page) is body


def test_a_text_that_speaks_of_a_list_is_no_list() -> None:
    body = json.dumps({"id": "cus_1", "description": '"has_more": true'}).encode()

    assert not is_truncated(body)


@pytest.mark.parametrize("count", [11, 100, 250])
def test_a_truncated_list_is_read_to_its_end(count: int) -> None:
    body = {"id": "in_1", "lines": envelope(numbered(10), has_more=True), "total": 12.50}
    lists = Lists({"/v1/l": numbered(count)})

    whole = json.loads(completed(json.dumps(body, indent=2).encode(), lists.read_page))

    assert whole == {
        "id": "in_1",
        "lines": envelope(numbered(count), has_more=False),
        "total": 12.5,
    }
    assert not is_truncated(json.dumps(whole).encode())
    assert all(parameters["limit"] == "100" for _, parameters in lists.asked)


def test_what_lies_beside_a_truncated_list_stays_as_stripe_sent_it() -> None:
    body = (
        b'{"odd": 1.2300, "big": 123456789012345678901234567890, "text": "\\u00e9",'
        b' "lines": {"object": "list", "has_more": true, "data": [], "url": "/v1/l"}}'
    )

    whole = completed(body, Lists({"/v1/l": numbered(1)}).read_page)

    for kept in (b"1.2300", b"123456789012345678901234567890", b'"\\u00e9"'):
        assert kept in whole


def test_lists_deep_inside_and_inside_the_elements_of_lists_are_read_too() -> None:
    upfront = envelope(numbered(1), has_more=True, url="/v1/outer")
    body = {"id": "qt_1", "computed": [{"upfront": {"line_items": upfront}}]}
    outer = [{"id": "il_1", "taxes": envelope([], has_more=True, url="/v1/inner")}]

    whole = json.loads(
        completed(
            json.dumps(body).encode(),
            Lists({"/v1/outer": outer, "/v1/inner": numbered(3)}).read_page,
        )
    )

    found = whole["computed"][0]["upfront"]["line_items"]
    assert found["data"][0]["taxes"]["data"] == numbered(3)


@pytest.mark.parametrize("url", [None, "", "https://elsewhere.example/v1/l", "@elsewhere.example"])
def test_a_list_without_an_address_of_stripes_api_is_refused(url: Any) -> None:
    body = json.dumps({"id": "in_1", "lines": envelope([], has_more=True, url=url)}).encode()

    with pytest.raises(StripeRefused):
        completed(body, Lists({}).read_page)


@pytest.mark.parametrize("deletes", [1, 2])
def test_a_list_whose_element_is_deleted_while_it_is_read_is_read_from_its_beginning(
    deletes: int,
) -> None:
    body = {"id": "in_1", "lines": envelope([], has_more=True)}
    lists = Lists({"/v1/l": numbered(250)}, deletes=deletes)

    whole = json.loads(completed(json.dumps(body).encode(), lists.read_page))

    gone = [f"il_{99 + number}" for number in range(deletes)]
    assert [element["id"] for element in whole["lines"]["data"]] == [
        element["id"] for element in numbered(250) if element["id"] not in gone
    ]


def test_a_list_that_changes_each_time_is_refused_in_the_end() -> None:
    body = json.dumps({"id": "in_1", "lines": envelope([], has_more=True)}).encode()
    lists = Lists({"/v1/l": numbered(250)}, deletes=1_000)

    with pytest.raises(StripeRefused, match="bad_request"):
        completed(body, lists.read_page)
    assert len(lists.asked) == 2 * BEGINNINGS_MAX


def test_a_list_that_may_not_be_read_is_asked_for_once() -> None:
    body = json.dumps({"id": "in_1", "lines": envelope([], has_more=True)}).encode()
    asked: list[str] = []

    def read_page(address: str, _parameters: Mapping[str, str]) -> Page:
        asked.append(address)
        raise StripeRefused("forbidden")

    with pytest.raises(StripeRefused):
        completed(body, read_page)
    assert asked == ["/v1/l"]


def test_where_a_truncated_list_goes_on_is_told() -> None:
    whole, cut = envelope([], has_more=False, url="/v1/a"), envelope([], has_more=True)
    body = json.dumps({"id": "in_1", "discounts": whole, "lines": cut}).encode()

    assert truncated_address(body) == "/v1/l"
    assert truncated_address(b'{"id": "in_1"}') == ""


def test_the_address_is_that_of_the_list_that_is_read_first() -> None:
    inner = envelope([], has_more=True, url="/v1/inner")
    outer = envelope([{"id": "il_1", "taxes": inner}], has_more=True, url="/v1/outer")
    body = json.dumps({"id": "qt_1", "computed": [{"upfront": {"line_items": outer}}]}).encode()
    lists = Lists({"/v1/outer": numbered(1), "/v1/inner": numbered(1)})

    completed(body, lists.read_page)

    assert truncated_address(body) == lists.asked[0][0] == "/v1/inner"
