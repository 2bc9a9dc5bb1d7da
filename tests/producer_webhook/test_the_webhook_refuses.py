"""What is not Stripe's, not whole or not an event is refused, and nothing is stored."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.producer_webhook.conftest import Running
from tests.producer_webhook.requests import PATH, Sender, encoded, event, signed

BODY = encoded(event("evt_refused", private="ada@example.com"))
LIMIT = 2 * 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request, the status it gets, and the reason under which it is counted."""

    send: Callable[[Sender], int]
    status: int
    reason: str


def _post(body: bytes, headers: dict[str, str] | None = None) -> Callable[[Sender], int]:
    return lambda sender: sender.post(body, headers).status_code


def _ask(method: str, path: str) -> Callable[[Sender], int]:
    return lambda sender: sender.ask(method, path).status_code


def _head(*lines: str) -> bytes:
    return "\r\n".join((f"POST {PATH} HTTP/1.1", "Host: x", *lines, "", "")).encode()


def _endless_chunks(sender: Sender) -> int:
    """One byte more than the limit in chunks, and no last chunk."""
    chunk = b"%x\r\n" % 65_536 + bytes(65_536) + b"\r\n"
    head = _head("Content-Type: application/json", "Transfer-Encoding: chunked")
    return sender.status_of_bytes(head + chunk * (LIMIT // 65_536) + b"1\r\nx\r\n")


def _announced_too_large(sender: Sender) -> int:
    """No byte of the body is sent: the answer does not wait for it."""
    return sender.status_of_bytes(
        _head("Content-Type: application/json", f"Content-Length: {LIMIT + 1}")
    )


def _signed_with(header: bytes) -> bytes:
    """A whole request with this signature, which no client library would send."""
    length = f"Content-Length: {len(BODY)}"
    head = _head("Content-Type: application/json", length, "Stripe-Signature: ?")
    return head.replace(b"?", header) + BODY


def _without(header: str) -> dict[str, str]:
    return {name: value for name, value in signed(BODY).items() if name != header}


DEEP = b"[" * 100_000 + b"]" * 100_000
NOT_UTF8 = b'{"id": "evt_1", "object": "event", "name": "\xff\xfe"}'

REFUSED = {
    "forged": Refused(
        send=_post(BODY, signed(BODY, secret="whsec_forged")), status=400, reason="signature_wrong"
    ),
    "changed_after_signing": Refused(
        send=lambda sender: sender.post(BODY + b" ", signed(BODY)).status_code,
        status=400,
        reason="signature_wrong",
    ),
    "unsigned": Refused(
        send=_post(BODY, _without("Stripe-Signature")), status=400, reason="signature_missing"
    ),
    "signed_with_the_old_scheme_only": Refused(
        send=lambda sender: (
            sender.post(
                BODY,
                {
                    **signed(BODY),
                    "Stripe-Signature": signed(BODY)["Stripe-Signature"].replace("v1", "v0"),
                },
            ).status_code
        ),
        status=400,
        reason="signature_wrong",
    ),
    "garbled_signature": Refused(
        send=_post(BODY, {**signed(BODY), "Stripe-Signature": "t=,v1"}),
        status=400,
        reason="signature_wrong",
    ),
    "signature_that_is_not_ascii": Refused(
        send=lambda sender: sender.status_of_bytes(_signed_with(b"t=1,v1=\xe9")),
        status=400,
        reason="signature_wrong",
    ),
    "nested_too_deeply": Refused(
        send=_post(b'{"id": "evt_1", "object": "event", "data": {"object": %s}}' % DEEP),
        status=400,
        reason="not_json",
    ),
    "replayed": Refused(
        send=lambda sender: sender.post(BODY, signed(BODY, age_seconds=302)).status_code,
        status=400,
        reason="signature_old",
    ),
    "of_the_future": Refused(
        send=lambda sender: sender.post(BODY, signed(BODY, age_seconds=-310)).status_code,
        status=400,
        reason="signature_future",
    ),
    "not_utf8": Refused(send=_post(NOT_UTF8), status=400, reason="not_utf8"),
    "not_json": Refused(send=_post(b'{"id": "evt_1",'), status=400, reason="not_json"),
    "empty": Refused(send=_post(b""), status=400, reason="not_json"),
    "a_list": Refused(send=_post(b"[]"), status=400, reason="not_an_event"),
    "an_object_and_no_event": Refused(
        send=_post(b'{"id": "cus_1", "object": "customer"}'), status=400, reason="not_an_event"
    ),
    "an_event_without_id": Refused(
        send=_post(b'{"object": "event", "data": {"object": {}}}'),
        status=400,
        reason="not_an_event",
    ),
    "an_event_bus_without_a_key_set": Refused(
        send=lambda sender: sender.post(BODY, path=f"{PATH}/eventbridge").status_code,
        status=404,
        reason="not_found",
    ),
    "a_thin_event_without_id": Refused(
        send=_post(b'{"object": "v2.core.event", "type": "v1.customer.created"}'),
        status=400,
        reason="not_an_event",
    ),
    "announced_too_large": Refused(send=_announced_too_large, status=413, reason="too_large"),
    "chunks_without_end": Refused(send=_endless_chunks, status=413, reason="too_large"),
    "a_form": Refused(
        send=_post(BODY, {**signed(BODY), "Content-Type": "application/x-www-form-urlencoded"}),
        status=415,
        reason="content_type",
    ),
    "no_content_type": Refused(
        send=_post(BODY, _without("Content-Type")), status=415, reason="content_type"
    ),
    "another_method": Refused(send=_ask("GET", PATH), status=405, reason="method"),
    "another_path": Refused(send=_ask("POST", "/webhooks"), status=404, reason="not_found"),
    "the_root": Refused(send=_ask("GET", "/"), status=404, reason="not_found"),
}


@pytest.mark.stack
@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_and_counted_and_nothing_is_stored(webhook: Running, name: str) -> None:
    refused = REFUSED[name]
    series = f'stripeline_webhook_refused_total{{reason="{refused.reason}"}}'
    counted, stored = webhook.service.metric(series), webhook.stored()

    assert refused.send(webhook.sender) == refused.status

    assert webhook.service.metric(series) == counted + 1
    assert webhook.stored() == stored


@pytest.mark.stack
def test_an_event_of_the_other_mode_is_answered_200_and_counted_and_not_stored(
    webhook: Running,
) -> None:
    series = 'stripeline_webhook_refused_total{reason="other_mode"}'
    counted, stored = webhook.service.metric(series), webhook.stored()

    answer = webhook.sender.post(encoded(event("evt_live", livemode=True)))

    assert answer.status_code == 200
    assert webhook.service.metric(series) == counted + 1
    assert webhook.stored() == stored


@pytest.mark.stack
def test_a_refused_method_names_the_right_one(webhook: Running) -> None:
    assert webhook.sender.ask("PUT", PATH).headers["allow"] == "POST"


@pytest.mark.stack
def test_neither_answer_nor_log_repeats_a_body_or_a_secret(webhook: Running) -> None:
    wrong = encoded(event("evt_leak", private="ada@example.com")) + b"]"
    answers = [
        webhook.sender.post(wrong),
        webhook.sender.post(BODY, signed(BODY, secret="whsec_forged")),
        webhook.sender.post(NOT_UTF8 + b"ada@example.com"),
    ]

    said = webhook.service.log() + "".join(answer.text for answer in answers)

    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert "listening" in said
    for private in ("ada@example.com", "evt_leak", "whsec_current", "whsec_being_replaced"):
        assert private not in said
