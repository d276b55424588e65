"""What the ledger is told: one call per posting rule, in the transaction of the move it belongs to."""

from datetime import datetime
from uuid import UUID

from ledger import operations as ledger
from ledger import postings
from ledger.postings import Parties, Posting, Source
from paymentops.core import ids, tracing
from paymentops.core.money import Money
from paymentops.payments import queries
from paymentops.payments.models import Attempt, Cause, Payment, Refund
from paymentops.payments.states import SUCCESSFUL_ATTEMPT_STATES
from paymentops.providers.contract import Operation


def authorized(payment: Payment, amount: Money, *, occurred_at: datetime, now: datetime) -> None:
    """Hold: pending until it is captured, voided or lapses."""
    _post(
        postings.held(payment_id=payment.id, sequence=0, parties=_parties(payment), amount=amount),
        occurred_at=occurred_at,
        now=now,
    )


def sold(payment: Payment, amount: Money, *, occurred_at: datetime, now: datetime) -> None:
    """Authorised and taken in one step."""
    _post(
        postings.sold(payment_id=payment.id, parties=_parties(payment), amount=amount),
        occurred_at=occurred_at,
        now=now,
    )


def captured(payment: Payment, attempt: Attempt, amount: Money, *, occurred_at: datetime, now: datetime) -> None:
    """Take all that is held, or a part and hold the rest. Called before the payment's amounts have changed.

    A capture of what was voided meanwhile is late evidence: posted, with no hold to settle.
    """
    sequence = _captures_before(payment, attempt)
    hold = postings.hold_source(payment_id=payment.id, sequence=sequence)
    if not payment.uncaptured:
        late_capture(payment, amount, occurred_at=occurred_at, now=now)
    elif amount.minor == payment.uncaptured:
        ledger.settle(hold, cause="captured", occurred_at=occurred_at, now=now, trace_id=tracing.current_trace_id())
    else:
        _void(hold, "captured_in_part", occurred_at, now)
        for posting in postings.captured_in_part(
            payment_id=payment.id,
            capture_id=_capture_id(attempt),
            hold_sequence=sequence,
            parties=_parties(payment),
            captured=amount,
            rest=payment.money(payment.uncaptured - amount.minor),
        ):
            _post(posting, occurred_at=occurred_at, now=now)


def released(payment: Payment, *, cause: str, occurred_at: datetime, now: datetime) -> None:
    """Release what is still held: voided or expired."""
    hold = postings.hold_source(payment_id=payment.id, sequence=_captures_before(payment, None))
    _void(hold, cause, occurred_at, now)


def late_capture(payment: Payment, amount: Money, *, occurred_at: datetime, now: datetime) -> None:
    """Money that the provider took although we believed it had not."""
    _post(
        postings.captured_late(
            payment_id=payment.id, sequence=payment.version, parties=_parties(payment), amount=amount
        ),
        occurred_at=occurred_at,
        now=now,
    )


def capture_taken_back(
    payment: Payment, attempt: Attempt, *, kept: Money, cause: Cause, occurred_at: datetime, now: datetime
) -> None:
    """Reverse the entry of a capture, and post what is left of it as an entry of its own."""
    original = queries.entry_of_capture(payment, attempt)
    # A provider's clock differs from ours; nothing is taken back before it was taken.
    at = max(occurred_at, original.occurred_at)
    ledger.reverse(original.pk, cause=cause.key, occurred_at=at, now=now, trace_id=tracing.current_trace_id())
    if kept.minor:
        number = original.source_sequence + 1 if original.source_kind == queries.KEPT else 0
        source = Source(*queries.capture_source(payment, attempt), queries.KEPT, number)
        _post(postings.capture_kept(source=source, parties=_parties(payment), amount=kept), occurred_at=at, now=now)


def surplus_found(payment: Payment, amount: Money, *, occurred_at: datetime, now: datetime) -> None:
    """Money that the payer sent beyond what was asked for; called after the payment's version has grown."""
    source = Source("payment", payment.id, "surplus", payment.version)
    _post(
        postings.surplus_found(source=source, parties=_parties(payment), amount=amount),
        occurred_at=occurred_at,
        now=now,
    )


def refund_requested(payment: Payment, refund: Refund, *, now: datetime) -> None:
    """Set the refund's amount aside, but for what came back before and is owed to the payer already."""
    amount = _from_client(refund)
    if amount.minor:
        _post(
            postings.refund_requested(refund_id=refund.id, parties=_parties(payment), amount=amount),
            occurred_at=now,
            now=now,
        )


def refund_succeeded(payment: Payment, refund: Refund, *, occurred_at: datetime, now: datetime) -> None:
    """The amount set aside left, and what was owed to the payer was paid."""
    amount = _from_client(refund)
    if amount.minor:
        _post(
            postings.refund_succeeded(
                refund_id=refund.id, parties=_parties(payment), requested=amount, refunded=amount
            ),
            occurred_at=occurred_at,
            now=now,
        )
    _refund_paid_again(payment, refund, occurred_at=occurred_at, now=now)


def refund_found(payment: Payment, refund: Refund, *, occurred_at: datetime, now: datetime) -> None:
    """The refund happened although we believed it had not, so nothing was set aside for it any more."""
    amount = _from_client(refund)
    if amount.minor:
        _post(
            postings.refund_found(
                refund_id=refund.id, sequence=refund.version, parties=_parties(payment), amount=amount
            ),
            occurred_at=occurred_at,
            now=now,
        )
    _refund_paid_again(payment, refund, occurred_at=occurred_at, now=now)


def refund_failed(payment: Payment, refund: Refund, *, occurred_at: datetime, now: datetime) -> None:
    """The amount set aside is the client's again."""
    amount = _from_client(refund)
    if amount.minor:
        _post(
            postings.refund_failed(refund_id=refund.id, parties=_parties(payment), amount=amount),
            occurred_at=occurred_at,
            now=now,
        )


def refund_came_back(payment: Payment, refund: Refund, amount: Money, *, occurred_at: datetime, now: datetime) -> None:
    """A refund did not reach the payer, who is owed it now; called after the refund's version has grown."""
    _post(
        postings.refund_came_back(
            refund_id=refund.id, sequence=refund.version, parties=_parties(payment), amount=amount
        ),
        occurred_at=occurred_at,
        now=now,
    )


def _refund_paid_again(payment: Payment, refund: Refund, *, occurred_at: datetime, now: datetime) -> None:
    if refund.from_returned:
        _post(
            postings.refund_paid_again(
                refund_id=refund.id,
                sequence=refund.version,
                parties=_parties(payment),
                amount=payment.money(refund.from_returned),
            ),
            occurred_at=occurred_at,
            now=now,
        )


def _from_client(refund: Refund) -> Money:
    """Return what the client pays of a refund; the rest came back of an earlier one and is owed already."""
    return Money(refund.amount - refund.from_returned, refund.currency)


def _parties(payment: Payment) -> Parties:
    return Parties(
        client=ids.public(ids.Prefix.CLIENT, payment.client_id),
        provider_account=payment.at_provider,
        method=payment.method,
    )


def _captures_before(payment: Payment, attempt: Attempt | None) -> int:
    """Count the captures that succeeded, taken back or not, other than ``attempt``: the number of the present hold."""
    succeeded = payment.attempts.filter(operation=Operation.CAPTURE, state__in=SUCCESSFUL_ATTEMPT_STATES)
    return succeeded.exclude(pk=attempt.pk).count() if attempt else succeeded.count()


def _capture_id(attempt: Attempt) -> UUID:
    assert attempt.capture_id is not None  # noqa: S101 - a constraint of the table says so
    return attempt.capture_id


def _post(posting: Posting, *, occurred_at: datetime, now: datetime) -> None:
    ledger.post(
        posting, occurred_at=occurred_at, now=now, cause=posting.source.kind, trace_id=tracing.current_trace_id()
    )


def _void(hold: Source, cause: str, occurred_at: datetime, now: datetime) -> None:
    ledger.void(hold, cause=cause, occurred_at=occurred_at, now=now, trace_id=tracing.current_trace_id())
