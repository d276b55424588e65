"""Charges that a provider made beside the one that was wanted. The caller has locked payment and attempt."""

from collections.abc import Sequence
from datetime import datetime

from paymentops.core import ids
from paymentops.events import operations as events
from paymentops.payments import event_data, likeness
from paymentops.payments.models import Attempt, DuplicateCause, Payment
from paymentops.payments.operations import excess
from paymentops.payments.operations.duplicates import groups
from paymentops.payments.states import AttemptState
from paymentops.providers.contract import Approved, Operation


def notice_at_provider(payment: Payment, attempt: Attempt, outcome: object, *, now: datetime) -> None:
    """Keep that an answer tells of charges beside the one wanted. Emits ``payment.duplicate_at_provider`` per charge.

    An answer names them, or is itself about a charge that is not the attempt's. Money that payers send themselves is
    told apart by ``excess``.
    """
    if not isinstance(outcome, Approved) or attempt.operation != Operation.AUTHORIZE:
        return
    named = [str(reference)[:120] for reference in outcome.detail.get("duplicates", [])]
    if attempt.state == AttemptState.SUCCEEDED and payment.method not in excess.SENT_BY_PAYER:
        named.append(outcome.provider_reference[:120])
    found = [reference for reference in named if reference and reference != attempt.provider_reference]
    if found:
        _remember(payment, attempt, found, occurred_at=outcome.at, now=now)


def _remember(
    payment: Payment, attempt: Attempt, references: Sequence[str], *, occurred_at: datetime, now: datetime
) -> None:
    fingerprint = likeness.fingerprint(DuplicateCause.PROVIDER, payment.pk)
    group = groups.locked(payment, cause=DuplicateCause.PROVIDER, fingerprint=fingerprint, now=now)
    if group.count == 0:
        groups.add(group, payment, reference=attempt.provider_reference, now=now)
        groups.seen(group, 1, at=occurred_at)
    for reference in references:
        if groups.add(group, payment, reference=reference, now=now):
            groups.seen(group, 1, at=now)
            _tell(payment, attempt, reference, occurred_at=occurred_at, now=now)


def _tell(payment: Payment, attempt: Attempt, reference: str, *, occurred_at: datetime, now: datetime) -> None:
    """Tell of a second charge; it is an aggregate of its own, because it moves nothing of the payment."""
    events.record(
        aggregate_type="duplicate",
        aggregate_id=ids.new(now),
        sequence=1,
        type="payment.duplicate_at_provider",
        data=event_data.payment(payment)
        | {"attempt": attempt.public_id, "operation": str(attempt.operation), "provider_reference": reference},
        occurred_at=occurred_at,
        now=now,
    )
