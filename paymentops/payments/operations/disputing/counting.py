"""What a dispute does to its payment's amounts and to the books: it follows where the disputed money is.

Payment and dispute are locked. Each posting carries the dispute's version, so that every turn of a dispute is an entry
of its own, and none is posted twice.
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings

from ledger import operations as ledger
from ledger import postings
from ledger.postings import Parties, Posting, Source
from paymentops.core import ids, tracing
from paymentops.core.money import Money
from paymentops.payments import disputes
from paymentops.payments.disputes import Position
from paymentops.payments.models import Dispute, Payment
from paymentops.payments.operations import moving as payments
from paymentops.payments.operations.disputing import moving
from paymentops.payments.states import DisputeStage, DisputeState


def settle(dispute: Dispute, payment: Payment | None, *, occurred_at: datetime, now: datetime) -> None:
    """Bring books and payment to where the dispute's state and amount say that the money is.

    Emits ``dispute.excess_recorded`` where it goes beyond what the payment has left.
    """
    position = disputes.position(DisputeState(dispute.state), DisputeStage(dispute.stage))
    withheld = dispute.amount if position is Position.WITHHELD else 0
    lost = dispute.amount if position is Position.LOST else 0
    if (dispute.withheld, dispute.lost) != (withheld, lost):
        _book(dispute, payment, withheld=withheld, lost=lost, occurred_at=occurred_at, now=now)
        recount(dispute, payment, occurred_at=occurred_at, now=now)


def change_currency(
    dispute: Dispute, payment: Payment | None, amount: Money, *, occurred_at: datetime, now: datetime
) -> None:
    """Take out of the books what stands there in another currency than the amount that is told now."""
    is_booked = dispute.withheld or dispute.lost
    if is_booked and amount.currency != dispute.currency:
        _book(dispute, payment, withheld=0, lost=0, occurred_at=occurred_at, now=now)


def charge_fee(dispute: Dispute, fee: Money | None, *, occurred_at: datetime, now: datetime) -> None:
    """Post what the fee is more or less than before."""
    if fee is None or (fee.minor, fee.currency) == (dispute.fee, dispute.fee_currency):
        return
    moving.changed(dispute, now=now)
    before = dispute.fee if fee.currency == dispute.fee_currency else 0
    if dispute.fee and fee.currency != dispute.fee_currency:
        _fee(dispute, Money(-dispute.fee, dispute.fee_currency), occurred_at=occurred_at, now=now)
    _fee(dispute, Money(fee.minor - before, fee.currency), occurred_at=occurred_at, now=now)
    dispute.fee, dispute.fee_currency = fee.minor, fee.currency
    moving.save(dispute, now=now)


def recount(dispute: Dispute, payment: Payment | None, *, occurred_at: datetime, now: datetime) -> None:
    """Count what is withheld or lost in the payment's amounts, and record what goes beyond them."""
    if payment is None:
        return
    others_disputed, others_lost = _of_others(dispute, payment)
    before = dispute.counted
    dispute.counted = _in_payment_currency(dispute, payment)
    payment.disputed = others_disputed + (dispute.counted if dispute.withheld else 0)
    payment.charged_back = others_lost + (dispute.counted if dispute.lost else 0)
    payments.save_payment_changed(payment, now=now)
    excess = min(dispute.counted, _beyond(payment))
    if dispute.counted > before and excess > dispute.excess:
        dispute.excess = excess
        moving.tell(dispute, "dispute.excess_recorded", occurred_at=occurred_at, now=now)
    else:
        moving.save(dispute, now=now)


def _of_others(dispute: Dispute, payment: Payment) -> tuple[int, int]:
    others = payment.disputes.exclude(pk=dispute.pk)
    return (
        sum(others.filter(withheld__gt=0).values_list("counted", flat=True)),
        sum(others.filter(lost__gt=0).values_list("counted", flat=True)),
    )


def _in_payment_currency(dispute: Dispute, payment: Payment) -> int:
    """Return what counts in the payment's amounts: in another currency, for want of a rate, all that was captured."""
    booked = dispute.withheld or dispute.lost
    if not booked or dispute.currency == payment.currency:
        return booked
    return payment.captured


def _beyond(payment: Payment) -> int:
    """Return how much more is refunded, on its way and disputed than there was."""
    given = payment.refunded + payment.refund_reserved + payment.disputed + payment.charged_back
    return max(0, given - (payment.captured - payment.reversed))


def _book(
    dispute: Dispute, payment: Payment | None, *, withheld: int, lost: int, occurred_at: datetime, now: datetime
) -> None:
    """Move the money in the books: what was lost is withheld again before anything else becomes of it."""
    moving.changed(dispute, now=now)
    if dispute.loss_entry is not None:
        ledger.reverse(
            dispute.loss_entry,
            cause=f"dispute:{dispute.version}",
            occurred_at=occurred_at,
            now=now,
            trace_id=tracing.current_trace_id(),
        )
        dispute.withheld, dispute.lost, dispute.loss_entry = dispute.lost, 0, None
    more = withheld + lost - dispute.withheld
    parties = _parties(dispute, payment)
    if more > 0:
        source = _source(dispute, "withheld")
        _post(
            postings.chargeback_opened(source=source, parties=parties, amount=Money(more, dispute.currency)),
            occurred_at=occurred_at,
            now=now,
        )
    elif more < 0:
        source = _source(dispute, "released")
        _post(
            postings.chargeback_won(source=source, parties=parties, amount=Money(-more, dispute.currency)),
            occurred_at=occurred_at,
            now=now,
        )
    if lost:
        posting = _loss(dispute, payment, Money(lost, dispute.currency), parties)
        dispute.loss_entry = _post(posting, occurred_at=occurred_at, now=now)
    dispute.withheld, dispute.lost = withheld, lost
    moving.save(dispute, now=now)


def _loss(dispute: Dispute, payment: Payment | None, amount: Money, parties: Parties) -> Posting:
    source = _source(dispute, "lost")
    if payment is not None and _is_borne_by(parties.client):
        return postings.chargeback_charged_to_client(source=source, parties=parties, amount=amount)
    return postings.chargeback_lost(source=source, provider_account=dispute.provider, amount=amount)


def _is_borne_by(client: str) -> bool:
    """Tell whether a client bears what its disputes take; what is not a client's is always ours."""
    bearers = settings.CHARGEBACKS_BORNE_BY_CLIENTS
    return "*" in bearers or client in bearers


def _fee(dispute: Dispute, amount: Money, *, occurred_at: datetime, now: datetime) -> None:
    if amount.minor > 0:
        posting = postings.dispute_fee(source=_source(dispute, "fee"), provider_account=dispute.provider, amount=amount)
    elif amount.minor < 0:
        posting = postings.dispute_fee_returned(
            source=_source(dispute, "fee_returned"),
            provider_account=dispute.provider,
            amount=Money(-amount.minor, amount.currency),
        )
    else:
        return
    _post(posting, occurred_at=occurred_at, now=now)


def _source(dispute: Dispute, kind: str) -> Source:
    return Source("dispute", dispute.id, kind, dispute.version)


def _parties(dispute: Dispute, payment: Payment | None) -> Parties:
    """Name the parties; a charge that nobody knows has no client, and none of its postings uses one."""
    return Parties(
        client=ids.public(ids.Prefix.CLIENT, payment.client_id) if payment is not None else "",
        provider_account=dispute.provider,
        method=dispute.method,
    )


def _post(posting: Posting, *, occurred_at: datetime, now: datetime) -> UUID:
    entry = ledger.post(
        posting, occurred_at=occurred_at, now=now, cause=posting.source.kind, trace_id=tracing.current_trace_id()
    )
    return entry.pk
