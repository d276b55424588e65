"""What providers tell us unasked: verified, kept, counted once, then recorded like any other answer."""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from paymentops.core import ids, tracing
from paymentops.payments.models import Attempt, InboundNotification, ProviderCall
from paymentops.payments.models.attempt import AttemptQuerySet
from paymentops.payments.operations import outcomes
from paymentops.payments.operations.outcomes import Answer
from paymentops.providers import contract, registry
from paymentops.providers.contract import InboundWebhook, ProviderEvent

N = InboundNotification.State


def receive(*, provider: str, webhook: InboundWebhook, now: datetime) -> list[InboundNotification]:
    """Take in what one request tells; a second delivery of the same event is counted and changes nothing.

    Each event commits by itself: if a later one fails, the provider sends all again and the earlier ones are known.

    Raises:
        UnknownProvider: there is no such provider here.
        WebhookRefused, WebhookUnauthentic: it is forged, stale or unreadable; nothing was changed.
    """
    events = registry.get(provider).parse_webhook(webhook, now=now)
    return [_take_in(event, provider, webhook.body, now) for event in events]


def _take_in(event: ProviderEvent, provider: str, body: bytes, now: datetime) -> InboundNotification:
    with transaction.atomic():
        row, is_new = InboundNotification.objects.get_or_create(
            provider=provider,
            event_id=event.event_id,
            defaults={
                "id": ids.new(now),
                "kind": event.kind,
                "body": body,
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
    attempt = _attempt_of(event, provider)
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


def _attempt_of(event: ProviderEvent, provider: str) -> Attempt | None:
    """Find what a notification is about: by our key, else by our reference and its operation, the newest first."""
    attempts = Attempt.objects.filter(provider=provider)
    attempt_id = contract.attempt_id_of(event.provider_key)
    if attempt_id is not None:
        return attempts.filter(pk=attempt_id).first()
    if event.operation is None:
        return None
    about = attempts.filter(operation=event.operation).order_by("-id")
    return _by_our_reference(about, event.reference) or _by_their_reference(about, event.provider_reference)


def _by_our_reference(attempts: AttemptQuerySet, reference: str) -> Attempt | None:
    prefix, _, _ = reference.partition("_")
    try:
        if prefix == ids.Prefix.REFUND:
            return attempts.filter(refund=ids.parse(ids.Prefix.REFUND, reference)).first()
        return attempts.filter(payment=ids.parse(ids.Prefix.PAYMENT, reference)).first()
    except ids.UnreadableId:
        return None


def _by_their_reference(attempts: AttemptQuerySet, reference: str) -> Attempt | None:
    """Find by the provider's id of the operation itself, or of the charge that it works on."""
    if not reference:
        return None
    charges = Attempt.objects.filter(operation="AUTHORIZE", provider_reference=reference)
    itself = attempts.filter(provider_reference=reference).first()
    return itself or attempts.filter(payment__in=charges.values("payment")).first()
