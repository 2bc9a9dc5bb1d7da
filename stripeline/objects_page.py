"""docs/objects.md: every object type, its topic and table, and the ways in which it is had."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from schemas.columns import PARENT_ID, PARENT_SOURCE
from schemas.endpoints import ListEndpoint, Ways
from schemas.objects import Catalogue, ObjectType
from schemas.topics import Names

ALL: Final = "●"
SOME: Final = "◐"
NONE: Final = "-"
ABOVE: Final = "↑"

USUAL: Final = (
    "customer",
    "product",
    "price",
    "subscription",
    "subscription_item",
    "invoice",
    "line_item",
    "invoiceitem",
    "payment_intent",
    "payment_method",
    "charge",
    "refund",
    "checkout.session",
    "coupon",
    "promotion_code",
    "tax_id",
    "dispute",
    "payout",
    "balance_transaction",
)
"""What most merchants have, shown first."""

HEAD: Final = (
    "Object",
    "Topic, and table",
    "Events",
    "List",
    "By parent",
    "Retrieve",
    "Child tables",
    "Writable",
)
ALIGNED: Final = ("---", "---", ":-:", ":-:", "---", ":-:", "---", ":-:")


def objects_page(
    catalogue: Catalogue, ways: Mapping[str, Ways], not_stored: Mapping[str, str]
) -> str:
    """The page in Markdown.

    Args:
        not_stored: types without a table, and why.
    """
    usual = [catalogue.get(name) for name in USUAL]
    others = [found for found in catalogue if found.name not in USUAL]
    lines = [
        *_INTRODUCTION,
        "",
        "## What most merchants have",
        "",
        *_glance(usual, ways),
        "",
        "## Everything else",
        "",
        *_glance(others, ways),
        "",
        *_cannot_be_had(ways, not_stored),
        "",
        "## One by one",
    ]
    for found in catalogue:
        lines += ["", *_section(found, ways)]
    return "\n".join(lines) + "\n"


def _glance(types: Sequence[ObjectType], ways: Mapping[str, Ways]) -> Iterator[str]:
    for cells in (HEAD, ALIGNED, *(_cells(found, ways) for found in types)):
        yield f"| {' | '.join(cells)} |"


def _cells(found: ObjectType, all_ways: Mapping[str, Ways]) -> tuple[str, ...]:
    ways = all_ways[found.name]
    owners = [f"{ABOVE} `{name}`" for name in _owners(found.name, all_ways)]
    parents = owners or [f"`{name}`" for name in _parents(ways)]
    return (
        f"[`{found.name}`](#{_anchor(found.name)})",
        f"`{_topic(found)}`",
        ABOVE if owners else _events_mark(found, ways),
        _list_mark(ways),
        ", ".join(parents) or NONE,
        _retrieve_mark(ways, owned=bool(owners)),
        ", ".join(f"`{name}`" for name in _child_tables(ways)) or NONE,
        str(len(ways.writable)) if ways.writable else NONE,
    )


def _events_mark(found: ObjectType, ways: Ways) -> str:
    if not found.event_types:
        return NONE
    return f"{ALL if ways.events_complete else SOME} {len(found.event_types)}"


def _list_mark(ways: Ways) -> str:
    if not any(not found.parent for found in ways.lists):
        return NONE
    return SOME if ways.hidden else ALL


def _retrieve_mark(ways: Ways, *, owned: bool) -> str:
    if not ways.retrieve:
        return NONE
    # One that came alone would have a second writer, and is dropped.
    return ABOVE if owned else ALL


def _parents(ways: Ways) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found.parent for found in ways.lists if found.parent))


def _owners(name: str, ways: Mapping[str, Ways]) -> tuple[str, ...]:
    """The types that alone show the objects of this one."""
    return tuple(
        parent
        for parent, found in ways.items()
        if any(child.owned and child.object_name == name for child in found.children)
    )


def _child_tables(ways: Ways) -> tuple[str, ...]:
    return tuple(dict.fromkeys(child.object_name for child in ways.children))


def _topic(found: ObjectType) -> str:
    return Names().object_topic(found.name)


def _anchor(name: str) -> str:
    """As the heading of a section is linked to."""
    return re.sub(r"[^a-z0-9_-]", "", name)


def _section(found: ObjectType, ways: Mapping[str, Ways]) -> Iterator[str]:
    yield f"### {found.name}"
    yield ""
    yield f"| Topic, and table | `{_topic(found)}` |"
    yield "| --- | --- |"
    for title, text in _facts(found, ways):
        if text:
            yield f"| {title} | {text} |"


def _facts(found: ObjectType, all_ways: Mapping[str, Ways]) -> Iterator[tuple[str, str]]:
    ways, owners = all_ways[found.name], _owners(found.name, all_ways)
    yield "Part of", ", ".join(f"`{owner}`" for owner in owners)
    yield "Webhook, poll", ", ".join(f"`{event}`" for event in found.event_types)
    yield "No event tells", ways.untold
    yield "List", "<br>".join(_list_text(one) for one in ways.lists if not one.parent)
    yield "By parent", "<br>".join(_list_text(one) for one in ways.lists if one.parent)
    yield "No list shows", ways.hidden
    retrieved = () if owners else ways.retrieve
    yield "Retrieve", "<br>".join(f"`{_without_query(path)}`" for path in retrieved)
    yield "Neither list nor retrieve", ways.unreachable
    yield "Children", "<br>".join(_children_texts(ways))
    yield "Writable columns", ", ".join(f"`{column}`" for column in ways.writable)


def _list_text(found: ListEndpoint) -> str:
    readings = [
        " and ".join(f"`{name}={value}`" for name, value in reading.items())
        for reading in found.passes
    ]
    text = f"`{found.path}`"
    if any(readings):
        text += f" with {', then '.join(reading or 'nothing' for reading in readings)}"
    if found.parent:
        text += f", for each `{found.parent}`"
    if found.only_parents_with:
        text += f" with a `{found.only_parents_with}`"
    return text


def _children_texts(ways: Ways) -> Iterator[str]:
    for child in ways.children:
        text = f"`{child.field}`: `{child.object_name}`"
        if child.owned:
            text += ", shown nowhere else"
        if child.expanded_only:
            text += ", in no event"
        yield text


def _without_query(path: str) -> str:
    return path.partition("?")[0].replace(PARENT_SOURCE, PARENT_ID)


def _cannot_be_had(ways: Mapping[str, Ways], not_stored: Mapping[str, str]) -> Iterator[str]:
    yield "## What cannot be had, and why"
    yield ""
    yield from _ON_REQUEST
    yield from _reasons(
        "No request shows these; some of them have events:", _unreachable(ways, owned=False)
    )
    yield from _reasons("Only their parents show these:", _unreachable(ways, owned=True))
    hidden = {name: found.hidden for name, found in ways.items() if found.hidden}
    yield from _reasons("No list shows these:", hidden)
    untold = {
        name: found.untold
        for name, found in ways.items()
        if found.untold and found.untold != "any change" and (found.lists or found.retrieve)
    }
    yield from _reasons("No event tells these; a comparison finds them:", untold)
    yield from _reasons("These have no table:", not_stored)


def _unreachable(ways: Mapping[str, Ways], *, owned: bool) -> dict[str, str]:
    return {
        name: found.unreachable
        for name, found in ways.items()
        if found.unreachable and bool(_owners(name, ways)) is owned
    }


def _reasons(title: str, reasons: Mapping[str, str]) -> Iterator[str]:
    yield from ("", title, "", "| Object | |", "| --- | --- |")
    yield from (f"| `{name}` | {reason} |" for name, reason in sorted(reasons.items()))


_INTRODUCTION: Final = """\
# Objects

Every type of object that Stripe has, where it goes and how it gets there.
_Generated from the code by `make docs`._

    webhook, poll             an event tells a change   --+
    backfill, reconcile       a list shows all of them  --+-->  topic   -->  table
    the same, by parent       a list for each parent    --+     stripe.<object>, in both
    refetch                   one object by its id      --+

| Mark | Says |
| :-: | --- |
| ● | all of it |
| ◐ | some of it: [what is missing](#what-cannot-be-had-and-why) |
| ↑ | with the object that it is a part of |
| - | none |

**Events** has the number of event types, and whether they tell every change. **List**, **By
parent** and **Retrieve** are what `backfill` and `reconcile` ask. **Child tables** are made of
the lists inside an object. **Writable** counts the columns that an update of Stripe's takes
under the same name.

An object of a connected account is in the same topic, and in the schema `stripe_connect`. What
the platform itself lists of connected accounts (`account`, `person`, `capability`, their
`bank_account` and `card`) is in `stripe` too, as of the last backfill or reconcile: Stripe's
events about it name the account, and keep `stripe_connect` up to date. A type that is not on this
page flows too, once an event brings it: its table has `id`, `object`, `created`, `livemode` and
`extra`.\
""".splitlines()

_ON_REQUEST: Final = """\
Stripe shows some fields only where they are asked for, and tells which in words only, so that this
page cannot list them all. Among them are a price's `tiers` and `currency_options`, a coupon's
`applies_to` and an issued card's `number`. No event has them, so their columns stay empty,
whichever way an object comes. The same holds for lists that no event shows, such as a charge's
`refunds`: their elements have a table. An invoice's `charge_id` and `payment_intent_id` are told
by such a list, `payments`: since 2025-03-31.basil both are null, and `stripe.invoice_payment` has
what paid it ([schemas.md](schemas.md#api-versions) has the join).\
""".splitlines()
