"""Where nothing is compiled, everything works."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
sys.modules["producer.quick_events"] = sys.modules["producer.quick_values"] = None
from producer import compiled
from producer.preparing import Preparer
from producer.record import Change, ChangeCodec
from schemas.codec import RecordCodec
from producer.order import Entry
from schemas.meta import Operation
from schemas.objects import load_catalogue
from tests.relay.two_ways import record

assert not compiled.IS_COMPILED
value = b'{"id":"evt_1","type":"customer.updated","created":5,"data":{"object":%s}}' % (
    b'{"id":"customer_1","object":"customer","email":"a@example.com"}'
)
preparer = Preparer(catalogue=load_catalogue())
for offset in range(2):
    (found,) = preparer.prepare([record("customer", value, offset)], lambda _names: {}).candidates
entry = Entry(
    event_at=5_000_000,
    operation=Operation.UPDATED,
    body_hash=found.body_hash,
    event_ids=("evt_1",),
    inbox="0:1",
    record_offset=-1,
)
change = Change(
    observation=found.observation, name=found.name, table=found.table, half=found.half, entry=entry
)
customer = load_catalogue().get("customer")
(whole,) = ChangeCodec(customer).values([b""], [change])
print(RecordCodec(customer.schema).decode(whole)["email"])
"""


def test_an_event_becomes_a_record_without_what_is_compiled() -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (told.stdout, told.returncode) == ("a@example.com\n", 0), told.stderr
