"""The events of a statement file in batches, each of which is committed as a whole; a resumed run skips the first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from reconciliation.formats.contract import (
    ControlTotals,
    EndOfFile,
    Event,
    Reject,
    StatementHeader,
    StatementLine,
    reject,
)

# PostgreSQL's B-tree takes no key beyond about 2,700 bytes; no reference of a provider or bank is as long as this.
LONGEST_REFERENCE: Final = 500


@dataclass(slots=True)
class Batch:
    """What is written in one transaction."""

    headers: list[StatementHeader] = field(default_factory=list)
    lines: list[StatementLine] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    totals: list[ControlTotals] = field(default_factory=list)
    end: EndOfFile | None = None

    @property
    def rows(self) -> int:
        """How many rows of the file it holds."""
        return len(self.lines) + len(self.rejects)

    @property
    def weight(self) -> int:
        """How many rows of the database it will be."""
        return self.rows + len(self.headers) + len(self.totals)

    def add(self, event: Event, *, after: int) -> None:
        """Take an event in, unless it is a row that was committed before."""
        match event:
            case StatementLine() if event.row > after:
                self._add_line(event)
            case Reject() if event.row > after:
                self.rejects.append(event)
            case StatementHeader():
                self.headers.append(event)
            case ControlTotals():
                self.totals.append(event)
            case EndOfFile():
                self.end = event
            case _:
                pass

    def _add_line(self, line: StatementLine) -> None:
        references = (line.provider_reference, line.our_reference, line.batch_id)
        if max(map(len, references)) <= LONGEST_REFERENCE:
            self.lines.append(line)
            return
        self.rejects.append(
            reject(
                row=line.row,
                line_number=line.line_number,
                reason=f"A reference is longer than {LONGEST_REFERENCE} characters.",
                excerpt=max(references, key=len),
                statement_id=line.statement_id,
                amount=line.net,
            )
        )


def batches(events: Iterable[Event], *, after: int, size: int) -> Iterator[Batch]:
    """Gather events; the last batch, and only that one, has its ``end``.

    Args:
        events: of ``formats.registry.read``.
        after: rows up to this one are committed already. Headers and totals are given again; writing them twice does
            nothing.
        size: how much a batch holds at most.
    """
    batch = Batch()
    for event in events:
        batch.add(event, after=after)
        if batch.weight >= size and batch.end is None:
            yield batch
            batch = Batch()
    yield batch
