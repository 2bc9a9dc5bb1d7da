"""A table made again from its topic, or only compared with it, while people use it.

The topic is read into a shadow; rows that differ from it are put right in short transactions. What
the live sink writes meanwhile stays: a row is only taken for wrong if no record explains it, those
that came after the reading began included.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from sink.batch import Partition
from sink.errors import SuspiciousTopic, TopicMissing
from sink.filling import Site, fill
from sink.kafka_ranges import Extent, TopicReader, places_of
from sink.load import WriterSchema
from sink.postgres import Connection
from sink.postgres_comparison import Comparer
from sink.postgres_offsets import Offsets
from sink.postgres_shadow import Shadow, Unreadable
from sink.postgres_tables import Tables
from sink.rebuild_tables import Comparison, Finding, Working, comparison_of
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
    ) -> None:
        self._site = site
        self._reader = reader
        self._connection = connection
        self._writer = writer
        self._watcher = watcher
        self._processes = processes
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
        reached = shadow.open(topic_id=extent.topic_id, starts=extent.starts)
        self._read(table, reached, ends)
        self._watcher.comparing(table)
        writers = [self._writer(schema_id) for schema_id in shadow.schema_ids()]
        found = [
            one
            for working in (shadow.own, shadow.connect)
            if (one := self._compared(working, writers, shadow, apply=apply)) is not None
        ]
        if any(WITHOUT_RECORD & one.findings.keys() for one in found):
            self._explain(table, topic, found, shadow)
        if apply:
            for one in found:
                _check(one)
        tables = [self._finished(one, apply=apply) for one in found]
        report = Report(
            table=table,
            records=shadow.records(),
            tables=tables,
            unreadable=shadow.unreadable(),
        )
        if apply and not report.incomplete:
            self._offsets.begin_at(places_of(topic, extent.ends))
        shadow.drop()
        return report

    def _written(self, topic: str, extent: Extent) -> dict[int, int]:
        """How far the table claims to be: what the sink has not written yet is no difference."""
        known = self._offsets.reached([Partition(topic, number) for number in extent.ends])
        return {
            number: min(end, known.get(Partition(topic, number), end))
            for number, end in extent.ends.items()
        }

    def _read(self, table: str, starts: Mapping[int, int], ends: Mapping[int, int]) -> None:
        offsets = sum(max(0, ends[number] - start) for number, start in starts.items())
        self._watcher.reading(table, offsets)
        fill(
            self._site,
            table,
            starts=starts,
            ends=ends,
            processes=self._processes,
            told=self._watcher.passed,
        )

    def _compared(
        self, working: Working, writers: Sequence[WriterSchema], shadow: Shadow, *, apply: bool
    ) -> "_Found | None":
        """What differs in one table; none if neither the topic nor the database has it."""
        comparer = Comparer(self._connection, working=working, owner=shadow.own.target)
        in_topic, in_database = comparer.shadow_exists(), comparer.target_exists()
        if not (in_topic or in_database):
            return None
        columns = {column.name: column for one in writers for column in one.shape.columns}
        if not columns:
            raise SuspiciousTopic(
                f"The topic of {working.target} holds no record, and the table is there. Nothing "
                "was changed. Is KAFKA_NAMESPACE right? Drop the table if it is."
            )
        if apply and in_topic:
            shapes = {one.schema_id: one.shape for one in writers}
            kept = self._tables.fit(working.target, shapes, key=working.key)
            in_database = True
        else:
            kept = self._tables.kept(working.target, columns)
        comparison = comparison_of(working, columns, kept=kept)
        comparer.make_newest_only(comparison)
        findings = (
            comparer.compare(comparison)
            if in_database
            else Counter({Finding.MISSING: comparer.rows(comparison)})
        )
        return _Found(
            comparer=comparer,
            comparison=comparison,
            in_database=in_database,
            findings=findings,
            columns_missing=sorted(columns.keys() - kept) if in_database else (),
        )

    def _explain(self, table: str, topic: str, found: Sequence["_Found"], shadow: Shadow) -> None:
        """Read on, and strike out the rows that a newer record has made."""
        extent = self._reader.extent(topic)
        assert extent is not None
        for one in found:
            one.comparer.let_more_in()
        self._read(table, shadow.next_offsets(), extent.ends)
        for one in found:
            one.comparer.make_newest_only(one.comparison)
            if one.in_database:
                one.findings = one.comparer.explain(one.comparison)

    def _finished(self, found: "_Found", *, apply: bool) -> TableReport:
        """Put one table right if `apply`, and say what was found."""
        comparer, comparison = found.comparer, found.comparison
        name, keys = comparison.working.target, comparer.rows(comparison)
        changed = comparer.changed(comparison) if found.in_database else {}
        refused: Counter[str] = Counter()
        if apply:
            self._watcher.repairing(name.table, sum(found.findings.values()))
            for repaired in comparer.repair(comparison):
                refused.update(repaired.refused)
                self._watcher.passed(repaired.rows)
        return TableReport(
            name=name,
            keys=keys,
            findings=dict(found.findings),
            changed=changed,
            columns_missing=found.columns_missing,
            refused=dict(refused),
        )


@dataclass(slots=True, kw_only=True)
class _Found:
    """One table on its way through a rebuild."""

    comparer: Comparer
    comparison: Comparison
    in_database: bool
    findings: Counter[Finding]
    columns_missing: Sequence[str]


def _check(found: _Found) -> None:
    """Refuse what looks like another topic than the table's."""
    extra = found.findings.get(Finding.EXTRA, 0)
    keys = found.comparer.rows(found.comparison)
    if extra > keys:
        raise SuspiciousTopic(
            f"{extra} rows of {found.comparison.working.target} have no record in the topic, "
            f"which has {keys} keys. Nothing was changed. Is KAFKA_NAMESPACE right, and is the "
            "topic whole? Delete the rows by hand if they are to go."
        )
