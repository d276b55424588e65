"""How a run's move is saved: state, version, transition and event, in the transaction of the move."""

from datetime import datetime
from typing import Final

from paymentops.core import ids, tracing
from paymentops.events import operations as events
from reconciliation.models import IngestRun, IngestTransition
from reconciliation.states import RunState

_MOVED_FIELDS: Final = (
    "state", "version", "reason", "reason_line", "attempts", "next_attempt_at", "worker", "fence", "lease_until",
    "finished_at",
)  # fmt: skip
_EVENTS: Final = {
    "": "statement.received",
    RunState.PARSED: "statement.parsed",
    RunState.REFUSED: "statement.refused",
}


def begin(run: IngestRun, *, cause: str, now: datetime) -> None:
    """Write the first transition of a run that was just made. Emits ``statement.received``."""
    _tell(run, before="", cause=cause, event=_EVENTS[""], now=now)


def save_moved(run: IngestRun, *, before: str, cause: str, now: datetime) -> None:
    """Save a move of a locked run: version + 1, one transition, and the event of a final state."""
    run.version += 1
    run.save(update_fields=_MOVED_FIELDS)
    _tell(run, before=before, cause=cause, event=_EVENTS.get(run.state, ""), now=now)


def _tell(run: IngestRun, *, before: str, cause: str, event: str, now: datetime) -> None:
    IngestTransition.objects.create(
        id=ids.new(now),
        run=run,
        sequence=run.version,
        from_state=before,
        to_state=run.state,
        cause=cause,
        reason=run.reason,
        at=now,
        trace_id=tracing.current_trace_id(),
    )
    if event:
        events.record(
            aggregate_type="ingest_run",
            aggregate_id=run.id,
            sequence=run.version,
            type=event,
            data=_data(run),
            occurred_at=now,
            now=now,
        )


def _data(run: IngestRun) -> dict[str, object]:
    return {
        "id": run.public_id,
        "file": run.file.public_id,
        "source": run.file.source.name,
        "sha256": run.file.sha256,
        "version": run.file.version,
        "lines": run.lines,
        "rejects": run.rejects,
        "reason": run.reason,
    }
