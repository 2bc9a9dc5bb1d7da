"""Only Stripe's own word of just now is taken, by the check that the stripe package makes."""

import hashlib
import hmac
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as some
from stripe import WebhookSignature

from producer.errors import Refusal, RequestRefused
from producer.signature import TOLERANCE_SECONDS, SignatureCheck
from runtime.clock import MICROS_PER_SECOND

NOW = 1_790_000_000
SECRET = "whsec_a"
BODY = b'{"id": "evt_1", "name": "ada@example.com"}'


class FixedClock:
    """It is always `NOW`, and a half."""

    def utc_micros(self) -> int:
        return NOW * MICROS_PER_SECOND + 500_000

    def monotonic_seconds(self) -> float:
        return 0.0


def _check(*secrets: str) -> SignatureCheck:
    return SignatureCheck(secrets=secrets or (SECRET,), clock=FixedClock())


def _header(body: bytes = BODY, *, secret: str = SECRET, second: int = NOW) -> str:
    digest = hmac.new(secret.encode(), b"%d." % second + body, hashlib.sha256).hexdigest()
    return f"t={second},v1={digest}"


def _refusal(check: SignatureCheck, body: bytes, header: str) -> Refusal | None:
    try:
        check.verify(body, header)
    except RequestRefused as refused:
        return refused.reason
    return None


def test_what_the_stripe_package_signs_is_taken() -> None:
    header = WebhookSignature.generate_signature_header(BODY.decode(), SECRET, NOW)
    assert _refusal(_check(), BODY, header) is None


@pytest.mark.parametrize(
    ("second", "refusal"),
    [
        (NOW - TOLERANCE_SECONDS, None),
        (NOW - TOLERANCE_SECONDS - 1, Refusal.SIGNATURE_OLD),
        (NOW + TOLERANCE_SECONDS, None),
        (NOW + TOLERANCE_SECONDS + 1, Refusal.SIGNATURE_FUTURE),
    ],
)
def test_the_tolerance_holds_on_both_sides(second: int, refusal: Refusal | None) -> None:
    assert _refusal(_check(), BODY, _header(second=second)) is refusal


def test_each_of_several_secrets_is_good_and_no_other() -> None:
    check = _check("whsec_a", "whsec_b", "whsec_c")
    refusals = [
        _refusal(check, BODY, _header(secret=secret))
        for secret in ("whsec_a", "whsec_b", "whsec_c", "whsec_d")
    ]
    assert refusals == [None, None, None, Refusal.SIGNATURE_WRONG]


def test_one_good_signature_among_several_is_enough() -> None:
    header = _header(secret="whsec_gone") + "," + _header().split(",")[1]
    assert _refusal(_check(), BODY, header) is None


def test_a_second_time_in_the_header_does_not_make_an_old_signature_young() -> None:
    old = _header(second=NOW - 10_000)
    assert _refusal(_check(), BODY, f"{old},t={NOW}") is Refusal.SIGNATURE_OLD
    assert _refusal(_check(), BODY, f"t={NOW},{old}") is Refusal.SIGNATURE_WRONG


@pytest.mark.parametrize("header", ["t=1,v1=\xe9", "t=\u0661,v1=0", "t=1,v1=0,v1=\xff", "\xe9"])
def test_a_forged_header_that_is_not_ascii_is_a_wrong_signature(header: str) -> None:
    assert _refusal(_check(), BODY, header) is Refusal.SIGNATURE_WRONG


@given(
    body=some.binary(max_size=64),
    header=some.text(max_size=64) | some.builds("t={},v1={}".format, some.integers(), some.text()),
)
def test_nothing_else_than_a_refusal_comes_out_of_garbage(body: bytes, header: str) -> None:
    assert _refusal(_check(), body, header) in {
        Refusal.SIGNATURE_MISSING,
        Refusal.SIGNATURE_WRONG,
        Refusal.NOT_UTF8,
    }


@given(body=some.binary(min_size=1, max_size=64), at=some.integers(0, 63), change=some.integers(1))
def test_any_changed_byte_is_noticed(body: bytes, at: int, change: int) -> None:
    at %= len(body)
    changed = bytearray(body)
    changed[at] ^= change % 255 + 1
    assert _refusal(_check(), bytes(changed), _header(body)) in {
        Refusal.SIGNATURE_WRONG,
        Refusal.NOT_UTF8,
    }


@pytest.mark.parametrize("body", [BODY, BODY + b"\xff"])
def test_an_error_carries_neither_body_nor_secret(body: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        _check().verify(body, "t=1,v1=0")

    said = "".join(traceback.format_exception(caught.value))
    assert "RequestRefused" in said
    assert "ada@example.com" not in said
    assert SECRET not in said
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
