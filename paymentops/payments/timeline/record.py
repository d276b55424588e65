"""Reading every row of a payment's story in a fixed number of queries."""

from dataclasses import dataclass
from uuid import UUID

from ledger import queries as ledger
from ledger.queries import EntryView
from paymentops.access.models import AuditEntry
from paymentops.events.models import OutboxEvent
from paymentops.idempotency.models import IdempotencyKey, KeyUse
from paymentops.payments.models import (
    Attempt,
    AttemptTransition,
    Cancellation,
    Capture,
    Dispute,
    Payment,
    PaymentTransition,
    ProviderCall,
    Refund,
    RefundTransition,
    Resumption,
)

type Request = Payment | Capture | Cancellation | Resumption | Refund


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Every row of a payment's story."""

    payment: Payment
    keys: dict[UUID, IdempotencyKey]
    uses: list[KeyUse]
    attempts: list[Attempt]
    attempt_moves: list[AttemptTransition]
    calls: list[ProviderCall]
    moves: list[PaymentTransition]
    captures: list[Capture]
    cancellations: list[Cancellation]
    resumptions: list[Resumption]
    refunds: list[Refund]
    refund_moves: list[RefundTransition]
    disputes: list[Dispute]
    entries: list[EntryView]
    events: list[OutboxEvent]
    human_actions: list[AuditEntry]


def gather(payment: Payment) -> Record:
    """Read every row of a payment's story, in a fixed number of queries however many rows there are."""
    captures = list(payment.captures.order_by("id"))
    cancellations = list(payment.cancellations.order_by("id"))
    resumptions = list(payment.resumptions.defer("details").order_by("id"))
    refunds = list(payment.refunds.order_by("id"))
    disputes = list(payment.disputes.prefetch_related("notices", "transitions").order_by("id"))
    made: list[Request] = [payment, *captures, *cancellations, *resumptions, *refunds]
    keys = IdempotencyKey.objects.in_bulk([row.key_id for row in made])
    return Record(
        payment=payment,
        keys=keys,
        uses=list(KeyUse.objects.filter(key__in=keys).order_by("id")),
        attempts=list(payment.attempts.order_by("id")),
        attempt_moves=list(AttemptTransition.objects.filter(attempt__payment=payment).order_by("sequence", "id")),
        calls=list(ProviderCall.objects.filter(attempt__payment=payment).order_by("id")),
        moves=list(payment.transitions.order_by("sequence", "id")),
        captures=captures,
        cancellations=cancellations,
        resumptions=resumptions,
        refunds=refunds,
        refund_moves=list(RefundTransition.objects.filter(refund__payment=payment).order_by("sequence", "id")),
        disputes=disputes,
        entries=ledger.entries_for_sources(
            {
                "payment": [payment.id],
                "capture": [capture.id for capture in captures],
                "refund": [refund.id for refund in refunds],
                "dispute": [dispute.id for dispute in disputes],
            }
        ),
        events=list(
            OutboxEvent.objects.filter(
                aggregate_id__in=[payment.id, *(refund.id for refund in refunds), *(dispute.id for dispute in disputes)]
            ).order_by("id")
        ),
        human_actions=list(
            AuditEntry.objects.filter(
                object_type__in=["payment", "refund", "dispute"],
                object_id__in=[payment.public_id, *map(str, refunds), *map(str, disputes)],
            ).order_by("id")
        ),
    )
