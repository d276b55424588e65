"""The floor of posting: COPY of the same rows into tables like the ledger's, without triggers.

The twins have the ledger's columns, defaults, checks, keys, indexes and foreign keys.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import psycopg
from django.db import connection

from ledger import postings
from ledger.chart import AccountRef
from ledger.postings import Posting
from paymentops.core import ids

_TWINS: Final = {
    "ledger_entry": "bench_entry",
    "ledger_line": "bench_line",
    "ledger_entry_transition": "bench_entry_transition",
}
_FOREIGN_KEYS: Final = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'
"""
_COPIES: Final = (
    """COPY bench_entry (id, state, source_type, source_id, source_kind, source_sequence, description, line_count,
                         lines_digest, occurred_at, recorded_at, trace_id) FROM STDIN""",
    "COPY bench_line (entry_id, number, account_id, currency, amount, method) FROM STDIN",
    """COPY bench_entry_transition (entry_id, from_state, to_state, cause, effective_at, occurred_at, recorded_at,
                                    actor, trace_id) FROM STDIN""",
)

# The three texts that COPY reads: headers, lines and first transitions of one batch.
type Rows = tuple[bytes, bytes, bytes]


def make() -> None:
    """Create the twin tables."""
    with connection.cursor() as cursor:
        for table, twin in _TWINS.items():
            cursor.execute(f"CREATE TABLE {twin} (LIKE {table} INCLUDING ALL)")
            cursor.execute(_FOREIGN_KEYS, [table])
            for name, definition in cursor.fetchall():
                cursor.execute(f'ALTER TABLE {twin} ADD CONSTRAINT "bench_{name}" {_among_twins(definition)}')


def rows(batch: Sequence[Posting], *, account_ids: dict[AccountRef, int]) -> Rows:
    """Write a batch as the product would store it, in COPY's text format."""
    now = datetime.now(UTC)
    entries = [(ids.new(now), posting) for posting in batch]
    moment = now.isoformat()
    headers = (
        f"{entry_id}\tPOSTED\t{posting.source.type}\t{posting.source.id}\t{posting.source.kind}\t"
        f"{posting.source.sequence}\t{posting.description}\t{len(posting.lines)}\t"
        f"\\\\x{postings.lines_digest(posting.lines, account_ids=account_ids).hex()}\t{moment}\t{moment}\t\n"
        for entry_id, posting in entries
    )
    lines = (
        f"{entry_id}\t{number}\t{account_ids[line.account]}\t{line.account.currency}\t{line.amount}\t{line.method}\n"
        for entry_id, posting in entries
        for number, line in enumerate(posting.lines, start=1)
    )
    moves = (f"{entry_id}\t\tPOSTED\tbench:floor\t{moment}\t{moment}\t{moment}\tsystem\t\n" for entry_id, _ in entries)
    return _text(headers), _text(lines), _text(moves)


def copy(opened: psycopg.Connection, batch: Rows) -> None:
    """Store one batch in one transaction."""
    with opened.transaction(), opened.cursor() as cursor:
        for statement, text in zip(_COPIES, batch, strict=True):
            with cursor.copy(statement) as target:
                target.write(text)


def _text(lines: Iterator[str]) -> bytes:
    return "".join(lines).encode()


def _among_twins(definition: str) -> str:
    for table, twin in _TWINS.items():
        definition = definition.replace(f"REFERENCES {table}(", f"REFERENCES {twin}(")
    return definition
