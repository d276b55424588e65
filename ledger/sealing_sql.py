"""The statements of sealing and folding. Called by ``ledger.operations`` only.

They run on a plain psycopg cursor of Django's connection, hence in its transaction. None is prepared, and sequential
scans are switched off for the transaction: a plan made while a table was small would be kept while it grows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection
from psycopg import Cursor
from psycopg.rows import tuple_row

from ledger.chain import SNAPSHOT_EVERY, Watch
from ledger.queries.folding import FOLD_OF_LINE


@dataclass(frozen=True, slots=True)
class Head:
    """The locked head row, and what the lock's own transaction saw: its id, and the oldest one still running."""

    seq: int
    hash: bytes
    low_id: int
    watch_id: int
    watch_xid: int | None
    own_xid: int
    oldest_xid: int


@dataclass(frozen=True, slots=True)
class Link:
    """One link to write: its place, the transition it seals, that one's digest, and the hash of the chain so far."""

    seq: int
    transition_id: int
    digest: bytes
    hash: bytes


_LOOK: Final = """
SELECT coalesce((SELECT max(id) FROM ledger_entry_transition), 0), coalesce((SELECT low_id FROM ledger_chain_head), 0),
       coalesce((SELECT seq FROM ledger_chain_head), 0)
"""

_MAKE_HEAD: Final = """
INSERT INTO ledger_chain_head (id, seq, hash, low_id, watch_id) VALUES (1, 0, %(hash)s, 0, 0) ON CONFLICT DO NOTHING
"""

_LOCK_HEAD: Final = """
SELECT seq, hash, low_id, watch_id, watch_xid::text::bigint,
       pg_current_xact_id()::text::bigint, pg_snapshot_xmin(pg_current_snapshot())::text::bigint
FROM ledger_chain_head FOR NO KEY UPDATE
"""

# What the digest of an entry's first transition says of accounts.
CODES_OF_LINES: Final = """
    SELECT string_agg(account.code, ' ' ORDER BY line.number)
    FROM ledger_line line JOIN ledger_account account ON account.id = line.account_id
    WHERE move.from_state = '' AND line.entry_id = move.entry_id
"""

# The anti-join stays a probe per transition (OFFSET 0), whatever the planner believes about the tables' sizes.
_UNSEALED: Final = f"""
SELECT move.id, ledger_transition_digest(move, header, ({CODES_OF_LINES}))
FROM ledger_entry_transition move JOIN ledger_entry header ON header.id = move.entry_id
WHERE move.id > %(low_id)s
  AND NOT EXISTS (SELECT FROM ledger_chain_link link WHERE link.transition_id = move.id OFFSET 0)
ORDER BY move.id LIMIT %(limit)s
"""  # noqa: S608 - constants only

_WRITE_LINKS: Final = """
INSERT INTO ledger_chain_link (seq, transition_id, digest, hash, sealed_at)
SELECT seq, transition_id, digest, hash, %(now)s::timestamptz
FROM unnest(%(seqs)s::bigint[], %(transitions)s::bigint[], %(digests)s::bytea[], %(hashes)s::bytea[])
    AS link (seq, transition_id, digest, hash)
"""

# Movements, the sums of their accounts, and every snapshot that now stands behind one of them, in one statement. A
# snapshot's amounts grow by all new movements before it; ``grown`` counts those since the snapshot before.
_FOLD: Final = """
WITH moved AS (
    INSERT INTO ledger_movement
        (account_id, effective_at, transition_id, number, recorded_at, posted, pending_debits, pending_credits,
         lateness)
    SELECT moved.*, ledger_lateness(moved.effective_at, moved.recorded_at)
    FROM (
        {moved}
        FROM unnest(%(transitions)s::bigint[]) AS sealed (id)
        CROSS JOIN LATERAL (
            SELECT * FROM ledger_entry_transition WHERE id = sealed.id AND to_state <> 'REVERSED' OFFSET 0) move
        CROSS JOIN LATERAL (SELECT * FROM ledger_line WHERE entry_id = move.entry_id OFFSET 0) line
    ) moved
    RETURNING account_id, effective_at, transition_id, number, posted, pending_debits, pending_credits
), totals AS (
    INSERT INTO ledger_folded_balance AS folded
        (account_id, posted, pending_debits, pending_credits, movements, drifts)
    SELECT account_id, sum(posted), sum(pending_debits), sum(pending_credits), count(*), 0
    FROM moved GROUP BY account_id ORDER BY account_id
    ON CONFLICT (account_id) DO UPDATE
    SET posted = folded.posted + excluded.posted,
        pending_debits = folded.pending_debits + excluded.pending_debits,
        pending_credits = folded.pending_credits + excluded.pending_credits,
        movements = folded.movements + excluded.movements
    RETURNING account_id
), earliest AS (
    SELECT DISTINCT ON (account_id) * FROM moved ORDER BY account_id, effective_at, transition_id, number
), behind AS MATERIALIZED (
    SELECT later.* FROM earliest CROSS JOIN LATERAL (
        SELECT account_id, effective_at, transition_id, number FROM ledger_balance_snapshot snapshot
        WHERE snapshot.account_id = earliest.account_id
          AND (snapshot.effective_at, snapshot.transition_id, snapshot.number)
              > (earliest.effective_at, earliest.transition_id, earliest.number)
        OFFSET 0) later
), running AS (
    SELECT account_id, effective_at, transition_id, number, is_snapshot, sum(posted) OVER before AS posted,
           sum(pending_debits) OVER before AS pending_debits, sum(pending_credits) OVER before AS pending_credits,
           count(*) FILTER (WHERE NOT is_snapshot) OVER before AS movements
    FROM (
        SELECT account_id, effective_at, transition_id, number, posted, pending_debits, pending_credits,
               false AS is_snapshot
        FROM moved WHERE account_id IN (SELECT account_id FROM behind)
        UNION ALL
        SELECT account_id, effective_at, transition_id, number, 0, 0, 0, true FROM behind
    ) together
    WINDOW before AS (PARTITION BY account_id ORDER BY effective_at, transition_id, number ROWS UNBOUNDED PRECEDING)
), growth AS (
    SELECT *, movements - lag(movements, 1, 0::bigint) OVER (
               PARTITION BY account_id ORDER BY effective_at, transition_id, number) AS grown
    FROM running WHERE is_snapshot
), carried AS (
    UPDATE ledger_balance_snapshot snapshot
    SET posted = snapshot.posted + growth.posted,
        pending_debits = snapshot.pending_debits + growth.pending_debits,
        pending_credits = snapshot.pending_credits + growth.pending_credits,
        movements = snapshot.movements + growth.movements
    FROM growth
    WHERE (snapshot.account_id, snapshot.effective_at, snapshot.transition_id, snapshot.number)
        = (growth.account_id, growth.effective_at, growth.transition_id, growth.number)
    RETURNING snapshot.account_id, snapshot.effective_at, snapshot.transition_id, snapshot.number, growth.grown
)
SELECT account_id, NULL::timestamptz, NULL::bigint, NULL::int FROM totals
UNION ALL
SELECT account_id, effective_at, transition_id, number FROM carried WHERE grown > 0
""".replace("{moved}", FOLD_OF_LINE)

# A stretch of twice the size is cut after every so many movements, the last of which stay uncut: movements that come
# only a little late then change no snapshot, and one more in a stretch does not cut off a stretch of one.
_SNAPSHOTS: Final = """
WITH stretch AS (
    SELECT folded.account_id, 'infinity'::timestamptz AS to_at, 0::bigint AS to_transition, 0 AS to_number,
           folded.movements AS through
    FROM unnest(%(accounts)s::bigint[]) AS touched (account_id) JOIN ledger_folded_balance folded USING (account_id)
    UNION ALL
    SELECT snapshot.account_id, snapshot.effective_at, snapshot.transition_id, snapshot.number, snapshot.movements
    FROM unnest(%(carried_accounts)s::bigint[], %(carried_at)s::timestamptz[], %(carried_transitions)s::bigint[],
                %(carried_numbers)s::int[]) AS carried (account_id, effective_at, transition_id, number)
    JOIN ledger_balance_snapshot snapshot USING (account_id, effective_at, transition_id, number)
), cut AS MATERIALIZED (
    SELECT stretch.*, coalesce(last.effective_at, '-infinity') AS from_at,
           coalesce(last.transition_id, 0) AS from_transition, coalesce(last.number, 0) AS from_number,
           coalesce(last.posted, 0) AS posted, coalesce(last.pending_debits, 0) AS pending_debits,
           coalesce(last.pending_credits, 0) AS pending_credits,
           coalesce(last.movements, 0) AS movements, stretch.through - coalesce(last.movements, 0) AS size
    FROM stretch LEFT JOIN LATERAL (
        SELECT * FROM ledger_balance_snapshot snapshot
        WHERE snapshot.account_id = stretch.account_id
          AND (snapshot.effective_at, snapshot.transition_id, snapshot.number)
              < (stretch.to_at, stretch.to_transition, stretch.to_number)
        ORDER BY snapshot.effective_at DESC, snapshot.transition_id DESC, snapshot.number DESC LIMIT 1
    ) last ON true
    WHERE stretch.through - coalesce(last.movements, 0) >= 2 * %(every)s
)
INSERT INTO ledger_balance_snapshot
    (account_id, effective_at, transition_id, number, posted, pending_debits, pending_credits, movements)
SELECT cut.account_id, step.effective_at, step.transition_id, step.number, cut.posted + step.posted,
       cut.pending_debits + step.pending_debits, cut.pending_credits + step.pending_credits,
       cut.movements + step.place
FROM cut CROSS JOIN LATERAL (
    SELECT effective_at, transition_id, number, row_number() OVER before AS place,
           sum(posted) OVER before AS posted, sum(pending_debits) OVER before AS pending_debits,
           sum(pending_credits) OVER before AS pending_credits
    FROM ledger_movement movement
    WHERE movement.account_id = cut.account_id
      AND (movement.effective_at, movement.transition_id, movement.number)
          > (cut.from_at, cut.from_transition, cut.from_number)
      AND (movement.effective_at, movement.transition_id, movement.number)
          < (cut.to_at, cut.to_transition, cut.to_number)
    WINDOW before AS (ORDER BY effective_at, transition_id, number ROWS UNBOUNDED PRECEDING)
) step
WHERE step.place %% %(every)s = 0 AND step.place <= cut.size - %(every)s
"""

_CLEAR: Final = """
WITH movements AS (DELETE FROM ledger_movement WHERE account_id = %(account)s)
DELETE FROM ledger_balance_snapshot WHERE account_id = %(account)s
"""

# A movement of this account that stands under another one is taken over; that other account then needs the same.
_REFOLD: Final = """
WITH moved AS (
    INSERT INTO ledger_movement AS stored
        (account_id, effective_at, transition_id, number, recorded_at, posted, pending_debits, pending_credits,
         lateness)
    SELECT moved.*, ledger_lateness(moved.effective_at, moved.recorded_at)
    FROM (
        {moved}
        FROM ledger_line line
        JOIN ledger_entry_transition move ON move.entry_id = line.entry_id AND move.to_state <> 'REVERSED'
        JOIN ledger_chain_link link ON link.transition_id = move.id
        WHERE line.account_id = %(account)s
    ) moved
    ON CONFLICT (transition_id, number) DO UPDATE
    SET account_id = excluded.account_id, effective_at = excluded.effective_at, recorded_at = excluded.recorded_at,
        posted = excluded.posted, pending_debits = excluded.pending_debits, lateness = excluded.lateness,
        pending_credits = excluded.pending_credits
    RETURNING posted, pending_debits, pending_credits
)
INSERT INTO ledger_folded_balance
    (account_id, posted, pending_debits, pending_credits, movements, checked_at, drifts)
SELECT %(account)s, coalesce(sum(posted), 0), coalesce(sum(pending_debits), 0), coalesce(sum(pending_credits), 0),
       count(*), %(now)s, 0
FROM moved
ON CONFLICT (account_id) DO UPDATE
SET posted = excluded.posted, pending_debits = excluded.pending_debits, pending_credits = excluded.pending_credits,
    movements = excluded.movements, checked_at = excluded.checked_at, drifted_at = NULL
""".replace("{moved}", FOLD_OF_LINE)

_MOVE_HEAD: Final = """
UPDATE ledger_chain_head
SET seq = %(seq)s, hash = %(hash)s, low_id = %(low_id)s, watch_id = %(watch_id)s,
    watch_xid = %(watch_xid)s::text::xid8, moved_at = %(now)s
"""


def look() -> tuple[int, int, int]:
    """Return the largest id of a visible transition, up to where all are sealed, and the chain's last link.

    It takes no lock and no transaction id, and is the first statement of a sealing transaction.
    """
    ((newest_id, low_id, seq),) = _execute(_LOOK)
    return int(newest_id), int(low_id), int(seq)


def lock_head(*, wait: bool) -> Head | None:
    """Lock the head row until the transaction ends; ``None`` when somebody else holds it and we do not wait for them.

    Raises:
        django.db.OperationalError: we waited longer than ``lock_timeout``.
    """
    rows = _execute(_LOCK_HEAD if wait else f"{_LOCK_HEAD} SKIP LOCKED")
    return Head(*rows[0]) if rows else None


def make_head(genesis: bytes) -> None:
    """Make the head row where there is none."""
    _execute(_MAKE_HEAD, {"hash": genesis})


def unsealed(*, low_id: int, limit: int) -> list[tuple[int, bytes]]:
    """Return transitions that have no link, with their digests, in the order of their ids."""
    _execute("SELECT set_config('enable_seqscan', 'off', true)")
    return [(int(id_), bytes(digest)) for id_, digest in _execute(_UNSEALED, {"low_id": low_id, "limit": limit})]


def write_links(links: Sequence[Link], *, now: datetime) -> None:
    """Write links."""
    _execute(
        _WRITE_LINKS,
        {
            "seqs": [link.seq for link in links],
            "transitions": [link.transition_id for link in links],
            "digests": [link.digest for link in links],
            "hashes": [link.hash for link in links],
            "now": now,
        },
    )


def fold(transitions: Sequence[int], *, every: int = SNAPSHOT_EVERY) -> None:
    """Write the movements of transitions, add them to sums and to the snapshots behind them, and make new snapshots."""
    touched = _execute(_FOLD, {"transitions": list(transitions)})
    _snapshot(
        accounts=[row[0] for row in touched if row[1] is None],
        carried=[row for row in touched if row[1] is not None],
        every=every,
    )


def refold(account_id: int, *, now: datetime, every: int = SNAPSHOT_EVERY) -> None:
    """Make the movements, the sum and the snapshots of one account anew from its sealed lines."""
    _execute(_CLEAR, {"account": account_id})
    _execute(_REFOLD, {"account": account_id, "now": now})
    _snapshot(accounts=[account_id], carried=[], every=every)


def move_head(*, seq: int, hash: bytes, watch: Watch, now: datetime) -> None:  # noqa: A002 - the column's name
    """Note where the chain now ends, and what is still watched for."""
    values = {"seq": seq, "hash": hash, "low_id": watch.low_id, "watch_id": watch.newest_id, "watch_xid": watch.xid}
    _execute(_MOVE_HEAD, values | {"now": now})


def _snapshot(*, accounts: list[int], carried: list[tuple[Any, ...]], every: int) -> None:
    _execute(
        _SNAPSHOTS,
        {
            "accounts": accounts,
            "carried_accounts": [row[0] for row in carried],
            "carried_at": [row[1] for row in carried],
            "carried_transitions": [row[2] for row in carried],
            "carried_numbers": [row[3] for row in carried],
            "every": every,
        },
    )


def _execute(statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection, row_factory=tuple_row) as cursor:
        cursor.execute(statement.encode(), parameters, prepare=False)
        return cursor.fetchall() if cursor.description else []
