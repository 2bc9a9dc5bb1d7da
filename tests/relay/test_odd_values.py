"""Whatever stands where a value is expected is judged by the compiled way as by the long one."""

import pytest

from tests.relay.two_ways import NEEDS_COMPILED, read_both_ways

pytestmark = NEEDS_COMPILED

DEEP = 70
OBJECTS = [
    '{"a":1,"a":2}',
    '{"b":1,"a":{"c":1,"c":2}}',
    '{"aa":1,"a":2,"ab":3,"":4}',
    r'{"\u0062":1,"a":2}',
    r'{"\u0061":1,"a":2}',
    '{"z":1,"é":2}',
    '{"é":1,"z":2}',
    '{"object":"list"}',
    '{"object":"list","data":[{"id":"si_1","object":"subscription_item"}],"has_more":false}',
    '{"a":}',
    "{,}",
    '{"a" 1}',
    '{"a":1,}',
    '{"a":' * DEEP + "1" + "}" * DEEP,
]
LISTS = ["[1 2]", "[1,]", "[,1]", "[", "]", " [ 1 , { } , [ ] ] ", "[" * DEEP + "]" * DEEP]
NUMBERS = [
    *("0", "-0", "[-0]", "01", "[01]", "-01", "--1", "+1", "-", "NaN"),
    *("1.0", "1.50", "[1.50]", "1e2", "[1E2]", "1e999", ".5", "1.", "1e", "0.1e-7"),
    *("999999999999999999", "1000000000000000000", "9223372036854775807", "9223372036854775808"),
    *("-9223372036854775808", "-9223372036854775809", "123456789012345678901234567890"),
    *("99999999999", "100000000000", "253402300799", "253402300800", "[1234567890123456789012]"),
]
TEXTS = [
    *('""', '"1.5"', '"é"', '"\t"', '"a\0b"', '"'),
    *(
        r'"\u00e9"',
        r'"\/"',
        r'"\ud83d\ude00"',
        r'"\ud800"',
        r'"\n"',
        r'"\x"',
        r'"\"',
        r'["\u0001"]',
    ),
]
OTHERS = ["", "null", "true", "false", "nul", "tru", "falsey", "\0"]
FIELDS = [
    '"metadata":@',
    '"metadata":{"a":@}',
    '"items":@',
    '"discounts":@,"items":@',
    '"novel":@',
    '"quantity":@',
    '"days_until_due":@',
    '"created":@',
    '"description":@',
    '"application_fee_percent":@',
    '"cancel_at":@',
    '"cancel_at_period_end":@',
    '"customer":@',
    '"status":"a","status":@',
    '"id":@',
    '"object":@',
    "@:1",
]
OBJECT = '{"id":"subscription_1","object":"subscription"%s}'
EVENT = '{"id":"evt_1","type":"a.updated","created":5,"data":{"object":%s}}'
AROUND = [
    EVENT.replace("5", "@"),
    EVENT.replace('"evt_1"', "@"),
    EVENT.replace('"a.updated"', "@"),
    EVENT.replace("%s}", '%s,"previous_attributes":@}'),
    EVENT.replace("%s}", '%s,"novel":@}'),
    EVENT.replace('"created"', '"api_version":@,"created"'),
    EVENT.replace('"created"', '"account":@,"created"'),
    EVENT.replace('"created"', '"request":@,"created"'),
    EVENT + "@",
    "@" + EVENT,
]
PLACES = [EVENT % OBJECT % f",{field}" for field in FIELDS] + [
    around % OBJECT % "" for around in AROUND
]


@pytest.mark.parametrize("place", PLACES)
def test_an_odd_value_is_judged_as_the_long_way_judges_it(place: str) -> None:
    odd = [*OBJECTS, *LISTS, *NUMBERS, *TEXTS, *OTHERS]
    read_both_ways("subscription", [place.replace("@", value).encode() for value in odd])


def test_bytes_that_are_no_text_are_judged_as_the_long_way_judges_them() -> None:
    place = (EVENT % OBJECT % ',"metadata":{"a":"@"}').encode()
    odd = [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xc0\x80"]
    read_both_ways("subscription", [place.replace(b"@", value) for value in odd])
