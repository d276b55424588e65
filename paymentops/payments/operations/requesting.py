"""What a service may ask on a payment it has: capture, cancel, refund. Each has a key of its own.

Limits guard what we ask for, under the payment's row lock: capturable is authorised less captured, voided and on its
way; refundable is captured less taken back, refunded, reserved and disputed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from django.db import transaction

from paymentops.access.actors import Actor
from paymentops.core import failpoints, ids
from paymentops.core.errors import Conflict, NotFound
from paymentops.core.failpoints import Point
from paymentops.idempotency import fingerprint as fingerprints
from paymentops.idempotency import keys
from paymentops.idempotency import operations as idempotency
from paymentops.idempotency.models import IdempotencyKey, Operation
from paymentops.idempotency.operations import Use
from paymentops.payments import bodies
from paymentops.payments.commands import CancelPayment, CapturePayment, RefundPayment, ResumePayment
from paymentops.payments.models import Attempt, Cancellation, Capture, Cause, Payment, Refund, Resumption
from paymentops.payments.operations import approving, asking, books, moving, payer, preparing, resuming, withdrawing
from paymentops.payments.operations.accepting import Accepted, Requester
from paymentops.payments.states import AttemptState, PaymentState
from paymentops.providers import contract, registry

_CANCEL_WAITS = (PaymentState.PROCESSING, PaymentState.REQUIRES_ACTION, PaymentState.UNKNOWN_OUTCOME)


class NotCapturable(Conflict):
    """The payment holds less than is asked for, or is in a state in which nothing can be captured."""

    code = "payment.not_capturable"
    title = "This amount cannot be captured"


class NotRefundable(Conflict):
    """Less was captured than is asked back, counting refunds already on their way."""

    code = "payment.not_refundable"
    title = "This amount cannot be refunded"


class NotCancelable(Conflict):
    """There is nothing left to cancel."""

    code = "payment.not_cancelable"
    title = "This payment cannot be cancelled"


class OperationOpen(Conflict):
    """Another authorisation, capture or void of this payment is not finished."""

    code = "payment.operation_open"
    title = "Another operation on this payment is not finished"


def capture(*, requester: Requester, key: str, command: CapturePayment, now: datetime) -> Accepted:
    """Accept a capture of part or all of what is held; a worker carries it out.

    Raises:
        NotFound: this client has no such payment.
        NotCapturable, OperationOpen: it cannot be captured now; the key stays free.
        KeyReused, KeyInFlight: see ``accepting``.
    """
    use = _use(requester, Operation.CAPTURE, key, command.business_fields())

    def make(payment: Payment, claimed: IdempotencyKey) -> bytes:
        amount = _capturable(payment, command.amount)
        row = Capture.objects.create(
            id=claimed.resource_id,
            payment=payment,
            key=claimed,
            amount=amount,
            currency=payment.currency,
            created_at=now,
        )
        preparing.prepare_capture(payment, row, now=now)
        return bodies.to_bytes(bodies.accepted_capture(row))

    def replay(resource_id: UUID) -> tuple[bytes, int]:
        return bodies.to_bytes(bodies.accepted_capture(Capture.objects.get(pk=resource_id))), 201

    return _accept(use=use, payment_id=command.payment_id, resource_type="capture", make=make, replay=replay, now=now)


def refund(*, requester: Requester, key: str, command: RefundPayment, now: datetime) -> Accepted:
    """Accept a refund of part or all of what was captured; its amount is reserved at once.

    One over the limit waits for a second person (202), see ``approving``.

    Raises:
        NotFound: this client has no such payment.
        NotRefundable: more is asked for than is left; the key stays free.
        OperationOpen: nobody knows whether a capture or void of the payment happened; the key stays free.
        KeyReused, KeyInFlight: see ``accepting``.
    """
    use = _use(requester, Operation.REFUND, key, command.business_fields())

    def make(payment: Payment, claimed: IdempotencyKey) -> bytes:
        _require_nothing_unknown(payment)
        amount = payment.money(_refundable(payment, command.amount))
        row = Refund(
            id=claimed.resource_id,
            payment=payment,
            key=claimed,
            amount=amount.minor,
            currency=payment.currency,
            reason=command.reason,
            approval=approving.needed(payment, amount.minor),
            from_returned=payment.take_returned(amount),
            created_at=now,
            updated_at=now,
        )
        row.save(force_insert=True)
        requested = Cause("request", str(claimed.pk), actor=requester.actor)
        moving.record_refund_moved(row, before="", cause=requested, occurred_at=now, now=now)
        accepted = bodies.to_bytes(bodies.accepted_refund(row))
        payment.reserve_refund(amount)
        moving.save_payment_changed(payment, now=now)
        books.refund_requested(payment, row, now=now)
        if row.approval:
            approving.ask(row, by=Actor.client(requester.actor), now=now)
        else:
            _approve(row, now)
            preparing.prepare_refund(payment, row, now=now)
        return accepted

    def replay(resource_id: UUID) -> tuple[bytes, int]:
        row = Refund.objects.get(pk=resource_id)
        return bodies.to_bytes(bodies.accepted_refund(row)), 202 if row.approval else 201

    return _accept(use=use, payment_id=command.payment_id, resource_type="refund", make=make, replay=replay, now=now)


def cancel(*, requester: Requester, key: str, command: CancelPayment, now: datetime) -> Accepted:
    """Cancel: at once when nothing was sent, by a void of what is held, or later when an outcome is still open (202).

    Raises:
        NotFound: this client has no such payment.
        NotCancelable, OperationOpen: there is nothing left to cancel, or another operation is open; the key stays free.
        KeyReused, KeyInFlight: see ``accepting``.
    """
    use = _use(requester, Operation.CANCEL, key, command.business_fields())

    def make(payment: Payment, claimed: IdempotencyKey) -> bytes:
        mode = _cancel(payment, Cause("request", str(claimed.pk), actor=requester.actor), now)
        row = Cancellation.objects.create(
            id=claimed.resource_id, payment=payment, key=claimed, mode=mode, created_at=now
        )
        return bodies.to_bytes(bodies.cancellation(row))

    def replay(resource_id: UUID) -> tuple[bytes, int]:
        row = Cancellation.objects.get(pk=resource_id)
        return bodies.to_bytes(bodies.cancellation(row)), _cancel_status(row)

    return _accept(
        use=use, payment_id=command.payment_id, resource_type="cancellation", make=make, replay=replay, now=now
    )


def resume(*, requester: Requester, key: str, command: ResumePayment, now: datetime) -> Accepted:
    """Go on with a payment whose payer has acted: a worker hands in what they brought, or asks the provider.

    Raises:
        NotFound: this client has no such payment.
        NotResumable: it does not wait for its payer; the key stays free.
        KeyReused, KeyInFlight: see ``accepting``.
    """
    use = _use(requester, Operation.RESUME, key, command.business_fields())

    def make(payment: Payment, claimed: IdempotencyKey) -> bytes:
        cause = Cause("request", str(claimed.pk), actor=requester.actor)
        return bodies.to_bytes(bodies.resumption(resuming.take_up(payment, claimed, command, cause=cause, now=now)))

    def replay(resource_id: UUID) -> tuple[bytes, int]:
        return bodies.to_bytes(bodies.resumption(Resumption.objects.get(pk=resource_id))), 201

    return _accept(
        use=use, payment_id=command.payment_id, resource_type="resumption", make=make, replay=replay, now=now
    )


def _accept(
    *,
    use: Use,
    payment_id: UUID,
    resource_type: str,
    make: Callable[[Payment, IdempotencyKey], bytes],
    replay: Callable[[UUID], tuple[bytes, int]],
    now: datetime,
) -> Accepted:
    """Claim the key and make the thing in one transaction, or answer as before; a refusal leaves no key behind."""
    if idempotency.find(use=use) is not None:
        return _answer_again(use, replay, now)
    with idempotency.refusing_twins(), _asking_when_refused(payment_id, now):
        with transaction.atomic():
            payment = _own(payment_id, use.client_id)
            claimed = idempotency.claim(use=use, resource_type=resource_type, resource_id=ids.new(now), now=now)
            if claimed is not None:
                made = Accepted(
                    resource_id=claimed.resource_id,
                    body=make(payment, claimed),
                    replayed=False,
                    status=replay(claimed.resource_id)[1],
                )
                failpoints.reach(Point.REQUEST_BEFORE_COMMIT)
        if claimed is None:
            return _answer_again(use, replay, now)
    failpoints.reach(Point.REQUEST_COMMITTED)
    return made


@contextmanager
def _asking_when_refused(payment_id: UUID, now: datetime) -> Iterator[None]:
    """Ask what became of the operation that stands in the way of a new one, before anybody tries that again."""
    try:
        yield
    except OperationOpen:
        asking.ask_soon(payment_id=payment_id, now=now)
        raise


def _answer_again(use: Use, replay: Callable[[UUID], tuple[bytes, int]], now: datetime) -> Accepted:
    owner = idempotency.find(use=use)
    if owner is None:
        raise keys.in_flight()
    if bytes(owner.fingerprint) != use.fingerprint.digest:
        fields = use.fingerprint.differing_fields(owner.field_digests)
        idempotency.note_refusal(key_id=owner.pk, api_key_prefix=use.api_key_prefix, fields=fields, now=now)
        raise keys.reused(
            fields=fields,
            resource=ids.public(ids.Prefix[owner.resource_type.upper()], owner.resource_id),
        )
    idempotency.note_replay(key_id=owner.pk, api_key_prefix=use.api_key_prefix, now=now)
    body, status = replay(owner.resource_id)
    return Accepted(resource_id=owner.resource_id, body=body, replayed=True, status=status)


def _use(requester: Requester, operation: Operation, key: str, fields: dict[str, object]) -> Use:
    return Use(
        client_id=requester.client_id,
        api_key_prefix=requester.api_key_prefix,
        operation=operation,
        key=key,
        fingerprint=fingerprints.of(fields),
    )


def _own(payment_id: UUID, client_id: UUID) -> Payment:
    payment = Payment.objects.of_client(client_id).select_for_update().filter(pk=payment_id).first()
    if payment is None:
        raise NotFound("This API client has no payment under this id.")
    return payment


def _open_attempt(payment: Payment) -> Attempt | None:
    return payment.attempts.open().exclude(operation=contract.Operation.REFUND).first()


def _capturable(payment: Payment, wanted: int | None) -> int:
    _require_nothing_unknown(payment)
    if payment.state not in (PaymentState.AUTHORIZED, PaymentState.PARTIALLY_CAPTURED):
        raise NotCapturable(f"The payment is {payment.get_state_display()}; only an authorised one can be captured.")
    _require_nothing_open(payment)
    amount = payment.uncaptured if wanted is None else wanted
    if not 1 <= amount <= payment.uncaptured:
        raise NotCapturable(
            f"{payment.money(payment.uncaptured)} can still be captured.", extra={"capturable": payment.uncaptured}
        )
    capabilities = registry.get(payment.at_provider).capabilities
    if amount < payment.uncaptured and not capabilities.partial_capture:
        raise NotCapturable(f"{payment.at_provider} captures an authorisation only as a whole.")
    return amount


def _refundable(payment: Payment, wanted: int | None) -> int:
    amount = payment.refundable if wanted is None else wanted
    if amount < 1 or amount > payment.refundable:
        raise NotRefundable(
            f"{payment.money(payment.refundable)} can still be refunded.", extra={"refundable": payment.refundable}
        )
    return amount


def _approve(row: Refund, now: datetime) -> None:
    """Approve at once: a refund needs a second person only above a limit."""
    before = row.state
    row.approve()
    cause = Cause("policy", "within_limit", reason="It needs no second person.")
    moving.save_refund_moved(row, before=before, cause=cause, occurred_at=now, now=now)


def _cancel(payment: Payment, cause: Cause, now: datetime) -> Cancellation.Mode:
    attempt = _open_attempt(payment)
    unsent = attempt is not None and attempt.state == AttemptState.PREPARED
    if attempt is not None and unsent and payment.state in (PaymentState.CREATED, PaymentState.PROCESSING):
        withdrawing.cancel_unsent(payment, Attempt.lock(attempt.pk), cause=cause, now=now)
        return Cancellation.Mode.AT_ONCE
    if payment.state in _CANCEL_WAITS:
        payment.cancel_requested_at = payment.cancel_requested_at or now
        moving.save_payment_changed(payment, now=now)
        payer.take_back_soon(payment, now=now)
        asking.ask_soon(payment_id=payment.pk, now=now)
        return Cancellation.Mode.WAITING
    if payment.holds:
        _require_nothing_open(payment)
        preparing.prepare_void(payment, now=now)
        return Cancellation.Mode.VOID
    raise NotCancelable(f"The payment is {payment.get_state_display()}; refund what was captured instead.")


def _cancel_status(row: Cancellation) -> int:
    return 202 if row.mode == Cancellation.Mode.WAITING else 201


def _require_nothing_open(payment: Payment) -> None:
    attempt = _open_attempt(payment)
    if attempt is not None:
        raise OperationOpen(
            f"A {attempt.operation.lower()} of this payment is {attempt.get_state_display()}; wait for its outcome.",
            extra={"attempt": attempt.public_id},
        )


def _require_nothing_unknown(payment: Payment) -> None:
    """Let new captures and refunds wait while nobody knows what was captured; an unknown refund blocks itself only."""
    attempt = _open_attempt(payment)
    if attempt is not None and attempt.state == AttemptState.UNKNOWN:
        raise OperationOpen(
            f"Nobody knows yet whether a {attempt.operation.lower()} of this payment happened; the provider is being "
            "asked. Send the same request again shortly.",
            extra={"attempt": attempt.public_id},
        )
