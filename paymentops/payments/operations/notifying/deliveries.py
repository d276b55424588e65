"""Keeping what a provider sends before anything is made of it, and working it off until nothing is left to do.

A request is checked for its signature, then its bytes are committed, then they are read and applied. The process may
die after either commit: what is kept and not worked off falls due for the sweep. What cannot be read or applied is
tried again after growing waits and then becomes a dead letter, with an owner, that a person has handled again. The
provider is told "received" as soon as the bytes are kept, so that one bad notification never makes it stop sending.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from django.db import connection, transaction

from paymentops.core import failpoints, ids, tracing
from paymentops.core.errors import Conflict
from paymentops.core.failpoints import Point
from paymentops.events import operations as events
from paymentops.payments import redaction
from paymentops.payments.models import InboundNotification, WebhookDelivery
from paymentops.payments.operations.notifying import matching, news
from paymentops.providers import registry
from paymentops.providers.contract import Approved, InboundWebhook, ProviderEvent, WebhookRefused

SOURCE: Final = "webhook"
OWNER: Final = "Engineering"
# How long a delivery waits after its first, second, … failed try; after one more failure it is a dead letter.
WAITS: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600))
# The same for news of something we do not know. An answer that tells its reference wakes it sooner.
WAITS_UNMATCHED: Final = (*WAITS, timedelta(hours=6), timedelta(days=1), timedelta(days=1))
# For so long whoever takes a delivery on has it for itself; longer than working it off takes.
_LEASE: Final = timedelta(seconds=30)

logger = logging.getLogger(__name__)

D = WebhookDelivery.State
_OPEN: Final = (D.RECEIVED, D.UNMATCHED, D.FAILING)
_CLAIM: Final = """
WITH due AS MATERIALIZED (
    SELECT id FROM payments_webhookdelivery WHERE next_try_at <= %(now)s
    ORDER BY next_try_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE payments_webhookdelivery SET next_try_at = %(until)s FROM due
WHERE payments_webhookdelivery.id = due.id RETURNING payments_webhookdelivery.id
"""


class NewsNotApplied(Conflict):
    """What a provider told is still about nothing we know."""

    code = "webhook.still_unmatched"
    title = "This is still about nothing we know"


@dataclass(slots=True)
class _Worked:
    """What became of the events of one delivery."""

    rows: list[InboundNotification] = field(default_factory=list)
    strangers: list[ProviderEvent] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)


def receive(*, provider: str, webhook: InboundWebhook, now: datetime) -> list[str]:
    """Keep the bytes of a request, then do what they tell; return what became of each event.

    The bytes are committed before they are read. What cannot be read or applied raises nothing: it is kept, tried again
    and never lost. The same bytes again are counted and change nothing.

    Raises:
        UnknownProvider: there is no such provider here.
        WebhookRefused, WebhookUnauthentic: it is forged or stale; nothing was kept.
    """
    adapter = registry.get(provider)
    try:
        adapter.require_authentic(webhook, now=now)
    except WebhookRefused as refusal:
        # Nothing is kept of it, so that strangers cannot fill the disk; this line is what can be counted.
        logger.warning("A notification for %s was refused: %s (%d bytes).", provider, refusal.code, len(webhook.body))
        raise
    delivery, is_new = _keep(provider, webhook, now)
    failpoints.reach(Point.WEBHOOK_KEPT)
    if is_new or delivery.state == D.UNMATCHED:
        return [row.state for row in _work(delivery, now=now).rows]
    return list(delivery.notifications.order_by("id").values_list("state", flat=True))


def work_off(*, limit: int, clock: Callable[[], datetime]) -> int:
    """Work off deliveries that are due, at most ``limit``, in any number of processes; return how many."""
    done = 0
    while done < limit and (delivery := _claim(clock())) is not None:
        failpoints.reach(Point.WEBHOOK_CLAIMED)
        _work(delivery, now=clock())
        done += 1
    return done


def replay(*, source: str, reference: str, now: datetime) -> None:  # noqa: ARG001 - the registry's signature
    """Work a dead letter's delivery off again, in the caller's transaction. Locks the delivery.

    Raises:
        WebhookDelivery.DoesNotExist, UnreadableId: it was pruned, or the reference is none of ours.
        NewsNotApplied: it is still about nothing we know.
        Exception: whatever reading or applying it raises; nothing was stored then.
    """
    delivery = WebhookDelivery.objects.select_for_update().get(pk=ids.parse(ids.Prefix.WEBHOOK, reference))
    if delivery.state == D.TAKEN_IN:
        return
    for event in _read(delivery):
        row = news.take_in(event, delivery=delivery, now=now)
        if row.state == InboundNotification.State.UNMATCHED and _must_be_ours(event):
            raise NewsNotApplied(f"{_about(event)}; it stays a dead letter until that is known.")
    delivery.state = D.TAKEN_IN
    delivery.next_try_at = None
    delivery.save(update_fields=["state", "next_try_at"])


def prune(*, before: datetime, limit: int) -> int:
    """Delete the raw bytes of deliveries received before a moment with which nothing is left to do; return how many.

    Their events stay, and so count once for ever.
    """
    ended = WebhookDelivery.objects.filter(pk__lt=ids.first_at(before), next_try_at=None).exclude(state=D.DEAD)
    with transaction.atomic():
        old = list(ended.order_by("pk").values_list("pk", flat=True)[:limit])
        InboundNotification.objects.filter(delivery__in=old).update(delivery=None)
        WebhookDelivery.objects.filter(pk__in=old).delete()
    return len(old)


def _keep(provider: str, webhook: InboundWebhook, now: datetime) -> tuple[WebhookDelivery, bool]:
    """Commit the bytes of a request; tell whether they are new."""
    with transaction.atomic():
        delivery, is_new = WebhookDelivery.objects.select_for_update().get_or_create(
            provider=provider,
            digest=sha256(webhook.body).hexdigest(),
            defaults={
                "id": ids.new(now),
                "body": webhook.body,
                "headers": redaction.headers(webhook.headers),
                "next_try_at": now + _LEASE,
                "received_at": now,
                "last_received_at": now,
                "trace_id": tracing.current_trace_id(),
            },
        )
        if not is_new:
            delivery.deliveries += 1
            delivery.last_received_at = now
            delivery.save(update_fields=["deliveries", "last_received_at"])
        return delivery, is_new


def _claim(now: datetime) -> WebhookDelivery | None:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "until": now + _LEASE})
        row = cursor.fetchone()
    return WebhookDelivery.objects.get(pk=row[0]) if row else None


def _work(delivery: WebhookDelivery, *, now: datetime) -> _Worked:
    """Take in every event; one that fails holds up no other."""
    worked = _Worked()
    # Whatever a stranger's bytes make our code raise, they are kept and looked at again.
    try:
        told = _read(delivery)
    except Exception as error:
        logger.warning("%s of %s cannot be read", delivery, delivery.provider, exc_info=error)
        told, worked.errors = [], [error]
    for event in told:
        try:
            row = news.take_in(event, delivery=delivery, now=now)
        except Exception as error:
            logger.warning("%s of %s cannot be applied", delivery, delivery.provider, exc_info=error)
            worked.errors.append(error)
            continue
        failpoints.reach(Point.NOTIFICATION_COMMITTED)
        worked.rows.append(row)
        if row.state == InboundNotification.State.UNMATCHED and matching.may_match_later(event):
            worked.strangers.append(event)
    _conclude(delivery, worked, now=now)
    failpoints.reach(Point.WEBHOOK_CONCLUDED)
    return worked


def _read(delivery: WebhookDelivery) -> list[ProviderEvent]:
    return list(registry.get(delivery.provider).read_webhook(bytes(delivery.body), now=delivery.received_at))


def _conclude(delivery: WebhookDelivery, worked: _Worked, *, now: datetime) -> None:
    if worked.errors:
        _try_again_or_bury(delivery, worked.errors[0], now=now)
    elif worked.strangers:
        _wait_for_what_it_is_about(delivery, worked.strangers, now=now)
    else:
        _note(delivery, state=D.TAKEN_IN, next_try_at=None)


def _try_again_or_bury(delivery: WebhookDelivery, error: Exception, *, now: datetime) -> None:
    reason = events.in_short(error)
    if delivery.tries < len(WAITS):
        _note(delivery, state=D.FAILING, next_try_at=now + WAITS[delivery.tries], last_error=reason)
    else:
        _bury(delivery, reason, now=now)


def _wait_for_what_it_is_about(delivery: WebhookDelivery, strangers: list[ProviderEvent], *, now: datetime) -> None:
    """Look again later; in the end, only news under a key of ours that nobody knows is anybody's business."""
    if delivery.tries < len(WAITS_UNMATCHED):
        _note(delivery, state=D.UNMATCHED, next_try_at=now + WAITS_UNMATCHED[delivery.tries])
    elif ours := [event for event in strangers if _must_be_ours(event)]:
        _bury(delivery, _about(ours[0]), now=now)
    else:
        _note(delivery, state=D.UNMATCHED, next_try_at=None)


def _must_be_ours(event: ProviderEvent) -> bool:
    return matching.carries_our_key(event) and isinstance(event.outcome, Approved)


def _about(event: ProviderEvent) -> str:
    return f"{event.kind} says that money moved under the key {event.provider_key}, which no attempt here has"


@transaction.atomic
def _bury(delivery: WebhookDelivery, reason: str, *, now: datetime) -> None:
    if not _note(delivery, state=D.DEAD, next_try_at=None, last_error=reason):
        return
    events.bury(
        source=f"{SOURCE}:{delivery.provider}",
        reference=delivery.public_id,
        reason=reason,
        owner=OWNER,
        attempts=delivery.tries + 1,
        now=now,
    )


def _note(delivery: WebhookDelivery, **values: object) -> bool:
    """Write down where a delivery stands, unless another worker ended it meanwhile; tell whether it was written."""
    still_open = WebhookDelivery.objects.filter(pk=delivery.pk, state__in=_OPEN)
    return bool(still_open.update(tries=delivery.tries + 1, **values))
