"""Reads of the months of the books: where they stand, what was stored at their closing, what stays pending."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import OuterRef, Prefetch, QuerySet, Subquery

from ledger.models import Period, PeriodBalance, PeriodSnapshot, PeriodState, PeriodTotal, PeriodTransition
from ledger.periods import Month
from ledger.proposals import REOPENING
from paymentops.casework.models import Proposal
from paymentops.core import ids

SUBJECT_TYPE: Final = "period"


@dataclass(frozen=True, slots=True)
class StoredTotal:
    """The trial balance of one currency as it was stored, in minor units; debits and credits are positive."""

    currency: str
    accounts: int
    debits: int
    credits: int
    pending_debits: int
    pending_credits: int


@dataclass(frozen=True, slots=True)
class StoredBalance:
    """What stood on one account when a month was closed, in minor units, debit positive."""

    code: str
    currency: str
    name: str
    posted: int
    pending: int


@dataclass(frozen=True, slots=True)
class PeriodMove:
    """One move of a month; both people are named where it was opened again."""

    from_state: str
    to_state: str
    actor: str
    reason: str
    proposed_by: str | None
    approved_by: str | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class PeriodView:
    """A month as people read it.

    Args:
        month: which.
        state: OPEN, CLOSING or CLOSED.
        version: what callers compare; 1 where nothing ever happened to the month.
        closing: the number of the last closing, 0 if there was none.
        hash: hexadecimal SHA-256 of what the last finished closing stored; empty if there was none.
        closed_at: when that was.
        closed_by: who that was.
        accounts: how many balances it stored.
        totals: its trial balance per currency.
        moves: all moves, oldest first.
    """

    month: Month
    state: str
    version: int
    closing: int
    hash: str
    closed_at: datetime | None
    closed_by: str
    accounts: int
    totals: tuple[StoredTotal, ...]
    moves: tuple[PeriodMove, ...]


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """An entry that was pending when a month ended."""

    entry: str
    source_type: str
    source_kind: str
    description: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Pending:
    """What was pending when a month ended: how many entries, and the oldest of them."""

    count: int
    oldest: tuple[PendingEntry, ...]


_EARLIEST: Final = """
SELECT min(effective_at) FROM ledger_entry_transition
WHERE effective_at >= coalesce(%s::timestamptz, '-infinity') AND effective_at < %s::timestamptz
"""

_PENDING: Final = """
SELECT header.id, header.source_type, header.source_kind, header.description, began.effective_at, count(*) OVER ()
FROM ledger_entry_transition began JOIN ledger_entry header ON header.id = began.entry_id
WHERE began.to_state = 'PENDING' AND began.effective_at < %(until)s
  AND NOT EXISTS (SELECT FROM ledger_entry_transition gone
                   WHERE gone.entry_id = began.entry_id AND gone.from_state = 'PENDING'
                     AND gone.effective_at < %(until)s)
ORDER BY began.effective_at, header.id
LIMIT %(limit)s
"""


def closed_until() -> datetime | None:
    """Return the moment before which nothing takes effect any more, or ``None`` if no month is closed.

    It may move at any time; what is written asks the database under the lock that closing waits for.
    """
    last = Period.objects.exclude(state=PeriodState.OPEN).order_by("-start_date").first()
    return None if last is None else Month(last.start_date).ends_at


def periods() -> list[PeriodView]:
    """Return every month to which something ever happened, newest first, in four queries."""
    return [_view(period) for period in _with_closings().order_by("-start_date")]


def period(month: Month) -> PeriodView:
    """Return one month; open where nothing ever happened to it."""
    found = _with_closings().filter(start_date=month.start_date).first()
    return PeriodView(month, PeriodState.OPEN, 1, 0, "", None, "", 0, (), ()) if found is None else _view(found)


def stored_balances(month: Month, *, closing: int) -> list[StoredBalance]:
    """Return what a closing of a month stored, by currency and code."""
    rows = PeriodBalance.objects.filter(
        snapshot__period__start_date=month.start_date, snapshot__number=closing
    ).select_related("account")
    return [
        StoredBalance(row.account.code, row.account.currency, row.account.name, int(row.posted), int(row.pending))
        for row in rows.order_by("account__currency", "account__code")
    ]


def pending_at_end(month: Month, *, limit: int = 20) -> Pending:
    """Return what is pending when a month ends: it stays so, and counts when it is settled or voided."""
    with connection.cursor() as cursor:
        cursor.execute(_PENDING, {"until": month.ends_at, "limit": limit})
        rows = cursor.fetchall()
    oldest = tuple(
        PendingEntry(ids.public(ids.Prefix.ENTRY, entry), source_type, source_kind, description, since)
        for entry, source_type, source_kind, description, since, _ in rows
    )
    return Pending(rows[0][5] if rows else 0, oldest)


def month_to_close_before(month: Month) -> Month | None:
    """Return the earliest month that must be closed before this one can be: opened again, or never closed."""
    earlier = Period.objects.filter(start_date__lt=month.start_date)
    reopened = earlier.exclude(state=PeriodState.CLOSED).order_by("start_date").first()
    if reopened is not None:
        return Month(reopened.start_date)
    last = earlier.order_by("start_date").last()
    with connection.cursor() as cursor:
        cursor.execute(_EARLIEST, [Month(last.start_date).ends_at if last else None, month.starts_at])
        (moment,) = cursor.fetchone()
    return None if moment is None else Month.of(moment)


def closed_after(month: Month) -> Month | None:
    """Return the latest month behind this one that is closed or closing."""
    later = Period.objects.filter(start_date__gt=month.start_date).exclude(state=PeriodState.OPEN)
    last = later.order_by("-start_date").first()
    return None if last is None else Month(last.start_date)


def snapshot_before(month: Month) -> tuple[UUID, datetime] | None:
    """Return the stored balances of the last closed month before this one, and the moment at which they end."""
    newest = PeriodSnapshot.objects.filter(period=OuterRef("pk"), number=OuterRef("closings")).values("pk")[:1]
    earlier = Period.objects.filter(start_date__lt=month.start_date, state=PeriodState.CLOSED)
    last = earlier.annotate(snapshot=Subquery(newest)).order_by("-start_date").first()
    return None if last is None else (last.snapshot, Month(last.start_date).ends_at)


def proposed_reopening(month: Month) -> Proposal | None:
    """Return the undecided proposal to open a month again, if there is one."""
    undecided = Proposal.objects.undecided().about(SUBJECT_TYPE, str(month))
    return undecided.filter(kind=REOPENING.name).first()


def _with_closings() -> QuerySet[Period]:
    return Period.objects.prefetch_related(
        Prefetch("transitions", PeriodTransition.objects.select_related("proposed_by", "approved_by")),
        Prefetch("snapshots", PeriodSnapshot.objects.prefetch_related("totals")),
    )


def _view(period: Period) -> PeriodView:
    last = max(period.snapshots.all(), key=lambda snapshot: snapshot.number, default=None)
    moves = sorted(period.transitions.all(), key=lambda move: move.sequence)
    return PeriodView(
        month=Month(period.start_date),
        state=period.state,
        version=period.version,
        closing=period.closings,
        hash=bytes(last.hash).hex() if last else "",
        closed_at=last.closed_at if last else None,
        closed_by=last.closed_by if last else "",
        accounts=last.accounts if last else 0,
        totals=tuple(_total(total) for total in last.totals.all()) if last else (),
        moves=tuple(_move(move) for move in moves),
    )


def _total(total: PeriodTotal) -> StoredTotal:
    return StoredTotal(
        currency=total.currency,
        accounts=total.accounts,
        debits=int(total.debits),
        credits=int(total.credits),
        pending_debits=int(total.pending_debits),
        pending_credits=int(total.pending_credits),
    )


def _move(move: PeriodTransition) -> PeriodMove:
    return PeriodMove(
        from_state=move.from_state,
        to_state=move.to_state,
        actor=move.actor,
        reason=move.reason,
        proposed_by=move.proposed_by.get_username() if move.proposed_by else None,
        approved_by=move.approved_by.get_username() if move.approved_by else None,
        recorded_at=move.recorded_at,
    )
