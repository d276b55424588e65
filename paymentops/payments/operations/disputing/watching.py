"""What time does to disputes: evidence falls due, and a deadline without any is missed."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from paymentops.payments.models import Dispute
from paymentops.payments.models.dispute import DisputeQuerySet
from paymentops.payments.operations.disputing import linking, moving
from paymentops.payments.states import EvidenceState


def watch(*, limit: int, now: datetime) -> int:
    """Tell of deadlines that are near or missed, and look again for charges we did not know; return how many.

    At most ``limit`` of each kind, each in a transaction of its own. May run twice and beside itself: each dispute is
    looked at again under its lock. Emits ``dispute.evidence_due`` and ``dispute.evidence_missed``, once per deadline.
    """
    missed = _missed(now).values_list("id", flat=True)[:limit]
    done = sum(_tell_missed(dispute_id, now) for dispute_id in missed)
    due = _due(now).values_list("id", flat=True)[:limit]
    done += sum(_tell_due(dispute_id, now) for dispute_id in due)
    return done + linking.link_unlinked(limit=limit, now=now)


def _missed(now: datetime) -> DisputeQuerySet:
    return Dispute.objects.awaiting_evidence().filter(evidence_due_at__lte=now).order_by("evidence_due_at", "id")


def _due(now: datetime) -> DisputeQuerySet:
    """Return what nobody was warned of: a new deadline is warned of anew."""
    ahead = timedelta(days=settings.DISPUTE_WARNING_DAYS)
    waiting = Dispute.objects.awaiting_evidence().filter(evidence_due_at__gt=now, evidence_due_at__lte=now + ahead)
    return waiting.exclude(warned_for=F("evidence_due_at")).order_by("evidence_due_at", "id")


@transaction.atomic
def _tell_missed(dispute_id: UUID, now: datetime) -> bool:
    dispute = Dispute.lock(dispute_id)
    if not _missed(now).filter(pk=dispute.pk).exists():
        return False
    dispute.evidence = EvidenceState.MISSED
    dispute.missed_for = dispute.evidence_due_at
    moving.tell(dispute, "dispute.evidence_missed", occurred_at=dispute.evidence_due_at or now, now=now)
    return True


@transaction.atomic
def _tell_due(dispute_id: UUID, now: datetime) -> bool:
    dispute = Dispute.lock(dispute_id)
    if not _due(now).filter(pk=dispute.pk).exists():
        return False
    dispute.warned_for = dispute.evidence_due_at
    moving.tell(dispute, "dispute.evidence_due", occurred_at=now, now=now)
    return True
