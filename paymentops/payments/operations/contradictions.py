"""A provider that says otherwise than two people decided. Payment and attempt are locked.

What people decided stays as it is: a settled state changes only by an operation of its own. It is told at once, with
the money at risk, so that somebody resolves it. The other way round, a provider's yes after people decided that it
did not happen, is late evidence like any other.
"""

from datetime import datetime

from paymentops.core import ids
from paymentops.events import operations as events
from paymentops.payments import event_data
from paymentops.payments.models import Attempt, Payment, ProviderCall
from paymentops.payments.states import AttemptState
from paymentops.providers.contract import Approved, Declined


def says_otherwise(attempt: Attempt, outcome: object) -> bool:
    """Tell whether an answer contradicts what people decided: a no, another amount, or another id at the provider."""
    if attempt.state != AttemptState.SUCCEEDED or not isinstance(outcome, Approved | Declined):
        return False
    decided = _decided(attempt)
    if decided is None:
        return False
    if isinstance(outcome, Declined):
        return not outcome.lapsed
    other_id = bool(outcome.provider_reference) and outcome.provider_reference != decided.provider_reference
    return other_id or outcome.amount.minor != decided.amount or outcome.amount.currency != attempt.currency


def tell(payment: Payment, attempt: Attempt, outcome: object, *, now: datetime) -> None:
    """Tell that a provider says otherwise. Emits ``payment.decision_contradicted``, an aggregate of its own."""
    decided = _decided(attempt)
    said = outcome if isinstance(outcome, Approved | Declined) else None
    events.record(
        aggregate_type="evidence",
        aggregate_id=ids.new(now),
        sequence=1,
        type="payment.decision_contradicted",
        data=event_data.payment(payment)
        | {
            "attempt": attempt.public_id,
            "operation": str(attempt.operation),
            "amount_decided": str(decided.amount if decided is not None else attempt.amount),
            "amount_told": str(said.amount.minor) if isinstance(said, Approved) else "0",
        },
        occurred_at=said.at if said is not None else now,
        now=now,
    )


def _decided(attempt: Attempt) -> ProviderCall | None:
    return attempt.calls.filter(kind=ProviderCall.Kind.DECISION, outcome="Approved", applied=True).first()
