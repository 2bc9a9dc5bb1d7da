"""Which accounts are polled: the merchant's own first, and those of a list that is kept up."""

import json
from collections.abc import Mapping

import pytest

from producer.connected_accounts import LISTED_SECONDS, OWN, PATH, CurrentAccounts
from producer.errors import StripeUnreachable
from producer.poll_settings import PollSettings
from producer.rate_bucket import Purpose
from producer.stripe_api import Page
from runtime.errors import WrongSetting

PAGE_MAX = 2


class Platform:
    """Lists its connected accounts, two on a page."""

    def __init__(self, *accounts: str) -> None:
        self.accounts = list(accounts)
        self.asked = 0
        self.away = False

    def page(
        self, *, path: str, parameters: Mapping[str, str], account_id: str, purpose: Purpose
    ) -> Page:
        assert (path, account_id, purpose) == (PATH, "", Purpose.BACKGROUND)
        self.asked += 1
        if self.away:
            raise StripeUnreachable("away")
        after = parameters.get("starting_after")
        begin = self.accounts.index(after) + 1 if after else 0
        shown = self.accounts[begin : begin + PAGE_MAX]
        return Page(
            items=tuple(json.dumps({"id": account}).encode() for account in shown),
            last_id=shown[-1] if shown else "",
            has_more=begin + PAGE_MAX < len(self.accounts),
            observed_second=1,
        )


class HandClock:
    """A clock that only the test moves."""

    seconds = 50.0

    def utc_micros(self) -> int:
        return 0

    def monotonic_seconds(self) -> float:
        return self.seconds


def test_every_page_is_read_and_the_merchants_own_account_is_the_first() -> None:
    platform = Platform("acct_1", "acct_2", "acct_3", "acct_4", "acct_5")

    found = CurrentAccounts(platform, clock=HandClock())()

    assert list(found) == [OWN, "acct_1", "acct_2", "acct_3", "acct_4", "acct_5"]


def test_a_list_is_good_for_a_while_and_a_new_account_is_found_then() -> None:
    platform, clock = Platform("acct_1"), HandClock()
    accounts = CurrentAccounts(platform, clock=clock)
    accounts()
    platform.accounts.append("acct_2")
    clock.seconds += LISTED_SECONDS - 1
    assert list(accounts()) == [OWN, "acct_1"]
    assert platform.asked == 1
    clock.seconds += 1

    assert list(accounts()) == [OWN, "acct_1", "acct_2"]


def test_no_account_is_forgotten_because_a_list_failed() -> None:
    platform, clock = Platform("acct_1"), HandClock()
    accounts = CurrentAccounts(platform, clock=clock)
    platform.away = True
    with pytest.raises(StripeUnreachable):
        accounts()
    platform.away = False

    assert list(accounts()) == [OWN, "acct_1"]


@pytest.mark.parametrize(("overlap", "connected"), [(300, True), (0, False)])
def test_an_overlap_reaches_back_to_the_connection_of_a_new_account(
    overlap: int, connected: bool
) -> None:
    settings_of(overlap).require_overlap(connected=connected)


def test_an_overlap_shorter_than_accounts_are_listed_is_refused() -> None:
    with pytest.raises(WrongSetting, match="POLL_OVERLAP_SECONDS: with --connected at least 300"):
        settings_of(299).require_overlap(connected=True)


def settings_of(overlap: int) -> PollSettings:
    return PollSettings.model_validate(
        {
            "kafka_bootstrap_servers": "localhost:9092",
            "stripe_api_key": "sk_test_a",
            "poll_overlap_seconds": overlap,
        }
    )
