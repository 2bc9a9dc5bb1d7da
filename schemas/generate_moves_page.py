"""The page beside the schemas: which fields Stripe moved or removed, and what fills what."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from schemas.columns import Column
from schemas.conversions import Conversion
from schemas.history import History, Lifetime
from schemas.moved import Moved, Moves, fed
from schemas.places import Place, place_text

Columns = Mapping[str, Sequence[Column]]


def moves_page(columns: Columns, history: History, moves: Moves) -> str:
    """The page in Markdown."""
    fed_columns = {
        name: [fed(name, column) for column in found] for name, found in columns.items()
    }
    oldest, *_, newest = history.versions
    return "\n".join(
        [
            "# Moved and removed fields",
            "",
            "Written by `make schemas`; do not edit. Every field that an API version from",
            f"{oldest} to {newest} had and the newest no longer has; each of them has a column.",
            "",
            "## Moved",
            "",
            "`[only]`, `[first]`, `[lowest x]` and `[flagged x]` say which element of a list is",
            "meant. The last two columns say which columns are filled from the other place; an",
            "old column of nested JSON is, where new bodies show the same value whole.",
            "",
            *_ON_REQUEST,
            "",
            "| Object | Stood at | Up to | Stands at | As | Old column, from new bodies "
            "| New column, from old bodies |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *_moved_rows(fed_columns, history, moves),
            "",
            "## Told of all together",
            "",
            "What stood on an object and stands on each element of its list now. The records of",
            "the elements have it from old bodies too.",
            "",
            "| Object | List | Fields |",
            "| --- | --- | --- |",
            *_inherited_rows(moves),
            "",
            "## Removed",
            "",
            "The column is filled by bodies that have the field.",
            "",
            "| Field | Up to | Why there is no other place |",
            "| --- | --- | --- |",
            *(
                f"| `{name}` | {_last(history, name)} | {why} |"
                for name, why in moves.unmoved.items()
            ),
            "",
            "## Types that went",
            "",
            "Their objects flow like those of any type that is not known: `id`, `object`,",
            "`created`, `livemode`, and the rest in `extra`. One whose table is another type's by",
            "now, `checkout_session`, goes to the dead letters.",
            "",
            "| Object | Up to |",
            "| --- | --- |",
            *_gone_types(history),
            "",
        ]
    )


_ON_REQUEST: Final = """\
An invoice's `charge_id` and `payment_intent_id` are told by its `payments` from 2025-03-31.basil
on, and Stripe shows `payments` only where it is asked for: no event has it, and no list. So of an
invoice in a newer version both columns are null. `stripe.invoice_payment` has the truth for
invoices of every version, from events of its own: [docs/schemas.md](../../docs/schemas.md) has the
join.\
""".splitlines()


def _moved_rows(columns: Columns, history: History, moves: Moves) -> Iterator[str]:
    for name, several in moves.by_type.items():
        for move in several:
            back = _filled(columns[name], move.old.field, move.new)
            forth = _filled(columns[name], move.new.field, move.old)
            yield (
                f"| `{name}` | `{place_text(move.old)}` | {_until(history, move.lifetime(name))} "
                f"| `{place_text(move.new)}` | {_how(move)} | {back} | {forth} |"
            )


def _inherited_rows(moves: Moves) -> Iterator[str]:
    for name, lists in moves.inherited.items():
        for field, told in lists.items():
            yield f"| `{name}` | `{field}` | {', '.join(f'`{one}`' for one in told)} |"


def _filled(columns: Sequence[Column], field: str, place: Place) -> str:
    """The field's columns that are filled from the place."""
    return ", ".join(
        f"`{column.name}`"
        for column in columns
        if column.source == field
        if place
        in [
            feed.place
            for feed in (*column.newer, *column.older, *(part.feed for part in column.parts))
        ]
    )


def _how(move: Moved) -> str:
    return "" if move.conversion is Conversion.SAME else move.conversion.value


def _until(history: History, lifetime: Lifetime) -> str:
    return lifetime.last if lifetime.last != history.newest else "still there"


def _last(history: History, name: str) -> str:
    object_name, _, field = name.rpartition(".")
    return history.fields[object_name][field].last


def _gone_types(history: History) -> Iterator[str]:
    for name, fields in history.fields.items():
        last = max(field.last for field in fields.values())
        if last != history.newest:
            yield f"| `{name}` | {last} |"
