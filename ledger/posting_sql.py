"""The hot path of the ledger: entries written by one prepared statement through psycopg.

Django's own cursor sends parameters as text and prepares nothing; these statements run on a plain psycopg cursor of
the same connection, hence in the same transaction. Called by ``ledger.operations`` only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection
from psycopg import Cursor
from psycopg.rows import tuple_row

from ledger import chart
from ledger.chart import AccountRef
from ledger.postings import Posting, lines_digest


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A posting with the id and the digest of lines that its entry will have."""

    id: UUID
    posting: Posting
    digest: bytes


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What all writes of one call share: when it happened and was known, why, by whom, in which trace."""

    occurred_at: datetime
    recorded_at: datetime
    cause: str
    actor: str
    trace_id: str


_FIND_ACCOUNTS: Final = """
SELECT code, currency, id FROM ledger_account
JOIN unnest(%s::text[], %s::text[]) AS wanted (code, currency) USING (code, currency)
"""

# In the order of code and currency, so that two first uses of the same accounts wait for each other in one direction.
_OPEN_ACCOUNTS: Final = """
INSERT INTO ledger_account (code, currency, name, kind, normal_side, guarded, created_at)
SELECT code, currency, name, kind, normal_side, guarded, %s::timestamptz
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bool[])
    AS wanted (code, currency, name, kind, normal_side, guarded)
ORDER BY code, currency
ON CONFLICT (code, currency) DO NOTHING
"""

# Header, lines and first transition in one statement. A source that exists already returns no row and writes nothing;
# the order of sources keeps two batches from waiting for each other in a circle. The moment of effect is asked for once
# and before any row is written: it takes the lock that closing a month waits for, and whoever waits should hold little.
_WRITE: Final = """
WITH moment AS MATERIALIZED (
    SELECT ledger_effective_at(%(effective_from)s::timestamptz) AS effective_at
), header AS (
    INSERT INTO ledger_entry (id, state, source_type, source_id, source_kind, source_sequence, description, reverses_id,
                              line_count, lines_digest, occurred_at, recorded_at, trace_id)
    SELECT id, state, source_type, source_id, source_kind, source_sequence, description, reverses_id,
           line_count, lines_digest, %(occurred_at)s::timestamptz, %(recorded_at)s::timestamptz, %(trace_id)s::text
    FROM moment, unnest(%(ids)s::uuid[], %(states)s::text[], %(source_types)s::text[], %(source_ids)s::uuid[],
                %(source_kinds)s::text[], %(source_sequences)s::int[], %(descriptions)s::text[], %(reverses)s::uuid[],
                %(line_counts)s::int[], %(digests)s::bytea[])
        AS wanted (id, state, source_type, source_id, source_kind, source_sequence, description, reverses_id,
                   line_count, lines_digest)
    WHERE effective_at IS NOT NULL
    ORDER BY source_type, source_id, source_kind, source_sequence
    ON CONFLICT (source_type, source_id, source_kind, source_sequence) DO NOTHING
    RETURNING id, state
), lines AS (
    INSERT INTO ledger_line (entry_id, number, account_id, currency, amount, method)
    SELECT line.entry_id, line.number, line.account_id, line.currency, line.amount, line.method
    FROM unnest(%(line_entries)s::uuid[], %(numbers)s::smallint[], %(accounts)s::bigint[], %(currencies)s::text[],
                %(amounts)s::bigint[], %(methods)s::text[])
        AS line (entry_id, number, account_id, currency, amount, method)
    JOIN header ON header.id = line.entry_id
), transitions AS (
    INSERT INTO ledger_entry_transition (entry_id, from_state, to_state, cause, effective_at, occurred_at, recorded_at,
                                         actor, trace_id)
    SELECT id, '', state, %(cause)s::text, effective_at, %(occurred_at)s::timestamptz,
           %(recorded_at)s::timestamptz, %(actor)s::text, %(trace_id)s::text
    FROM header, moment
)
SELECT id FROM header
"""


def account_ids(accounts: Iterable[AccountRef], *, now: datetime) -> dict[AccountRef, int]:
    """Return the ids of accounts, opening those that are used for the first time.

    Raises:
        UnknownAccount: a code does not follow the chart.
    """
    wanted = sorted(set(accounts))
    ids = _find_accounts(wanted)
    missing = [account for account in wanted if account not in ids]
    if missing:
        _open_accounts(missing, now=now)
        # A twin may have opened them meanwhile; then our INSERT did nothing and only a fresh look finds them.
        ids |= _find_accounts(missing)
    return ids


def write(
    entries: Sequence[NewEntry],
    *,
    account_ids: dict[AccountRef, int],
    effective_from: datetime,
    circumstances: Circumstances,
) -> set[UUID]:
    """Write entries with their lines and first transitions; return the ids of those whose source was new.

    They take effect at ``effective_from``, or where the open books begin if that is later.

    Raises:
        django.db.IntegrityError: a constraint or trigger refuses an entry.
    """
    rows = _execute(
        _WRITE,
        {
            **_headers(entries),
            **_lines(entries, account_ids),
            "occurred_at": circumstances.occurred_at,
            "effective_from": effective_from,
            "recorded_at": circumstances.recorded_at,
            "cause": circumstances.cause,
            "actor": circumstances.actor,
            "trace_id": circumstances.trace_id,
        },
    )
    return {row[0] for row in rows}


def new_entry(*, entry_id: UUID, posting: Posting, account_ids: dict[AccountRef, int]) -> NewEntry:
    """Give a posting its id and digest."""
    return NewEntry(entry_id, posting, lines_digest(posting.lines, account_ids=account_ids))


def _headers(entries: Sequence[NewEntry]) -> dict[str, str]:
    postings = [entry.posting for entry in entries]
    sources = [posting.source for posting in postings]
    return {
        "ids": _array(entry.id.hex for entry in entries),
        "states": _array(posting.state.value for posting in postings),
        "source_types": _array(_quoted(source.type) for source in sources),
        "source_ids": _array(source.id.hex for source in sources),
        "source_kinds": _array(_quoted(source.kind) for source in sources),
        "source_sequences": _array(str(source.sequence) for source in sources),
        "descriptions": _array(_quoted(posting.description) for posting in postings),
        "reverses": _array(posting.reverses.hex if posting.reverses else "NULL" for posting in postings),
        "line_counts": _array(str(len(posting.lines)) for posting in postings),
        "digests": _array(rf'"\\x{entry.digest.hex()}"' for entry in entries),
    }


def _lines(entries: Sequence[NewEntry], account_ids: dict[AccountRef, int]) -> dict[str, str]:
    numbered = [
        (entry.id.hex, number, line) for entry in entries for number, line in enumerate(entry.posting.lines, start=1)
    ]
    return {
        "line_entries": _array(entry_id for entry_id, _, _ in numbered),
        "numbers": _array(str(number) for _, number, _ in numbered),
        "accounts": _array(str(account_ids[line.account]) for _, _, line in numbered),
        "currencies": _array(_quoted(line.account.currency) for _, _, line in numbered),
        "amounts": _array(str(line.amount) for _, _, line in numbered),
        "methods": _array(_quoted(line.method) for _, _, line in numbered),
    }


def _array(elements: Iterable[str]) -> str:
    """Write an array as PostgreSQL reads it; a tenth of the time the driver needs for a list of a thousand."""
    return "{" + ",".join(elements) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _find_accounts(accounts: Sequence[AccountRef]) -> dict[AccountRef, int]:
    by_key = {(account.code, account.currency): account for account in accounts}
    codes = [account.code for account in accounts]
    currencies = [account.currency for account in accounts]
    rows = _execute(_FIND_ACCOUNTS, (codes, currencies))
    return {by_key[code, currency]: account_id for code, currency, account_id in rows}


def _open_accounts(accounts: Sequence[AccountRef], *, now: datetime) -> None:
    lines = [chart.find(account.code) for account in accounts]
    parameters = (
        now,
        [account.code for account in accounts],
        [account.currency for account in accounts],
        [account.name for account in accounts],
        [str(line.kind) for line in lines],
        [str(line.side) for line in lines],
        [line.guarded for line in lines],
    )
    _execute(_OPEN_ACCOUNTS, parameters)


def _execute(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection, row_factory=tuple_row) as cursor:
        cursor.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []
