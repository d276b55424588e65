"""The doors through which money is asked to move. Each parses, calls one operation and translates the answer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, ClassVar, Final

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from paymentops.access.models import Scope
from paymentops.core import clock, ids
from paymentops.core.api import invalid_input
from paymentops.core.errors import ApplicationError, InvalidInput
from paymentops.core.json_view import JsonView
from paymentops.idempotency import keys
from paymentops.payments import bodies, doorbell
from paymentops.payments.api import answers, documentation
from paymentops.payments.api.serializers import (
    BatchItemBody,
    CancelBody,
    CaptureBody,
    CreatePaymentBody,
    RefundBody,
    ResumeBody,
)
from paymentops.payments.commands import CancelPayment, CapturePayment, RefundPayment, ResumePayment
from paymentops.payments.operations import accepting, approving, requesting
from paymentops.payments.operations.accepting import Accepted, Keyed, Result

MOST_PER_BATCH: Final = 1000
# Validation keeps nothing on the serializer; making one copies every field, a tenth of a request's time.
_CREATE: Final = CreatePaymentBody()
_BATCH_ITEM: Final = BatchItemBody()


def create_payment(request: Request) -> HttpResponse:
    """Accept one payment."""
    key = answers.idempotency_key(request)
    requester, now = answers.requester(request), clock.now()
    digest = sha256(answers.raw_body(request)).digest()
    result = accepting.replay_payment(requester=requester, key=key, request_digest=digest, now=now)
    if result is None:
        command = CreatePaymentBody.command(_CREATE.run_validation(request.data))
        item = Keyed(key=key, command=command, request_digest=digest)
        result = accepting.create_payment(requester=requester, item=item, now=now)
        doorbell.ring()
    return answers.accepted_payment(result, request=request)


class BatchView(JsonView):
    """Up to 1,000 payments in one request."""

    required_scopes: ClassVar = {"POST": Scope.PAYMENTS_WRITE}

    @extend_schema(**documentation.BATCH)
    def post(self, request: Request) -> HttpResponse:
        """Accept many payments, each under its own key and with its own result."""
        items = _batch_items(request.data)
        readings = [_read_item(item) for item in items]
        good = [reading for reading in readings if isinstance(reading, Keyed)]
        made = iter(
            accepting.create_payments(requester=answers.requester(request), items=good, now=clock.now()) if good else []
        )
        results = [next(made) if isinstance(reading, Keyed) else reading for reading in readings]
        doorbell.ring()
        return HttpResponse(
            b'{"results":[' + b",".join(map(_item_result, results)) + b"]}", content_type="application/json"
        )


class CapturesView(JsonView):
    """Captures of one payment."""

    required_scopes: ClassVar = {"POST": Scope.PAYMENTS_WRITE}

    @extend_schema(**documentation.CAPTURE)
    def post(self, request: Request, payment_id: str) -> HttpResponse:
        """Take part or all of what an authorised payment holds."""
        key = answers.idempotency_key(request)
        values = _values(CaptureBody, request)
        with _ringing():
            result = requesting.capture(
                requester=answers.requester(request),
                key=key,
                command=CapturePayment(payment_id=ids.parse(ids.Prefix.PAYMENT, payment_id), amount=values["amount"]),
                now=clock.now(),
            )
        return answers.accepted(
            result, location=f"/api/v1/captures/{ids.public(ids.Prefix.CAPTURE, result.resource_id)}"
        )


class CancelView(JsonView):
    """Cancellation of one payment."""

    required_scopes: ClassVar = {"POST": Scope.PAYMENTS_WRITE}

    @extend_schema(**documentation.CANCEL)
    def post(self, request: Request, payment_id: str) -> HttpResponse:
        """Cancel a payment that was not captured, or release the rest of one that was captured in part."""
        key = answers.idempotency_key(request)
        _values(CancelBody, request)
        with _ringing():
            result = requesting.cancel(
                requester=answers.requester(request),
                key=key,
                command=CancelPayment(payment_id=ids.parse(ids.Prefix.PAYMENT, payment_id)),
                now=clock.now(),
            )
        return answers.accepted(result, location=f"/api/v1/payments/{payment_id}")


class ResumeView(JsonView):
    """Going on with one payment after its payer has acted."""

    required_scopes: ClassVar = {"POST": Scope.PAYMENTS_WRITE}

    @extend_schema(**documentation.RESUME)
    def post(self, request: Request, payment_id: str) -> HttpResponse:
        """Hand in what the payer brought back, or ask the provider where the payer acted there."""
        key = answers.idempotency_key(request)
        values = _values(ResumeBody, request)
        result = requesting.resume(
            requester=answers.requester(request),
            key=key,
            command=ResumePayment(payment_id=ids.parse(ids.Prefix.PAYMENT, payment_id), details=values["details"]),
            now=clock.now(),
        )
        doorbell.ring()
        return answers.accepted(result, location=f"/api/v1/payments/{payment_id}")


class RefundsView(JsonView):
    """Refunds of one payment."""

    required_scopes: ClassVar = {"POST": Scope.REFUNDS_WRITE}

    @extend_schema(**documentation.REFUND)
    def post(self, request: Request, payment_id: str) -> HttpResponse:
        """Give part or all of what was captured back to the payer."""
        key = answers.idempotency_key(request)
        values = _values(RefundBody, request)
        result = requesting.refund(
            requester=answers.requester(request),
            key=key,
            command=RefundPayment(
                payment_id=ids.parse(ids.Prefix.PAYMENT, payment_id),
                amount=values["amount"],
                reason=values["reason"],
            ),
            now=clock.now(),
        )
        doorbell.ring()
        return answers.accepted(result, location=f"/api/v1/refunds/{ids.public(ids.Prefix.REFUND, result.resource_id)}")


@contextmanager
def _ringing() -> Iterator[None]:
    """Ring after a refusal, too: one because of an open operation makes the inquiry about that one due."""
    try:
        yield
    finally:
        doorbell.ring()


class RefundCancelView(JsonView):
    """Cancellation of one refund."""

    required_scopes: ClassVar = {"POST": Scope.REFUNDS_WRITE}

    @extend_schema(**documentation.REFUND_CANCEL)
    def post(self, request: Request, refund_id: str) -> HttpResponse:
        """Cancel a refund that waits for approval or has not left yet."""
        _values(CancelBody, request)
        found = approving.cancel(
            client_id=answers.requester(request).client_id,
            refund_id=ids.parse(ids.Prefix.REFUND, refund_id),
            now=clock.now(),
        )
        return answers.representation(bodies.refund(found))


def _values(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """Validate a small body; no body at all means an empty one."""
    body = kind(data=request.data if request.body else {})
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


def _batch_items(data: Any) -> list[Any]:
    items = data.get("payments") if isinstance(data, dict) and set(data) == {"payments"} else None
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_PER_BATCH:
        raise InvalidInput(f'Send {{"payments": [...]}} with 1 to {MOST_PER_BATCH} payments.')
    return items


def _read_item(item: Any) -> Keyed | ApplicationError:
    try:
        values = _BATCH_ITEM.run_validation(item)
        key = keys.parse(values["idempotency_key"])
        command = CreatePaymentBody.command(values)
    except serializers.ValidationError as error:
        return invalid_input(error)
    except ApplicationError as error:
        return error
    return Keyed(key=key, command=command)


def _item_result(result: Result) -> bytes:
    """Write one result; an accepted body stands in it byte for byte as the single call answers it."""
    if isinstance(result, Accepted):
        replayed = b"true" if result.replayed else b"false"
        alike = b',"possible_duplicate":"%s"' % result.possible_duplicate.encode() if result.possible_duplicate else b""
        return b'{"status":%d,"replayed":%s%s,"body":%s}' % (result.status, replayed, alike, result.body)
    problem = json.dumps(result.problem(), ensure_ascii=False).encode("utf-8", "backslashreplace")
    return b'{"status":%d,"replayed":false,"body":%s}' % (result.status, problem)
