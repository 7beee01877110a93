"""What is told of an inventory, counted while its rows pass: no row is held."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mm_model.records import Counts, Status
from mm_model.rows import Row

_MOST_LICENCES = 4


@dataclass
class _OfSource:
    files: int = 0
    kept: int = 0
    licences: Counter[str] = field(default_factory=Counter)


@dataclass
class Account:
    """Counts of the rows that passed through `of`.

    uncovered, unlicensed: files without consent, without a licence. sources, subjects: the names
    that were told, None where none was.
    """

    files: int = 0
    bytes: int = 0
    uncovered: int = 0
    unlicensed: int = 0
    sources: set[str | None] = field(default_factory=set)
    subjects: set[str | None] = field(default_factory=set)
    _told: bool = False
    _outcomes: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    _by_source: dict[str, _OfSource] = field(default_factory=dict)

    def of(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, counted."""
        for row in rows:
            self._add(row)
            yield row

    def _add(self, row: Row) -> None:
        self.files += 1
        self.bytes += row.get("bytes") or 0
        self.uncovered += row["consent"] is None
        self.unlicensed += row["licence"] is None
        self.sources.add(row["source"])
        self.subjects.add(row["subject"])
        self._told = self._told or bool(row["source"] or row["licence"])
        self._outcomes[row["status"], row.get("reason")] += 1
        mine = self._by_source.setdefault(row["source"] or "all", _OfSource())
        mine.files += 1
        mine.kept += row["status"] == Status.KEPT
        mine.licences[row["licence"] or "unknown"] += 1

    def counts(self) -> Counts:
        """The account of the stage."""
        return Counts.of_tally(self._outcomes)

    def lines(self) -> list[str]:
        """A line a source: files, kept, licences. None where nothing is said of any licence."""
        return [_line(name, mine) for name, mine in self._by_source.items() if self._told]


def _line(name: str, found: _OfSource) -> str:
    licences = found.licences.most_common()
    said = ", ".join(f"{licence} ({number})" for licence, number in licences[:_MOST_LICENCES])
    more = f" and {len(licences) - _MOST_LICENCES} more" if len(licences) > _MOST_LICENCES else ""
    which = licences[0][0] if len(licences) == 1 else said + more
    return f"source {name}: {found.files} files, {found.kept} kept, licence {which}"
