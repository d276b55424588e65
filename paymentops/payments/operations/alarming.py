"""Telling of outcomes that stay unknown for too long, once for their age and once past the settlement cut-off."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from paymentops.core import ids
from paymentops.events import operations as events
from paymentops.payments import event_data
from paymentops.payments.models import Attempt, Payment
from paymentops.payments.queries import ambiguity as reading
from paymentops.payments.states import AttemptState

_OLD, _PAST_CUT_OFF = 1, 2


def tell_overdue(*, limit: int, now: datetime) -> int:
    """Tell of up to ``limit`` unknown outcomes that are due for it; return how many.

    Each in a transaction of its own, so that a process that dies in between has told of some, and of none twice.
    Emits ``payment.outcome_overdue``.
    """
    due = reading.to_tell_of(now=now).values_list("id", flat=True)[:limit]
    return sum(_tell(attempt_id, now) for attempt_id in due)


def _tell(attempt_id: UUID, now: datetime) -> bool:
    payment_id = Attempt.objects.values_list("payment_id", flat=True).get(pk=attempt_id)
    with transaction.atomic():
        payment = Payment.lock(payment_id)
        attempt = Attempt.lock(attempt_id)
        level = _PAST_CUT_OFF if reading.is_past_cut_off(attempt, now=now) else _OLD
        if attempt.state != AttemptState.UNKNOWN or attempt.alarms >= level:
            return False
        attempt.alarms = level
        attempt.save(update_fields=["alarms"])
        # An aggregate of its own: every event of a payment tells of a move.
        events.record(
            aggregate_type="alarm",
            aggregate_id=ids.new(now),
            sequence=1,
            type="payment.outcome_overdue",
            data=event_data.payment(payment)
            | {
                "attempt": attempt.public_id,
                "operation": str(attempt.operation),
                "attempt_amount": str(attempt.amount),
                "past_cut_off": level == _PAST_CUT_OFF,
            },
            occurred_at=now,
            now=now,
        )
    return True
