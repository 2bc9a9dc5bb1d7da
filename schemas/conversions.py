"""Conversions: what a value becomes on its move from an old place to the new one, and back."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

Convert = Callable[[Any], Any]
"""From a value that is not null; none where there is no counterpart."""


class Conversion(StrEnum):
    """How the value at the old place and the one at the new place go together."""

    SAME = "same"
    ID = "id"
    """Old: the whole object. New: its id."""
    LISTED = "listed"
    """Old: one object. New: the list of the ids, which may be longer."""
    DIGITS = "digits"
    """Old: a whole number. New: the same in digits, which may have a fraction."""
    TAXES = "taxes"
    """Lists of tax amounts in their old and in their new form."""
    TAX = "tax"
    """Old: the sum. New: the list of taxes; the list is not told by the sum."""
    PAID = "paid"
    """Old: whether it is paid. New: the status, which old bodies have as well."""
    LINE_TYPE = "line type"
    """Names of the two kinds of invoice lines."""
    END = "end"
    """What happens at the end of a subscription schedule; `none` is now called `cancel`."""

    @property
    def newer(self) -> Convert | None:
        """From the old value to the new one; none where there is no way."""
        return _NEWER.get(self)

    @property
    def older(self) -> Convert:
        """From the new value to the old one."""
        return _OLDER[self]


def same(value: Any) -> Any:
    """The value itself."""
    return value


def id_of(value: Any) -> Any:
    """The id of an object that may be shown by its id alone."""
    return value.get("id") if isinstance(value, dict) else value


def _one_of_a_list(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else None


def _list_of_one(value: Any) -> Any:
    found = id_of(value)
    return None if found is None else [found]


def _digits(value: Any) -> Any:
    return str(value) if isinstance(value, int) else None


def _whole_number(value: Any) -> Any:
    whole, _, fraction = value.partition(".") if isinstance(value, str) else ("", "", "")
    digits = whole.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX):
        return None
    return None if fraction.strip("0") else int(whole)


def _taxes(value: Any) -> Any:
    """The new form of a list of tax amounts."""
    return [
        {
            "amount": one.get("amount"),
            "tax_behavior": "inclusive" if one.get("inclusive") else "exclusive",
            "tax_rate_details": {"tax_rate": id_of(one.get("tax_rate"))},
            "taxability_reason": one.get("taxability_reason"),
            "taxable_amount": one.get("taxable_amount"),
            "type": "tax_rate_details",
        }
        for one in _objects(value)
    ]


def _tax_amounts(value: Any) -> Any:
    """The old form of a list of taxes."""
    return [
        {
            "amount": one.get("amount"),
            "inclusive": one.get("tax_behavior") == "inclusive",
            "tax_rate": (one.get("tax_rate_details") or {}).get("tax_rate"),
            "taxability_reason": one.get("taxability_reason"),
            "taxable_amount": one.get("taxable_amount"),
        }
        for one in _objects(value)
    ]


def _sum_of_taxes(value: Any) -> Any:
    amounts = [one.get("amount") for one in _objects(value)]
    return sum(amount for amount in amounts if isinstance(amount, int)) if amounts else None


def _objects(value: Any) -> Sequence[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


_DIGITS_MAX: Final = 18
_LINE_TYPES: Final = {
    "invoiceitem": "invoice_item_details",
    "subscription": "subscription_item_details",
}
_OLD_LINE_TYPES: Final = {new: old for old, new in _LINE_TYPES.items()}


def _of_names(names: Mapping[str, str]) -> Convert:
    return lambda value: names.get(value) if isinstance(value, str) else None


_NEWER: Final[Mapping[Conversion, Convert]] = {
    Conversion.SAME: same,
    Conversion.ID: id_of,
    Conversion.LISTED: _list_of_one,
    Conversion.DIGITS: _digits,
    Conversion.TAXES: _taxes,
    Conversion.LINE_TYPE: _of_names(_LINE_TYPES),
    Conversion.END: lambda value: "cancel" if value == "none" else value,
}
_OLDER: Final[Mapping[Conversion, Convert]] = {
    Conversion.SAME: same,
    Conversion.ID: same,
    Conversion.LISTED: _one_of_a_list,
    Conversion.DIGITS: _whole_number,
    Conversion.TAXES: _tax_amounts,
    Conversion.TAX: _sum_of_taxes,
    Conversion.PAID: lambda value: value == "paid",
    Conversion.LINE_TYPE: _of_names(_OLD_LINE_TYPES),
    Conversion.END: same,
}
