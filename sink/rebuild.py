"""A table made again from its topic, or only compared with it, while people use it.

The topic is read into a shadow; rows that differ from it are put right in short transactions. What
the live sink writes meanwhile stays: a row is only taken for wrong if no record explains it, those
that came after the reading began included. Tables that are empty are filled straight from the
topic, as the sink fills them.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from sink.batch import Partition
from sink.errors import SuspiciousTopic, TopicMissing
from sink.filling import Site, fill
from sink.kafka_ranges import Extent, TopicReader, places_of
from sink.load import WriterSchema
from sink.patience import Pause, patiently
from sink.postgres import Connection
from sink.postgres_comparison import Comparer
from sink.postgres_offsets import Offsets
from sink.postgres_shadow import Shadow, Unreadable
from sink.postgres_tables import Tables
from sink.rebuild_tables import Comparison, Finding, Working, columns_of, comparison_of
from sink.tables import TableName

WITHOUT_RECORD: Final = frozenset({Finding.EXTRA, Finding.AHEAD})
"""What a record from behind the first end may explain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport:
    """What was found in one table.

    Attributes:
        keys: how many keys the topic has.
        findings: how many rows differ, by how they do.
        changed: in how many of them each column differs.
        columns_missing: columns that records have and the table lacks.
        refused: rows that could not be put right, by SQLSTATE.
    """

    name: TableName
    keys: int
    findings: Mapping[Finding, int]
    changed: Mapping[str, int] = field(default_factory=dict)
    columns_missing: Sequence[str] = ()
    refused: Mapping[str, int] = field(default_factory=dict)

    @property
    def differing(self) -> int:
        """How many rows differ, missing ones included."""
        return sum(self.findings.values())

    @property
    def same(self) -> int:
        """How many keys have the row that their last record says."""
        return self.keys - self.differing + self.findings.get(Finding.EXTRA, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one object's rebuild or verification.

    Attributes:
        records: how many records were read.
        unreadable: those that could not be; the rows of their keys were left alone.
    """

    table: str
    records: int
    tables: Sequence[TableReport]
    unreadable: Sequence[Unreadable]

    @property
    def differs(self) -> bool:
        """Whether a row or a column was not as the topic says."""
        return any(one.differing or one.columns_missing for one in self.tables)

    @property
    def incomplete(self) -> bool:
        """Whether a record could not be read or a row not be put right."""
        return bool(self.unreadable) or any(one.refused for one in self.tables)


class Watcher(Protocol):
    """Told of progress."""

    def reading(self, table: str, offsets: int, /) -> None:
        """So many offsets are to be passed."""
        ...

    def passed(self, offsets: int, /) -> None:
        """So many more were passed."""
        ...

    def comparing(self, table: str, /) -> None:
        """The topic is read."""
        ...

    def repairing(self, table: str, rows: int, /) -> None:
        """So many rows are to be put right."""
        ...


class Rebuild:
    """Rebuilds or verifies one object after the other.

    Args:
        site: where everything is.
        reader: of its topics.
        connection: a session that is used for nothing else.
        writer: what follows from a schema id.
        processes: that read one topic side by side at most.
        pause: waits before something is tried again that others were in the way of.
    """

    def __init__(
        self,
        site: Site,
        *,
        reader: TopicReader,
        connection: Connection,
        writer: Callable[[int], WriterSchema],
        watcher: Watcher,
        processes: int,
        pause: Pause = time.sleep,
    ) -> None:
        self._site = site
        self._reader = reader
        self._connection = connection
        self._writer = writer
        self._watcher = watcher
        self._processes = processes
        self._pause = pause
        self._tables = Tables(connection)
        self._offsets = Offsets(connection, schema=site.schema)

    def run(self, table: str, *, apply: bool) -> Report:
        """Compare an object's tables with its topic, and put them right if `apply`.

        Raises:
            TopicMissing: there is nothing to compare with.
            SuspiciousTopic: most rows have no record; nothing was changed.
            RebuildTaken, KafkaAway, PostgresAway, PostgresRefused, RegistryUnreachable: run it
                again; it goes on where it stood.
        """
        topic = self._site.names.object_topic(table)
        extent = self._reader.extent(topic)
        if extent is None:
            raise TopicMissing(f"There is no topic {topic}. Is KAFKA_NAMESPACE right?")
        shadow = self._site.shadow(self._connection, table)
        shadow.lock()
        ends = extent.ends if apply else self._written(topic, extent)
        reached = shadow.open(topic_id=extent.topic_id, starts=extent.starts, ends=ends)
        if apply and reached == dict(extent.starts) and self._is_empty(shadow):
            report = self._filled(table, shadow, reached, ends)
            if report is not None:
                return self._ended(report, shadow, topic, extent)
            reached = shadow.open(topic_id=extent.topic_id, starts=extent.starts, ends=ends)
        self._read(table, reached, ends)
        self._watcher.comparing(table)
        found = [
            one
            for working in (shadow.own, shadow.connect)
            if (one := self._compared(working, shadow, apply=apply)) is not None
        ]
        doubted = any(WITHOUT_RECORD & one.findings.keys() for one in found)
        if doubted:
            self._explain(table, topic, found, shadow, apply=apply)
        for one in found:
            one.take_stock()
        records, unreadable = shadow.records(), shadow.unreadable()
        if apply:
            for one in found:
                _check(one)
            for one in found:
                self._put_right(one)
            if doubted:
                self._catch_up(table, topic, found, shadow)
        report = Report(
            table=table,
            records=records,
            tables=[one.report() for one in found],
            unreadable=unreadable,
        )
        if apply:
            return self._ended(report, shadow, topic, extent)
        shadow.drop()
        return report

    def _ended(self, report: Report, shadow: Shadow, topic: str, extent: Extent) -> Report:
        if not report.incomplete:
            self._offsets.begin_at(places_of(topic, extent.ends))
        shadow.drop()
        return report

    def _is_empty(self, shadow: Shadow) -> bool:
        return all(
            self._comparer(working, shadow).target_is_empty()
            for working in (shadow.own, shadow.connect)
        )

    def _filled(
        self, table: str, shadow: Shadow, starts: Mapping[int, int], ends: Mapping[int, int]
    ) -> Report | None:
        """Fill tables that are empty; none if they are still to be compared.

        They are where schemas differ: a row that was written before a later schema's columns were
        known may lack what its record has of them.
        """
        self._read(table, starts, ends, straight=True)
        writers = [self._writer(schema_id) for schema_id in shadow.schema_ids()]
        if len({frozenset(columns_of([one])) for one in writers}) != 1:
            return None
        found = [
            (working.target, self._comparer(working, shadow).target_rows())
            for working in (shadow.own, shadow.connect)
        ]
        return Report(
            table=table,
            records=shadow.records(),
            tables=[
                TableReport(name=name, keys=rows, findings={Finding.MISSING: rows})
                for name, rows in found
                if rows
            ],
            unreadable=shadow.unreadable(),
        )

    def _comparer(self, working: Working, shadow: Shadow) -> Comparer:
        return Comparer(
            self._connection, working=working, owner=shadow.own.target, pause=self._pause
        )

    def _written(self, topic: str, extent: Extent) -> dict[int, int]:
        """How far the table claims to be: what the sink has not written yet is no difference."""
        known = self._offsets.reached([Partition(topic, number) for number in extent.ends])
        return {
            number: min(end, known.get(Partition(topic, number), end))
            for number, end in extent.ends.items()
        }

    def _read(
        self,
        table: str,
        starts: Mapping[int, int],
        ends: Mapping[int, int],
        *,
        straight: bool = False,
    ) -> None:
        offsets = sum(max(0, ends[number] - start) for number, start in starts.items())
        self._watcher.reading(table, offsets)
        fill(
            self._site,
            table,
            starts=starts,
            ends=ends,
            processes=self._processes,
            straight=straight,
            told=self._watcher.passed,
        )

    def _compared(self, working: Working, shadow: Shadow, *, apply: bool) -> "_Found | None":
        """What differs in one table; none if neither the topic nor the database has it."""
        comparer = self._comparer(working, shadow)
        if not (comparer.shadow_exists() or comparer.target_exists()):
            return None
        found = self._prepared(comparer, working, shadow, apply=apply)
        found.findings = (
            comparer.compare(found.comparison)
            if found.in_database
            else Counter({Finding.MISSING: comparer.rows(found.comparison)})
        )
        return found

    def _prepared(
        self, comparer: Comparer, working: Working, shadow: Shadow, *, apply: bool
    ) -> "_Found":
        """A table that can take its shadow's rows if `apply`, and a shadow to compare it with."""
        writers = [self._writer(schema_id) for schema_id in shadow.schema_ids()]
        columns = columns_of(writers)
        if not columns:
            raise SuspiciousTopic(
                f"The topic of {working.target} holds no record, and the table is there. Nothing "
                "was changed. Is KAFKA_NAMESPACE right? Drop the table if it is."
            )
        if apply and comparer.shadow_exists():
            shapes = {one.schema_id: one.shape for one in writers}
            kept = patiently(
                lambda: self._tables.fit(working.target, shapes, key=working.key),
                pause=self._pause,
            )
        elif comparer.target_exists():
            kept = self._tables.kept(working.target, columns)
        else:
            kept = {name: column.sql_type for name, column in columns.items()}
        comparison = comparison_of(working, writers, kept=kept)
        comparer.make_newest_only(comparison)
        in_database = comparer.target_exists()
        return _Found(
            comparer=comparer,
            comparison=comparison,
            in_database=in_database,
            columns_missing=sorted(columns.keys() - kept) if in_database else (),
        )

    def _explain(
        self,
        table: str,
        topic: str,
        found: "Sequence[_Found]",
        shadow: Shadow,
        *,
        apply: bool,
    ) -> None:
        """Read on, and strike out the rows that a newer record has made."""
        self._read_on(table, topic, found, shadow, apply=apply)
        for one in found:
            if one.in_database:
                one.findings = one.comparer.explain(one.comparison)

    def _catch_up(self, table: str, topic: str, found: "Sequence[_Found]", shadow: Shadow) -> None:
        """Give the rows that were deleted or set back what the sink has passed over meanwhile.

        As long as a row claimed a later time, the guard kept its newest records out.
        """
        self._read_on(table, topic, found, shadow, apply=True)
        for one in found:
            for repaired in one.comparer.follow(one.comparison):
                one.refused.update(repaired.refused)

    def _read_on(
        self,
        table: str,
        topic: str,
        found: "Sequence[_Found]",
        shadow: Shadow,
        *,
        apply: bool,
    ) -> None:
        """Take in what was published up to now."""
        extent = self._reader.extent(topic)
        assert extent is not None
        for one in found:
            one.comparer.let_more_in()
        self._read(table, shadow.next_offsets(), extent.ends)
        for one in found:
            # A newer record may name a newer schema: its row is not to lack the new columns.
            now = self._prepared(one.comparer, one.comparison.working, shadow, apply=apply)
            one.comparison, one.columns_missing = now.comparison, now.columns_missing

    def _put_right(self, found: "_Found") -> None:
        rows = sum(found.findings.values())
        self._watcher.repairing(found.comparison.working.target.table, rows)
        for repaired in found.comparer.repair(found.comparison):
            found.refused.update(repaired.refused)
            self._watcher.passed(repaired.rows)


@dataclass(slots=True, kw_only=True)
class _Found:
    """One table on its way through a rebuild."""

    comparer: Comparer
    comparison: Comparison
    in_database: bool
    columns_missing: Sequence[str]
    keys: int = 0
    findings: Counter[Finding] = field(default_factory=Counter)
    changed: Mapping[str, int] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    def take_stock(self) -> None:
        """Count what is there, before anything is put right."""
        self.keys = self.comparer.rows(self.comparison)
        if self.in_database:
            self.changed = self.comparer.changed(self.comparison)

    def report(self) -> TableReport:
        """What became of it."""
        return TableReport(
            name=self.comparison.working.target,
            keys=self.keys,
            findings=dict(self.findings),
            changed=self.changed,
            columns_missing=self.columns_missing,
            refused=dict(self.refused),
        )


def _check(found: _Found) -> None:
    """Refuse what looks like another topic than the table's."""
    extra, keys = found.findings.get(Finding.EXTRA, 0), found.keys
    if extra > keys:
        raise SuspiciousTopic(
            f"{extra} rows of {found.comparison.working.target} have no record in the topic, "
            f"which has {keys} keys. Nothing was changed. Is KAFKA_NAMESPACE right, and is the "
            "topic whole? Delete the rows by hand if they are to go."
        )
