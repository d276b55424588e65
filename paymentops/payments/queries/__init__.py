"""Reads of the room ``payments``. A query never changes a row."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from ledger.models import Entry, State
from paymentops.casework import queries as casework
from paymentops.casework.models import Proposal
from paymentops.core import ids
from paymentops.core.errors import NotFound
from paymentops.events.models import OutboxEvent
from paymentops.idempotency.models import IdempotencyKey
from paymentops.payments.models import (
    Attempt,
    Cancellation,
    Capture,
    Dispute,
    Payment,
    ProviderCall,
    Refund,
    Resumption,
)
from paymentops.payments.models.payment import PaymentQuerySet
from paymentops.payments.proposals import REFUND
from paymentops.payments.states import SETTLED_DOWN_PAYMENT_STATES, AttemptState
from paymentops.providers import contract

# The kind of the entry for what is left of a capture of which a part was taken back.
KEPT: Final = "kept"
_MOST_FOUND: Final = 1000
_SETTLED_DOWN: Final = frozenset(SETTLED_DOWN_PAYMENT_STATES)


def payments_of(*, client_id: UUID) -> PaymentQuerySet:
    """Return all payments of one API client, newest first."""
    return Payment.objects.of_client(client_id).order_by("-id")


def payment_of(*, client_id: UUID, payment_id: UUID) -> Payment:
    """Return one payment of a client.

    Raises:
        NotFound: there is none, or it is another client's.
    """
    payment = payments_of(client_id=client_id).filter(pk=payment_id).first()
    if payment is None:
        raise NotFound("This API client has no payment under this id.")
    return payment


def refund_of(*, client_id: UUID, refund_id: UUID) -> Refund:
    """Return one refund of a client's payment.

    Raises:
        NotFound: there is none, or it is another client's.
    """
    refund = Refund.objects.filter(pk=refund_id, payment__client_id=client_id).first()
    if refund is None:
        raise NotFound("This API client has no refund under this id.")
    return refund


def proposed_refund(proposal: Proposal) -> Refund:
    """Return the refund that a proposal of the kind ``payments.refund`` is about, with its payment."""
    refund_id = ids.parse(ids.Prefix.REFUND, proposal.subject_id)
    return Refund.objects.select_related("payment").get(pk=refund_id)


def refunds_to_decide(*, limit: int) -> list[tuple[Refund, Proposal]]:
    """Return the refunds that wait for a second person with their open proposals, the oldest first."""
    proposals = list(casework.proposals().filter(kind=REFUND.name, state="PROPOSED").order_by("id")[:limit])
    wanted = [ids.parse(ids.Prefix.REFUND, proposal.subject_id) for proposal in proposals]
    found = Refund.objects.select_related("payment").in_bulk(wanted)
    return [(found[refund_id], proposal) for refund_id, proposal in zip(wanted, proposals, strict=True)]


def refunds_of(payment: Payment) -> list[Refund]:
    """Return a payment's refunds, oldest first."""
    return list(payment.refunds.order_by("id"))


def capture_of(*, client_id: UUID, capture_id: UUID) -> tuple[Capture, Attempt | None]:
    """Return one capture of a client's payment with its latest attempt.

    Raises:
        NotFound: there is none, or it is another client's.
    """
    capture = Capture.objects.filter(pk=capture_id, payment__client_id=client_id).first()
    if capture is None:
        raise NotFound("This API client has no capture under this id.")
    return capture, capture.attempts.order_by("id").last()


def captures_of(payment: Payment) -> list[tuple[Capture, Attempt | None]]:
    """Return a payment's captures with their latest attempts, oldest first."""
    latest = {attempt.capture_id: attempt for attempt in payment.attempts.filter(operation="CAPTURE").order_by("id")}
    return [(capture, latest.get(capture.pk)) for capture in payment.captures.order_by("id")]


def has_settled_down(payment: Payment) -> bool:
    """Tell whether nothing more happens to the payment by itself."""
    return payment.state in _SETTLED_DOWN


def has_answer_since(payment: Payment, *, since: datetime) -> bool:
    """Tell whether a provider has said anything about the payment since then, or nothing of it is undecided."""
    calls = ProviderCall.objects.filter(attempt__payment=payment, answered_at__gte=since)
    return calls.exists() or not payment.attempts.open().exists()


def created_between(*, since: datetime, until: datetime | None = None) -> PaymentQuerySet:
    """Return the payments created from ``since`` until before ``until``; ids sort by time, so their index serves."""
    payments = Payment.objects.filter(pk__gte=ids.first_at(since))
    return payments if until is None else payments.filter(pk__lt=ids.first_at(until))


def unknown_attempts() -> QuerySet[Attempt]:
    """Return the attempts of which nobody knows whether they happened; the index of what is due serves."""
    return Attempt.objects.filter(state=AttemptState.UNKNOWN, next_action_at__isnull=False)


def with_unknown_outcome() -> PaymentQuerySet:
    """Return the payments that have such an attempt."""
    return Payment.objects.filter(pk__in=unknown_attempts().values("payment"))


def capture_source(payment: Payment, attempt: Attempt) -> tuple[str, UUID]:
    """Return the type and the id under which the ledger knows what an attempt took."""
    return ("capture", attempt.capture_id) if attempt.capture_id is not None else ("payment", payment.pk)


def entry_of_capture(payment: Payment, attempt: Attempt) -> Entry:
    """Return the entry that stands for what a capture or sale took, or for what is left of it.

    It is the last of what was kept, the attempt's own entry, a late capture that its success made, or the settled hold:
    a payment's hold is settled once, by the capture that took all that was left.
    """
    source_type, source_id = capture_source(payment, attempt)
    own = Entry.objects.filter(source_type=source_type, source_id=source_id)
    kept = own.filter(source_kind=KEPT).order_by("-source_sequence").first()
    if kept is not None:
        return kept
    direct = own.filter(source_kind__in=["sale", "captured"]).first()
    return direct or _late_capture(payment, attempt) or _settled_hold(payment)


def _late_capture(payment: Payment, attempt: Attempt) -> Entry | None:
    """Return the entry of a capture that came as late evidence: it carries the payment's version before the move."""
    success = attempt.transitions.filter(to_state=AttemptState.SUCCEEDED).order_by("sequence").last()
    moved = payment.transitions.filter(cause=success.cause).first() if success is not None else None
    if moved is None:
        return None
    late = Entry.objects.filter(source_type="payment", source_id=payment.pk, source_kind="late_capture")
    return late.filter(source_sequence=moved.sequence - 1).first()


def _settled_hold(payment: Payment) -> Entry:
    holds = Entry.objects.filter(source_type="payment", source_id=payment.pk, source_kind="hold")
    return holds.get(state__in=[State.POSTED, State.REVERSED])


def found_by(*, text: str) -> PaymentQuerySet:
    """Return the payments that a reference names, exactly as typed, at most the newest 1,000; look-ups use indexes.

    Their ids are read first: one statement for all would let the database walk every payment backwards instead.

    Known are the public ids of payments, attempts, captures, cancellations, resumptions, refunds, entries and events
    (also a payment's shortened to at least 10 digits), the merchant's and the customer's reference, idempotency keys,
    and the keys and references of providers.
    """
    text = text.strip()
    prefix, _, digits = text.partition("_")
    if prefix in _LOOK_UPS and len(digits) == 32:
        try:
            value = UUID(hex=digits)
        except ValueError:
            return Payment.objects.none()
        return Payment.objects.filter(pk__in=list(_LOOK_UPS[prefix](value)))
    if prefix == ids.Prefix.PAYMENT and 10 <= len(digits) < 32:
        return _begins_with(digits)
    return Payment.objects.filter(pk__in=list(_named(text))) if text else Payment.objects.none()


def _named(text: str) -> "QuerySet[Payment, UUID]":
    used = IdempotencyKey.objects.filter(key=text).values("pk")
    found = [
        Payment.objects.filter(reference=text),
        Payment.objects.filter(customer_reference=text).exclude(customer_reference=""),
        Payment.objects.filter(key__in=used),
        Payment.objects.filter(captures__key__in=used),
        Payment.objects.filter(cancellations__key__in=used),
        Payment.objects.filter(resumptions__key__in=used),
        Payment.objects.filter(refunds__key__in=used),
        Payment.objects.filter(
            pk__in=Attempt.objects.filter(provider_reference=text).exclude(provider_reference="").values("payment")
        ),
    ]
    if (attempt_id := contract.attempt_id_of(text)) is not None:
        found.append(Payment.objects.filter(attempts=attempt_id))
    first, *others = (payments.order_by().values_list("pk", flat=True) for payments in found)
    return first.union(*others).order_by("-id")[:_MOST_FOUND]


def _begins_with(digits: str) -> PaymentQuerySet:
    try:
        first, last = UUID(hex=digits.ljust(32, "0")), UUID(hex=digits.ljust(32, "f"))
    except ValueError:
        return Payment.objects.none()
    return Payment.objects.filter(pk__range=(first, last))


def _of_entry(value: UUID) -> "QuerySet[Payment, UUID]":
    sources = Entry.objects.filter(pk=value).values("source_id")
    found = [
        Payment.objects.filter(pk__in=sources),
        Payment.objects.filter(captures__in=sources),
        Payment.objects.filter(refunds__in=sources),
    ]
    first, *others = (payments.order_by().values_list("pk", flat=True) for payments in found)
    return first.union(*others)


def _of_event(value: UUID) -> "QuerySet[Payment, UUID]":
    aggregates = OutboxEvent.objects.filter(pk=value).values("aggregate_id")
    payments = Payment.objects.filter(pk__in=aggregates).order_by().values_list("pk", flat=True)
    return payments.union(Refund.objects.filter(pk__in=aggregates).order_by().values_list("payment", flat=True))


_LOOK_UPS: Final[dict[str, Callable[[UUID], Any]]] = {
    ids.Prefix.PAYMENT: lambda value: [value],
    ids.Prefix.ATTEMPT: lambda value: Attempt.objects.filter(pk=value).values_list("payment", flat=True),
    ids.Prefix.CAPTURE: lambda value: Capture.objects.filter(pk=value).values_list("payment", flat=True),
    ids.Prefix.CANCELLATION: lambda value: Cancellation.objects.filter(pk=value).values_list("payment", flat=True),
    ids.Prefix.RESUMPTION: lambda value: Resumption.objects.filter(pk=value).values_list("payment", flat=True),
    ids.Prefix.REFUND: lambda value: Refund.objects.filter(pk=value).values_list("payment", flat=True),
    ids.Prefix.DISPUTE: lambda value: Dispute.objects.filter(pk=value, payment__isnull=False).values_list(
        "payment", flat=True
    ),
    ids.Prefix.ENTRY: _of_entry,
    ids.Prefix.EVENT: _of_event,
}
