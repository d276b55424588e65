"""The moments of a payment's disputes: what providers told, and how each moved."""

from collections.abc import Iterator

from paymentops.core.money import Money
from paymentops.payments.models import Dispute, DisputeNotice
from paymentops.payments.states import DisputeState
from paymentops.payments.timeline.record import Record
from paymentops.payments.timeline.values import Fact, Lane, Moment, known, moved


def moments(record: Record) -> Iterator[Moment]:
    """Return the moments of all disputes of a gathered story, in no order."""
    for dispute in record.disputes:
        for notice in dispute.notices.all():
            yield _told(dispute, notice)
        for move in dispute.transitions.all():
            facts: dict[str, Fact] = {"id": dispute.public_id, "amount": dispute.money}
            yield moved(move, Lane.STATE, f"Dispute: {DisputeState(move.to_state).label}", facts)


def _told(dispute: Dispute, notice: DisputeNotice) -> Moment:
    word = DisputeState(notice.state).label if notice.state else "a state that it does not name"
    return Moment(
        at=notice.occurred_at,
        received_at=notice.recorded_at,
        lane=Lane.PROVIDER,
        title=f"{dispute.provider} tells of a dispute: {word}",
        anchor=f"ev_{notice.id.hex}",
        actor=dispute.provider,
        trace_id=notice.trace_id,
        facts=known(
            {
                "dispute": dispute.public_id,
                "amount": Money(notice.amount, notice.currency),
                "fee": Money(notice.fee, notice.fee_currency) if notice.fee is not None else "",
                "reason": notice.get_reason_class_display() if notice.reason_class else "",
                "reason code": notice.reason_code,
                "evidence due": notice.evidence_due_at or "",
                "counted": "yes" if notice.applied else "no, recorded only",
            }
        ),
        raw={"event": notice.event_id, "kind": notice.kind, "stage": notice.stage},
    )
