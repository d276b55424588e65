"""What providers tell us unasked: verified, kept, counted once, then recorded like any other answer."""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from paymentops.core import ids, tracing
from paymentops.payments.models import Attempt, InboundNotification, ProviderCall
from paymentops.payments.operations import outcomes
from paymentops.payments.operations.outcomes import Answer
from paymentops.providers import contract, registry
from paymentops.providers.contract import InboundWebhook, ProviderEvent

N = InboundNotification.State


def receive(*, provider: str, webhook: InboundWebhook, now: datetime) -> InboundNotification:
    """Take in one notification; a second delivery of the same one is counted and changes nothing.

    Raises:
        UnknownProvider: there is no such provider here.
        WebhookRefused, WebhookUnauthentic: it is forged, stale or unreadable; nothing was changed.
    """
    event = registry.get(provider).parse_webhook(webhook, now=now)
    with transaction.atomic():
        row, is_new = InboundNotification.objects.get_or_create(
            provider=provider,
            event_id=event.event_id,
            defaults={
                "id": ids.new(now),
                "kind": event.kind,
                "body": webhook.body,
                "occurred_at": event.occurred_at,
                "received_at": now,
                "trace_id": tracing.current_trace_id(),
            },
        )
        if not is_new:
            InboundNotification.objects.filter(pk=row.pk).update(deliveries=F("deliveries") + 1)
            return row
        row.state = _apply(event, provider, now)
        row.save(update_fields=["state"])
        return row


def _apply(event: ProviderEvent, provider: str, now: datetime) -> InboundNotification.State:
    attempt_id = contract.attempt_id_of(event.provider_key)
    attempt = Attempt.objects.filter(pk=attempt_id, provider=provider).first() if attempt_id else None
    if attempt is None:
        return N.UNMATCHED
    if event.outcome is None:
        return N.RECORDED
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
