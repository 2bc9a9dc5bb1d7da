"""A list of one object that is refused says nothing of another's; where all are, none is asked."""

from producer.backfill_refusals import REFUSALS_MAX, Refusals
from producer.errors import StripeRefused

PATH = "/v1/accounts/{account}/persons"


def refuse(refusals: Refusals, times: int, *, account_id: str = "") -> None:
    for number in range(times):
        refusals.note(account_id, PATH, StripeRefused("forbidden", said=f"not of acct_{number}"))


def test_one_that_was_read_keeps_the_list_open_however_many_are_refused() -> None:
    refusals = Refusals()
    refusals.note_read("", PATH)
    refuse(refusals, 10 * REFUSALS_MAX)

    assert refusals.closed_for("", PATH) == ""


def test_where_none_was_ever_read_it_is_given_up_and_told_in_the_words_of_the_first() -> None:
    refusals = Refusals()
    refuse(refusals, REFUSALS_MAX - 1)
    assert refusals.closed_for("", PATH) == ""
    refuse(refusals, 1)

    assert refusals.closed_for("", PATH) == "forbidden: not of acct_0"
    assert refusals.closed_for("acct_of_its_own", PATH) == ""
    assert refusals.closed_for("", "/v1/customers/{customer}/tax_ids") == ""


def test_one_that_was_on_its_way_opens_it_again() -> None:
    refusals = Refusals()
    refuse(refusals, REFUSALS_MAX)
    refusals.note_read("", PATH)

    assert refusals.closed_for("", PATH) == ""
