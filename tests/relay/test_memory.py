"""The memory's file: what is remembered, and when it is as good as none."""

import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.memory import UNWRITTEN_MAX, PartitionMemory, Progress, entry_name
from producer.order import Entry
from producer.record import entry_of_headers, headers_of
from schemas.meta import Operation

ENTRY = Entry(
    event_at=1_790_000_000_000_001,
    operation=Operation.DELETED,
    body_hash=bytes(range(16)),
    event_ids=("evt_1", "evt_2"),
    inbox="3:41",
    record_offset=7,
)
PROGRESS = {"stripe.coupon": Progress(topic_id="t1", next_offset=8)}


def opened(path: Path, cluster_id: str = "c1") -> PartitionMemory:
    return PartitionMemory(path, cluster_id=cluster_id)


def test_what_was_remembered_is_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "new" / "partition-0.sqlite"
    memory = opened(path)
    memory.remember({"coupon:X": ENTRY}, PROGRESS)
    memory.close()
    memory = opened(path)
    assert memory.entries(["coupon:X", "coupon:Y"]) == {"coupon:X": ENTRY}
    assert memory.progress() == PROGRESS
    memory.close()


@pytest.mark.parametrize("fault", ["cluster", "garbage", "forgotten"])
def test_a_file_that_cannot_be_relied_upon_is_empty(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "partition-0.sqlite"
    memory = opened(path)
    memory.remember({"coupon:X": ENTRY}, PROGRESS)
    if fault == "forgotten":
        memory.forget()
    memory.close()
    if fault == "garbage":
        path.write_bytes(b"this is no database" * 1_000)
    memory = opened(path, "c2" if fault == "cluster" else "c1")
    assert (memory.entries(["coupon:X"]), memory.progress(), memory.count()) == ({}, {}, 0)
    memory.close()


NAMES = [f"item:{number}" for number in range(6)]
PARENTS = ["", "subscription:A", "subscription:B"]
STEPS = st.one_of(
    st.sampled_from(["write", "reopen", "forget"]),
    st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.sampled_from(PARENTS),
            st.sampled_from([Operation.UPDATED, Operation.DELETED]),
        ),
        max_size=5,
    ),
)


@given(
    event_ids=st.lists(st.text("evt_1", min_size=1), max_size=3),
    parent=st.sampled_from(["", "subscription:sub_1", "product:acct_1/a b%c,d "]),
    operation=st.sampled_from(Operation),
)
def test_the_header_says_all_of_any_entry(
    event_ids: list[str], parent: str, operation: Operation
) -> None:
    entry = msgspec.structs.replace(
        ENTRY, event_ids=tuple(event_ids), parent=parent, operation=operation
    )
    assert entry_of_headers([*headers_of(entry)], record_offset=7) == entry


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=12))
def test_it_knows_what_was_remembered_last_wherever_that_stands(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[str | list[tuple[str, str, Operation]]],
) -> None:
    monkeypatch.setattr("producer.memory.UNWRITTEN_MAX", 4)
    path = tmp_path_factory.mktemp("memory") / "partition-0.sqlite"
    memory = opened(path)
    entries: dict[str, Entry] = {}
    progress: dict[str, Progress] = {}
    for number, step in enumerate(steps):
        if isinstance(step, list):
            told = dict(
                child(name, parent, operation, offset=10 * number + place)
                for place, (name, parent, operation) in enumerate(step)
            )
            progress = {"stripe.item": Progress(topic_id="t1", next_offset=number)}
            memory.remember(told, progress)
            entries |= told
        elif step == "write":
            memory.write()
        elif step == "reopen":
            memory.close()
            memory = opened(path)
        else:
            memory.forget()
            entries, progress = {}, {}
        assert memory.entries(NAMES) == entries
        assert memory.children(PARENTS[1:]) == {
            name: entry
            for name, entry in entries.items()
            if entry.parent and entry.operation is not Operation.DELETED
        }
        assert memory.progress() == progress
    memory.close()


def test_after_a_crash_the_file_has_all_that_it_says_it_has(tmp_path: Path) -> None:
    path = tmp_path / "partition-0.sqlite"
    memory = opened(path)
    memory.remember({f"coupon:{number}": ENTRY for number in range(UNWRITTEN_MAX)}, PROGRESS)
    later = msgspec.structs.replace(ENTRY, event_at=ENTRY.event_at + 1)
    memory.remember({"coupon:0": later}, {"stripe.coupon": Progress(topic_id="t1", next_offset=9)})
    # As another process finds the file when this one is killed now.
    found = opened(path)
    assert found.progress() == PROGRESS
    assert found.entries(["coupon:0"])["coupon:0"].event_at == ENTRY.event_at
    assert found.count() == UNWRITTEN_MAX
    found.close()
    memory.close()


def test_a_chosen_id_is_remembered_once_for_each_type_of_object(tmp_path: Path) -> None:
    memory = opened(tmp_path / "partition-0.sqlite")
    names = [entry_name("coupon", "X"), entry_name("product", "X")]
    memory.remember({name: placed(number) for number, name in enumerate(names)}, {})
    assert [memory.entries(names)[name].record_offset for name in names] == [0, 1]
    memory.close()


def test_the_headers_of_a_record_hold_all_that_is_remembered_of_it() -> None:
    headers: list[tuple[str, bytes | str | None]] = list(headers_of(ENTRY))
    assert entry_of_headers(headers, record_offset=7) == ENTRY


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("stripeline.entry", b"1 updated ff 0:1")],
        [("stripeline.entry", b"x updated ff 0:1  ")],
    ],
)
def test_a_record_without_our_header_is_refused(headers: list[tuple[str, bytes | str]]) -> None:
    with pytest.raises(ValueError, match=r"stripeline\.entry|unpack|int\(\)"):
        entry_of_headers([*headers, ("other", b"1")], record_offset=7)


def placed(offset: int) -> Entry:
    return msgspec.structs.replace(ENTRY, record_offset=offset)


def child(
    name: str, parent: str, operation: Operation = Operation.UPDATED, *, offset: int = 3
) -> tuple[str, Entry]:
    entry = msgspec.structs.replace(
        placed(offset), operation=operation, event_ids=(), parent=parent
    )
    return name, entry


def test_the_children_of_an_object_are_those_that_live(tmp_path: Path) -> None:
    memory = opened(tmp_path / "partition-0.sqlite")
    told = dict(
        [
            child("item:1", "subscription:A"),
            child("item:2", "subscription:A", Operation.DELETED),
            child("item:3", "subscription:B"),
            child("item:4", "subscription:C"),
        ]
    )
    memory.remember({**told, "subscription:A": ENTRY}, {})
    found = memory.children(["subscription:A", "subscription:C", "subscription:Z"])
    assert found == {name: told[name] for name in ("item:1", "item:4")}
    memory.close()


def test_the_headers_of_a_child_name_its_parent() -> None:
    _, entry = child("item:1", "subscription:acct_1/sub_1")
    headers: list[tuple[str, bytes | str | None]] = list(headers_of(entry))
    assert entry_of_headers(headers, record_offset=entry.record_offset) == entry


def test_a_file_of_an_older_format_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "partition-0.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            """
            create table identity (name text primary key, value text not null);
            insert into identity values ('format', '1'), ('cluster_id', 'c1');
            create table entry (name text primary key, event_at integer) without rowid;
            create table progress (topic text primary key, next_offset integer);
            insert into entry values ('coupon:X', 1);
            """
        )
    connection.close()
    memory = opened(path)
    assert (memory.count(), memory.progress()) == (0, {})
    memory.remember({"coupon:X": ENTRY}, PROGRESS)
    assert memory.entries(["coupon:X"]) == {"coupon:X": ENTRY}
    memory.close()
