"""Closing the months of the books, and opening one again with two people.

Closing takes two transactions. The first waits for postings under way, moves the month to CLOSING and ends; from then
on nothing takes effect in the month. The second stores its balances, however long that takes, and moves it to CLOSED.
Killed in between, the month stays CLOSING and loses nothing: whoever closes it again finishes.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from ledger import period_sql
from ledger.models import Period, PeriodSnapshot, PeriodState, PeriodTransition
from ledger.period_sql import Closing
from ledger.periods import Month
from ledger.proposals import REOPENING
from ledger.queries import periods as queries
from ledger.queries.periods import SUBJECT_TYPE
from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.casework import operations as casework
from paymentops.casework.models import Proposal, Subject
from paymentops.casework.operations import Decision, Draft, rights
from paymentops.core import ids, tracing
from paymentops.core.errors import Conflict, Unavailable
from paymentops.events import operations as events

MAY_CLOSE: Final = "ledger.close_period"


class MonthNotOver(Conflict):
    """A month is closed after its end only."""

    code = "ledger.month_not_over"
    title = "The month is not over"


class MonthOutOfOrder(Conflict):
    """Months close one after the other and open again in reverse."""

    code = "ledger.month_out_of_order"
    title = "Another month comes first"


class MonthNotClosed(Conflict):
    """Only a closed month can be opened again."""

    code = "ledger.month_not_closed"
    title = "The month is not closed"


class BooksUnbalanced(Conflict):
    """The balances at the end of the month do not add up to zero."""

    code = "ledger.books_unbalanced"
    title = "The books do not balance"


class BooksBusy(Unavailable):
    """A posting, or somebody else who closes the month, did not end in time."""

    code = "ledger.books_busy"
    title = "The books are in use"


def close(month: Month, *, by: Actor, reason: str = "", now: datetime) -> Period:
    """Close a month, or finish closing it; a month that is closed stays as it is.

    Entries that are pending stay so and count in the month in which they are settled or voided
    (``queries.periods.pending_at_end`` lists them). Call it outside a transaction: the postings of everybody wait while
    the first of its two lasts.

    Args:
        month: which.
        by: a person with ``ledger.close_period``, or an operator's command.
        reason: words for the audit row, if any.
        now: when.

    Raises:
        NotAllowed: the person may not close.
        MonthNotOver: it lasts until a later moment than ``now``.
        MonthOutOfOrder: an earlier month is open, or a later one closed.
        BooksUnbalanced: the month stays CLOSING until the books are put right.
        BooksBusy: something did not end within half of ``PAYMENTOPS_LOCK_TIMEOUT_MS``; nothing changed.

    Locks the month, and in its first transaction all posting. Emits ``ledger.period_closed``.
    """
    rights.require(actor=by, permission=MAY_CLOSE)
    if now < month.ends_at:
        raise MonthNotOver(f"{month} lasts until {month.ends_at:%Y-%m-%d %H:%M} UTC; close it after that.")
    period = _begin(month, by=by, reason=reason.strip(), now=now)
    return _finish(period.pk, month, by=by, reason=reason.strip(), now=now)


@transaction.atomic
def propose_reopening(month: Month, *, reason: str, by: Actor, now: datetime) -> Proposal:
    """Propose to open the last closed month again. Emits ``casework.proposed``.

    Raises:
        MonthNotClosed: it is open, or still closing.
        MonthOutOfOrder: a later month is closed and must be opened first.
        NotAllowed, InvalidInput, AlreadyProposed: see ``casework.propose``.
    """
    rights.require_person(actor=by, permission=REOPENING.may_propose)
    _require_last_closed(month)
    draft = Draft(
        kind=REOPENING.name,
        subject=Subject(SUBJECT_TYPE, str(month)),
        payload={"month": str(month)},
        snapshot=_facts(month),
        reason=reason,
    )
    return casework.propose(draft, by=by, now=now)


def approve_reopening(*, proposal_id: UUID, version: int, by: Actor, note: str = "", now: datetime) -> Decision[Period]:
    """Agree to open a month again and do it, in one transaction. Locks the proposal and the month.

    What was stored at the closing stays; the next closing stores anew. Emits ``ledger.period_reopened``. See
    ``casework.approve`` for what is raised; the decision tells whether the month changed meanwhile.
    """
    if not Proposal.objects.filter(pk=proposal_id, kind=REOPENING.name).exists():
        raise casework.ProposalNotFound("Nobody proposed under this id to open a month again.")
    return casework.approve(
        proposal_id=proposal_id,
        version=version,
        by=by,
        look=lambda proposal: _facts(_month(proposal)),
        carry_out=lambda proposal: _reopen(proposal, by=by, now=now),
        note=note,
        now=now,
    )


def _begin(month: Month, *, by: Actor, reason: str, now: datetime) -> Period:
    """Move an open month to CLOSING, after all postings under way and before all later ones."""
    with _explained(month), transaction.atomic(durable=True):
        _wait_no_longer_than(settings.LOCK_TIMEOUT_MS // 2)
        period = _locked(month, now=now)
        if period.state != PeriodState.OPEN:
            return period
        # First without making anybody wait, then again when nothing can be posted any more.
        _require_order(month)
        before = period.state
        period.begin_closing()
        period.save(update_fields=["state", "version", "closings"])
        _require_order(month)
        _tell(period, before=before, cause=f"closing:{period.closings}", by=by, reason=reason, now=now)
        access.audit(
            action="period.begin_closing",
            actor=by,
            object_type=SUBJECT_TYPE,
            object_id=str(month),
            before={"state": before},
            after={"state": str(period.state), "closing": period.closings},
            reason=reason,
            now=now,
        )
    return period


def _finish(period_id: UUID, month: Month, *, by: Actor, reason: str, now: datetime) -> Period:
    """Store the balances of a closing month and move it to CLOSED; a closed one stays as it is."""
    with _explained(month), transaction.atomic(durable=True):
        period = Period.objects.select_for_update().get(pk=period_id)
        if period.state != PeriodState.CLOSING:
            return period
        snapshot = _store(period, month, by=by, now=now)
        before = period.state
        period.finish_closing()
        period.save(update_fields=["state", "version"])
        _tell(period, before=before, cause=f"closed:{period.closings}", by=by, reason=reason, now=now)
        facts = {"closing": snapshot.number, "hash": bytes(snapshot.hash).hex(), "accounts": snapshot.accounts}
        _record(period, "ledger.period_closed", {"month": str(month), **facts}, now=now)
        access.audit(
            action="period.close",
            actor=by,
            object_type=SUBJECT_TYPE,
            object_id=str(month),
            before={"state": before},
            after={"state": str(period.state), **facts},
            reason=reason,
            now=now,
        )
    return period


def _store(period: Period, month: Month, *, by: Actor, now: datetime) -> PeriodSnapshot:
    base, since = queries.snapshot_before(month) or (None, None)
    closing = Closing(
        snapshot=ids.new(now),
        period=period.pk,
        number=period.closings,
        since=since,
        until=month.ends_at,
        base=base,
        closed_at=now,
        closed_by=by.name,
    )
    period_sql.store(closing)
    return PeriodSnapshot.objects.get(pk=closing.snapshot)


def _reopen(proposal: Proposal, *, by: Actor, now: datetime) -> Period:
    month = _month(proposal)
    with _explained(month):
        period = _locked(month, now=now)
        _require_last_closed(month)
        before = period.state
        period.reopen()
        period.save(update_fields=["state", "version"])
        _tell(
            period,
            before=before,
            cause=f"proposal:{proposal.public_id}",
            by=by,
            reason=proposal.reason,
            people=(proposal.proposed_by, by.user),
            now=now,
        )
    facts = {"closing": period.closings, "proposal": proposal.public_id}
    _record(period, "ledger.period_reopened", {"month": str(month), **facts}, now=now)
    access.audit(
        action="period.reopen",
        actor=by,
        object_type=SUBJECT_TYPE,
        object_id=str(month),
        before={"state": before},
        after={"state": str(period.state), **facts},
        reason=proposal.reason,
        now=now,
    )
    return period


def _locked(month: Month, *, now: datetime) -> Period:
    """Return the month's row under its lock, made if nothing ever happened to the month."""
    new = Period(id=ids.new(now), start_date=month.start_date, created_at=now)
    Period.objects.bulk_create([new], ignore_conflicts=True)
    return Period.objects.select_for_update().get(start_date=month.start_date)


def _require_order(month: Month) -> None:
    if (later := queries.closed_after(month)) is not None:
        raise MonthOutOfOrder(f"The books are closed up to the end of {later}, and {month} with them.")
    if (earlier := queries.month_to_close_before(month)) is not None:
        raise MonthOutOfOrder(f"{earlier} is open and holds entries; close it before {month}.")


def _require_last_closed(month: Month) -> None:
    state = queries.period(month).state
    if state != PeriodState.CLOSED:
        raise MonthNotClosed(f"{month} is {state.lower()}; only a closed month can be opened again.")
    if (later := queries.closed_after(month)) is not None:
        raise MonthOutOfOrder(f"{later} is closed; open it again before {month}.")


def _facts(month: Month) -> Mapping[str, Any]:
    """Return what a reopening is proposed on."""
    period = queries.period(month)
    return {"state": str(period.state), "closing": period.closing, "hash": period.hash}


def _month(proposal: Proposal) -> Month:
    return Month.parse(proposal.payload["month"])


def _tell(
    period: Period,
    *,
    before: str,
    cause: str,
    by: Actor,
    reason: str,
    people: tuple[User | None, User | None] = (None, None),
    now: datetime,
) -> None:
    """Write the transition of a move just made; ``people`` are who proposed and who approved it."""
    proposer, approver = people
    PeriodTransition.objects.create(
        id=ids.new(now),
        period=period,
        sequence=period.version,
        from_state=before,
        to_state=period.state,
        cause=cause,
        actor=by.name,
        reason=reason,
        proposed_by=proposer,
        approved_by=approver,
        recorded_at=now,
        trace_id=tracing.current_trace_id(),
    )


def _record(period: Period, name: str, data: dict[str, Any], *, now: datetime) -> None:
    events.record(
        aggregate_type=SUBJECT_TYPE,
        aggregate_id=period.pk,
        sequence=period.version,
        type=name,
        data=data,
        occurred_at=now,
        now=now,
    )


def _wait_no_longer_than(milliseconds: int) -> None:
    """Bound every wait for a lock in this transaction: while it waits for postings, later postings wait behind it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{milliseconds}ms"])


@contextmanager
def _explained(month: Month) -> Iterator[None]:
    """Name the refusals of the database that a person can act on; any other passes as it is."""
    try:
        yield
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        raise BooksBusy("A posting or another closing did not end in time; nothing changed. Try again.") from error
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        refusal = _REFUSALS.get(diagnosis.constraint_name) if diagnosis is not None else None
        if refusal is None:
            raise
        raise refusal(month) from error


_REFUSALS: Final[Mapping[str, Callable[[Month], Conflict]]] = {
    "ledger_period_order": lambda month: MonthOutOfOrder(f"Another month moved meanwhile and comes before {month}."),
    "ledger_period_total_balanced": lambda month: BooksUnbalanced(
        f"At the end of {month} the balances of a currency do not add up to zero. Run manage.py verify, which names "
        "the rows; then close the month again."
    ),
}
