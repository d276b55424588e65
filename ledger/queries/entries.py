"""Entries as people read them: with their lines, their accounts and every move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from ledger.models import Entry, EntryTransition, Line


@dataclass(frozen=True, slots=True)
class LineView:
    """A line as people read it; ``amount`` in minor units, debit positive."""

    account: str
    account_name: str
    currency: str
    amount: int
    method: str


@dataclass(frozen=True, slots=True)
class TransitionView:
    """A move of an entry as people read it."""

    from_state: str
    to_state: str
    cause: str
    effective_at: datetime
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class EntryView:
    """An entry with its lines and moves, as a payment's story tells it."""

    id: str
    state: str
    source_type: str
    source_id: UUID
    source_kind: str
    source_sequence: int
    description: str
    reverses: str | None
    occurred_at: datetime
    recorded_at: datetime
    trace_id: str
    lines: tuple[LineView, ...]
    transitions: tuple[TransitionView, ...]


def entries_for_source(*, type: str, ids: Sequence[UUID]) -> list[EntryView]:  # noqa: A002 - the source's own word
    """Return the entries of things of one type, oldest first; see ``entries_for_sources``."""
    return entries_for_sources({type: ids})


def entries_for_sources(sources: Mapping[str, Sequence[UUID]]) -> list[EntryView]:
    """Return the entries of the things given by type, oldest first, in three queries however many there are."""
    matches = Q(pk__in=[])
    for source_type, source_ids in sources.items():
        matches |= Q(source_type=source_type, source_id__in=list(source_ids))
    # Ids made at one moment have no order among themselves; the first transitions tell which was written first.
    entries = sorted(with_story(Entry.objects.filter(matches)), key=_written)
    return [view(entry) for entry in entries]


def with_story(entries: QuerySet[Entry]) -> QuerySet[Entry]:
    """Load lines with their accounts, and transitions, in two further queries."""
    return entries.prefetch_related(
        Prefetch("lines", Line.objects.select_related("account").order_by("number")),
        Prefetch("transitions", EntryTransition.objects.order_by("id")),
    )


def view(entry: Entry) -> EntryView:
    """Return an entry as people read it; load it by ``with_story`` first."""
    return EntryView(
        id=str(entry),
        state=entry.state,
        source_type=entry.source_type,
        source_id=entry.source_id,
        source_kind=entry.source_kind,
        source_sequence=entry.source_sequence,
        description=entry.description,
        reverses=f"ent_{entry.reverses_id.hex}" if entry.reverses_id else None,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        trace_id=entry.trace_id,
        lines=tuple(_line_view(line) for line in entry.lines.all()),
        transitions=tuple(_transition_view(move) for move in entry.transitions.all()),
    )


def _written(entry: Entry) -> tuple[datetime, int]:
    return entry.recorded_at, min((move.pk for move in entry.transitions.all()), default=0)


def _line_view(line: Line) -> LineView:
    return LineView(line.account.code, line.account.name, line.currency, line.amount, line.method)


def _transition_view(move: EntryTransition) -> TransitionView:
    return TransitionView(
        from_state=move.from_state,
        to_state=move.to_state,
        cause=move.cause,
        effective_at=move.effective_at,
        occurred_at=move.occurred_at,
        recorded_at=move.recorded_at,
        actor=move.actor,
        trace_id=move.trace_id,
    )
