"""docs/objects.md shows every type, and each link of it leads somewhere."""

import re

from schemas.endpoints import load_ways
from schemas.generate_reviewed import read_reviewed
from schemas.objects import load_catalogue
from stripeline.docs import ROOT
from stripeline.objects_page import objects_page

CATALOGUE = load_catalogue()
PAGE = objects_page(CATALOGUE, load_ways(), read_reviewed().not_stored)
ROWS = dict(re.findall(r"^\| \[`([a-z0-9_.]+)`\]\(#[a-z0-9_]+\) \| (.*) \|$", PAGE, re.MULTILINE))


def test_the_page_in_the_repository_is_what_the_code_says() -> None:
    assert (ROOT / "docs" / "objects.md").read_text(encoding="utf-8") == PAGE, "run `make docs`"


def section(name: str) -> str:
    return PAGE.partition(f"\n### {name}\n")[2].partition("\n### ")[0]


def test_every_type_has_its_row_and_its_section() -> None:
    assert ROWS.keys() == set(CATALOGUE.names())
    for name in CATALOGUE.names():
        assert f"`stripe.{name.replace('.', '_')}`" in section(name)


def test_every_link_leads_to_a_heading() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9_ -]", "", h.lower()).replace(" ", "-") for h in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


def test_every_event_type_and_every_list_is_shown() -> None:
    for event_type in CATALOGUE.event_types():
        known = [name for name in CATALOGUE.event_objects(event_type) if name in ROWS]
        assert all(f"`{event_type}`" in section(name) for name in known)
    for name, ways in load_ways().items():
        assert all(f"`{found.path}`" in section(name) for found in ways.lists)


def test_what_is_hidden_or_has_no_table_is_told_with_its_reason() -> None:
    told = PAGE.partition("## What cannot be had")[2].partition("## One by one")[0]
    for name, ways in load_ways().items():
        for reason in (ways.hidden, ways.unreachable):
            assert not reason or f"| `{name}` | {reason} |" in told
    assert "| `login_link` |" in told


def test_the_marks_tell_a_subscription_from_its_items_and_from_a_price() -> None:
    assert ROWS["subscription"].startswith("`stripe.subscription` | ● 8 | ● |")
    assert ROWS["subscription_item"].startswith(
        "`stripe.subscription_item` | ↑ | - | ↑ `subscription` | ↑ |"
    )
    assert ROWS["price"].startswith("`stripe.price` | ● 3 | ◐ | - | ● |")
    assert ROWS["invoiceitem"].startswith("`stripe.invoiceitem` | ◐ 2 | ● | - | ● |")
