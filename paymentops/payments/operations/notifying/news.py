"""Which kind of news goes where. Each event commits by itself, together with its effect, and counts once.

A new kind of news is a field of ``ProviderEvent`` and one case in ``_apply``.
"""

from datetime import datetime

from django.db import transaction

from paymentops.core import failpoints, ids, tracing
from paymentops.core.failpoints import Point
from paymentops.payments.models import Attempt, InboundNotification, ProviderCall, WebhookDelivery
from paymentops.payments.operations import disputing, outcomes
from paymentops.payments.operations.disputing import Charge, Told
from paymentops.payments.operations.notifying import matching
from paymentops.payments.operations.outcomes import Answer
from paymentops.providers.contract import ProviderEvent
from paymentops.providers.disputes import DisputeNews

N = InboundNotification.State


def take_in(event: ProviderEvent, *, delivery: WebhookDelivery, now: datetime) -> InboundNotification:
    """Record one event unless it was before; one that was about nothing we knew is tried again.

    Locks the notification, then what ``outcomes.record`` locks.
    """
    with transaction.atomic():
        row, is_new = InboundNotification.objects.select_for_update().get_or_create(
            provider=delivery.provider,
            event_id=event.event_id,
            defaults={
                "id": ids.new(now),
                "delivery": delivery,
                "kind": event.kind,
                "provider_reference": event.provider_reference,
                "occurred_at": event.occurred_at,
                "received_at": now,
                "trace_id": tracing.current_trace_id(),
            },
        )
        if not is_new and row.delivery_id != delivery.pk:
            row.deliveries += 1
        if row.state in (N.RECEIVED, N.UNMATCHED):
            row.state = _apply(event, provider=delivery.provider, now=now)
        row.save(update_fields=["state", "deliveries"])
        failpoints.reach(Point.NOTIFICATION_BEFORE_COMMIT)
        return row


def _apply(event: ProviderEvent, *, provider: str, now: datetime) -> InboundNotification.State:
    """Hand news to what it is about, by its kind."""
    if event.dispute is not None:
        return _dispute(event, event.dispute, provider=provider, now=now)
    attempt = matching.attempt_of(event, provider=provider)
    if attempt is None:
        return N.UNMATCHED
    if event.outcome is not None:
        return _outcome(event, attempt, now=now)
    return N.RECORDED


def _outcome(event: ProviderEvent, attempt: Attempt, *, now: datetime) -> InboundNotification.State:
    """Record what became of an operation, as an answer that nobody here asked for."""
    assert event.outcome is not None  # noqa: S101 - the caller asked
    recorded = outcomes.record(
        answer=Answer(
            attempt_id=attempt.id,
            kind=ProviderCall.Kind.NOTIFICATION,
            number=0,
            fence=None,
            started_at=event.occurred_at,
            reference=event.event_id,
            outcome=event.outcome,
        ),
        now=now,
    )
    return N.APPLIED if recorded.applied else N.RECORDED


def _dispute(event: ProviderEvent, news: DisputeNews, *, provider: str, now: datetime) -> InboundNotification.State:
    """Record what is told about a dispute, also of a charge that we do not know."""
    charge = Charge(
        provider_key=event.provider_key, reference=event.reference, provider_reference=event.provider_reference
    )
    told = Told(
        provider=provider,
        event_id=event.event_id,
        kind=event.kind,
        occurred_at=event.occurred_at,
        news=news,
        charge=charge,
    )
    return N.APPLIED if disputing.record(told=told, now=now).applied else N.RECORDED
