"""The live objects of one topic, as a reconcile knows them: a table that lies on disk where large.

One row of about 100 bytes per object, in a temporary database without a name: SQLite keeps it in
memory up to `CACHE_KIBIBYTES`, puts the rest into a file that is removed already, and nothing is
left behind, however the process ends.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

CACHE_KIBIBYTES: Final = 32_768


class Known(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was published last for an object.

    Attributes:
        fingerprint: of its columns; what it is compared by.
        event_at: its `_event_at`, microseconds.
        alive: whether it was not deleted.
        partition, offset: where the record stands in its topic.
    """

    key: str
    account_id: str
    fingerprint: bytes
    event_at: int
    alive: bool
    partition: int
    offset: int


class Open(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An object of which Stripe shows something else than was published, or nothing.

    Attributes:
        body: as Stripe shows it; empty while it only shows nothing.
        observed_second: of Stripe's clock; 0 with an empty body.
        retrieved: whether it was asked for by its id.
        gone: whether that found nothing.
        last: the value of the record that was published last; empty if none was, or if it was
            not read yet.
    """

    key: str
    account_id: str
    body: bytes = b""
    observed_second: int = 0
    retrieved: bool = False
    gone: bool = False
    last: bytes = b""


class KnownObjects:
    """The objects of one type; used by one thread at a time."""

    def __init__(self) -> None:
        self._connection = temporary_database(_TABLES)

    def take_in(self, known: Sequence[Known]) -> None:
        """What was published of these objects; of one object the last one counts."""
        self._connection.execute("begin")
        self._connection.executemany(_UPSERT, [msgspec.structs.astuple(one) for one in known])
        self._connection.execute("commit")

    def find(self, keys: Iterable[str]) -> dict[str, Known]:
        """What is known of these objects, by key."""
        rows = self._connection.execute(_FIND, (_listed(keys),))
        return {row[0]: _known(row) for row in rows}

    def mark_shown(self, keys: Iterable[str]) -> None:
        """Stripe's lists show these objects."""
        self._connection.execute(_MARK_SHOWN, (_listed(keys),))

    def open(self, found: Sequence[Open]) -> None:
        """Something about these objects is open."""
        self._connection.execute("begin")
        self._connection.executemany(_OPEN, [msgspec.structs.astuple(one) for one in found])
        self._connection.execute("commit")

    def open_unshown(self, account_id: str, *, count_max: int) -> int:
        """Open the live objects of an account that no list showed; how many are left out.

        Which ones are left out is a matter of chance, so that every one's turn comes.
        """
        (unshown,) = self._connection.execute(_COUNT_UNSHOWN, (account_id,)).fetchone()
        self._connection.execute(_OPEN_UNSHOWN, (account_id, count_max))
        return max(int(unshown) - count_max, 0)

    def keep_last(self, lasts: Iterable[tuple[str, bytes]]) -> None:
        """Keep the last record, key and value, of those objects that are open."""
        self._connection.executemany(
            "update open set last = ?2 where key = ?1", [(key, value) for key, value in lasts]
        )

    def close_open(self, keys: Iterable[str]) -> None:
        """Nothing about these objects is open any more."""
        self._connection.execute(
            "delete from open where key in (select value from json_each(?))", (_listed(keys),)
        )

    def opened(self) -> Iterator[Open]:
        """What is open, by key; it may be changed meanwhile."""
        after = ""
        while True:
            rows = self._connection.execute(_OPENED, (after, _PAGE)).fetchall()
            for row in rows:
                yield _open(row)
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    def open_keys(self, keys: Iterable[str]) -> set[str]:
        """Which of these objects are open."""
        rows = self._connection.execute(
            "select key from open where key in (select value from json_each(?))", (_listed(keys),)
        )
        return {row[0] for row in rows}

    def first_open_offsets(self) -> dict[int, int]:
        """Partition -> the first offset at which something stands that is open."""
        return dict(self._connection.execute(_FIRST_OPEN_OFFSETS))

    def count_open(self) -> int:
        """How many objects are open."""
        return int(self._connection.execute("select count(*) from open").fetchone()[0])

    def count_alive(self, account_id: str) -> int:
        """How many objects of an account are alive."""
        query = "select count(*) from known where account_id = ? and alive"
        return int(self._connection.execute(query, (account_id,)).fetchone()[0])

    def count_unshown(self, account_id: str) -> int:
        """How many live objects of an account no list showed."""
        return int(self._connection.execute(_COUNT_UNSHOWN, (account_id,)).fetchone()[0])

    def close(self) -> None:
        """Let go of the table and its file."""
        self._connection.close()


def temporary_database(tables: str) -> sqlite3.Connection:
    """A database without a name, in memory as long as it is small, that goes with the process."""
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    pragmas = ("journal_mode = off", "synchronous = off", f"cache_size = -{CACHE_KIBIBYTES}")
    for pragma in pragmas:
        connection.execute(f"pragma {pragma}")
    connection.executescript(tables)
    return connection


def _listed(keys: Iterable[str]) -> str:
    return msgspec.json.encode(list(keys)).decode()


def _known(row: tuple[str, str, bytes, int, int, int, int]) -> Known:
    key, account_id, fingerprint, event_at, alive, partition, offset = row
    return Known(
        key=key,
        account_id=account_id,
        fingerprint=fingerprint,
        event_at=event_at,
        alive=bool(alive),
        partition=partition,
        offset=offset,
    )


def _open(row: tuple[str, str, bytes, int, int, int, bytes]) -> Open:
    key, account_id, body, observed_second, retrieved, gone, last = row
    return Open(
        key=key,
        account_id=account_id,
        body=body,
        observed_second=observed_second,
        retrieved=bool(retrieved),
        gone=bool(gone),
        last=last,
    )


_PAGE: Final = 500

_TABLES: Final = """
create table known (
    key text primary key,
    account_id text not null,
    fingerprint blob not null,
    event_at integer not null,
    alive integer not null,
    partition integer not null,
    record_offset integer not null,
    shown integer not null default 0
) without rowid;
create table open (
    key text primary key,
    account_id text not null,
    body blob not null,
    observed_second integer not null,
    retrieved integer not null,
    gone integer not null,
    last blob not null
) without rowid;
"""

_UPSERT: Final = """
insert into known (key, account_id, fingerprint, event_at, alive, partition, record_offset)
values (?, ?, ?, ?, ?, ?, ?)
on conflict (key) do update set
    fingerprint = excluded.fingerprint,
    event_at = excluded.event_at,
    alive = excluded.alive,
    record_offset = excluded.record_offset
"""

_FIND: Final = """
select key, account_id, fingerprint, event_at, alive, partition, record_offset
from known where key in (select value from json_each(?))
"""

_MARK_SHOWN: Final = """
update known set shown = 1 where key in (select value from json_each(?))
"""

_OPEN: Final = """
insert into open (key, account_id, body, observed_second, retrieved, gone, last)
values (?, ?, ?, ?, ?, ?, ?)
on conflict (key) do update set
    body = excluded.body,
    observed_second = excluded.observed_second,
    retrieved = excluded.retrieved,
    gone = excluded.gone,
    last = case when excluded.last = x'' then open.last else excluded.last end
where excluded.observed_second >= open.observed_second
"""

_COUNT_UNSHOWN: Final = """
select count(*) from known where account_id = ? and alive and not shown
"""

_OPEN_UNSHOWN: Final = """
insert or ignore into open (key, account_id, body, observed_second, retrieved, gone, last)
select key, account_id, x'', 0, 0, 0, x'' from known
where account_id = ? and alive and not shown
order by random() limit ?
"""

_OPENED: Final = """
select key, account_id, body, observed_second, retrieved, gone, last
from open where key > ? order by key limit ?
"""

_FIRST_OPEN_OFFSETS: Final = """
select known.partition, min(known.record_offset)
from open join known using (key)
where open.last = x'' group by known.partition
"""
