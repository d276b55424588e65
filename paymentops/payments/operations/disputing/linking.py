"""Which payment a dispute is about; it may be told of before the charge is known here."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from paymentops.core import ids
from paymentops.payments.models import Attempt, Dispute, Payment
from paymentops.payments.operations.disputing import counting, moving
from paymentops.providers import contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a provider names a disputed charge by: our key, our reference, or its own id."""

    provider_key: str = ""
    reference: str = ""
    provider_reference: str = ""


def linked(dispute: Dispute, charge: Charge, *, is_new: bool, now: datetime) -> Payment | None:
    """Return the payment of a locked dispute under its lock, linking it now where it was not known before.

    Emits ``dispute.linked`` where the dispute was told of before its charge was known.
    """
    if dispute.payment_id is not None:
        return Payment.lock(dispute.payment_id)
    payment_id = _found(dispute.provider, charge)
    if payment_id is None:
        return None
    payment = Payment.lock(payment_id)
    _link(dispute, payment, now=now, tell=not is_new)
    return payment


def link_unlinked(*, limit: int, now: datetime) -> int:
    """Look again for the charges of up to ``limit`` disputes that have none, the newest first; return how many."""
    waiting = Dispute.objects.unlinked().order_by("-id").values_list("id", flat=True)[:limit]
    return sum(_link_now(dispute_id, now) for dispute_id in waiting)


@transaction.atomic
def _link_now(dispute_id: UUID, now: datetime) -> bool:
    dispute = Dispute.lock(dispute_id)
    if dispute.payment_id is not None:
        return False
    ours = dispute.our_reference
    is_key = contract.attempt_id_of(ours) is not None
    charge = Charge(
        provider_key=ours if is_key else "",
        reference="" if is_key else ours,
        provider_reference=dispute.charge_reference,
    )
    return linked(dispute, charge, is_new=False, now=now) is not None


def _link(dispute: Dispute, payment: Payment, *, now: datetime, tell: bool) -> None:
    dispute.payment = payment
    if tell:
        counting.recount(dispute, payment, occurred_at=now, now=now)
        moving.tell(dispute, "dispute.linked", occurred_at=now, now=now)
    else:
        dispute.method = payment.method


def _found(provider: str, charge: Charge) -> UUID | None:
    attempts = Attempt.objects.filter(provider=provider)
    attempt_id = contract.attempt_id_of(charge.provider_key)
    if attempt_id is not None:
        own = attempts.filter(pk=attempt_id).values_list("payment", flat=True).first()
        if own is not None:
            return own
    if charge.reference.startswith(f"{ids.Prefix.PAYMENT}_"):
        try:
            payment_id = ids.parse(ids.Prefix.PAYMENT, charge.reference)
        except ids.UnreadableId:
            payment_id = None
        if payment_id is not None and Payment.objects.filter(pk=payment_id, provider=provider).exists():
            return payment_id
    if not charge.provider_reference:
        return None
    named = attempts.filter(provider_reference=charge.provider_reference).order_by("id")
    return named.values_list("payment", flat=True).first()
