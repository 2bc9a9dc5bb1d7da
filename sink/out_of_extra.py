"""What a record says of each column that the sink keeps, as SQL over the transported values.

A record whose writer did not know a column yet has the field in `extra`, if Stripe sent it. The
row's column is filled from there: by the column's type, as the relay would have filled it, and
null where the value does not fit. So a row stays a function of its record and the table's columns.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from schemas.decimals import CHARACTERS_MAX, DIGITS
from schemas.meta import EXTRA
from sink.load import WRITER, WriterSchema
from sink.tables import ID, Column, literal

BIGINT_MIN: Final = -(2**63)
BIGINT_MAX: Final = 2**63 - 1
SECONDS_MIN: Final = -62_135_596_800
SECONDS_MAX: Final = 253_402_300_799
"""The years 1 to 9999, as in the relay."""
_REFERENCE_SUFFIX: Final = "_id"


def said_values(
    columns: Sequence[Column],
    *,
    kept: Mapping[str, str],
    writers: Iterable[WriterSchema],
    transported: Mapping[str, str],
) -> dict[str, str]:
    """SQL for each column that rows of these writers give a value.

    Args:
        columns: those that a writer has.
        kept: all that the sink keeps in the table, with their types in SQL.
        writers: the schemas that the records were written with.
        transported: SQL of what travels, by column; with `WRITER` where the writers' columns
            differ.
    """
    extra = transported.get(EXTRA)
    found = {column.name: column.value(transported[column.name]) for column in columns}
    if extra is not None and WRITER.name in transported:
        known = {one.schema_id: {column.name for column in one.shape.columns} for one in writers}
        for column in columns:
            without = sorted(one for one, names in known.items() if column.name not in names)
            if without:
                writer = f"{transported[WRITER.name]} in ({', '.join(map(str, without))})"
                moved = value_in(extra, column.name, column.sql_type)
                found[column.name] = (
                    f"case when {writer} then {moved} else {found[column.name]} end"
                )
    for name in sorted(kept.keys() - found.keys()):
        found[name] = "null" if extra is None else value_in(extra, name, kept[name])
    return found


def value_in(extra: str, column: str, sql_type: str) -> str:
    """SQL of a column's value in `extra`; null where there is none, or none that fits.

    Each cast stands behind the condition that lets it succeed; `case` keeps that order.
    """
    if column in (ID, EXTRA) or column.startswith("_"):
        return "null"
    value, text = f"({extra} -> {literal(column)})", f"({extra} ->> {literal(column)})"
    kind = f"jsonb_typeof({value})"
    match sql_type:
        case "text":
            return _text(extra, column)
        case "jsonb":
            return f"nullif({value}, 'null'::jsonb)"
        case "boolean":
            return f"case {kind} when 'boolean' then {text}::boolean end"
        case "bigint":
            fits = f"{text}::numeric between {BIGINT_MIN} and {BIGINT_MAX}"
            return (
                f"case when {kind} = 'number' and {text} ~ '^-?[0-9]{{1,19}}$' then "
                f"case when {fits} then {text}::bigint end end"
            )
        case "timestamptz" | "timestamp with time zone":
            fits = f"{text}::bigint between {SECONDS_MIN} and {SECONDS_MAX}"
            return (
                f"case when {kind} = 'number' and {text} ~ '^-?[0-9]{{1,12}}$' then "
                f"case when {fits} then to_timestamp({text}::bigint) end end"
            )
        case "numeric":
            fits = f"length({text}) <= {CHARACTERS_MAX} and {text} ~ {literal(f'^({DIGITS})$')}"
            return (
                f"case {kind} when 'number' then {text}::numeric "
                f"when 'string' then case when {fits} then {text}::numeric end end"
            )
        case _:
            # A type that some later version of the sink has made.
            return "null"


def _text(extra: str, column: str) -> str:
    """A text, or for a reference the object's id, under the column's name or Stripe's."""
    value = f"({extra} -> {literal(column)})"
    own = f"case jsonb_typeof({value}) when 'string' then {extra} ->> {literal(column)} end"
    field = column.removesuffix(_REFERENCE_SUFFIX)
    if field in ("", column):
        return own
    value, text = f"({extra} -> {literal(field)})", f"({extra} ->> {literal(field)})"
    inner = f"case jsonb_typeof({value} -> 'id') when 'string' then {value} ->> 'id' end"
    reference = (
        f"case jsonb_typeof({value}) when 'string' then {text} when 'object' then {inner} end"
    )
    return f"coalesce({own}, {reference})"
