"""A dead letter keeps what it was and tells where it came from."""

from dataclasses import replace

import pytest

from schemas.dead_letters import DeadLetter

LETTER = DeadLetter(
    service="sink", topic="stripe.invoice", partition=3, offset=2**40, reason="22P02", at=17
)


def test_a_dead_letter_keeps_the_original_headers_and_names_its_origin() -> None:
    headers = LETTER.headers([("stripeline.operation", b"updated"), ("x", None), ("y", "text")])

    assert headers[:3] == [("stripeline.operation", b"updated"), ("x", None), ("y", b"text")]
    assert dict(headers[3:]) == {
        "stripeline.dead.service": b"sink",
        "stripeline.dead.topic": b"stripe.invoice",
        "stripeline.dead.partition": b"3",
        "stripeline.dead.offset": b"1099511627776",
        "stripeline.dead.reason": b"22P02",
        "stripeline.dead.at": b"17",
    }


def test_headers_give_back_the_letter() -> None:
    assert DeadLetter.from_headers(LETTER.headers(None)) == LETTER


def test_a_second_death_replaces_the_headers_of_the_first() -> None:
    second = replace(LETTER, service="relay", reason="BadRecord")

    headers = second.headers(LETTER.headers([("kept", b"1")]))

    assert headers == second.headers([("kept", b"1")])


def test_a_letter_without_its_headers_is_no_dead_letter() -> None:
    with pytest.raises(ValueError, match="offset"):
        DeadLetter.from_headers([h for h in LETTER.headers(None) if not h[0].endswith("offset")])


@pytest.mark.parametrize("reason", ["", "two words", "body: {}", "x" * 101])
def test_a_reason_is_one_constant_word(reason: str) -> None:
    with pytest.raises(AssertionError):
        replace(LETTER, reason=reason)
