"""Turning what an operation made into an HTTP answer, waiting for an outcome where the caller prefers to."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, cast
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from paymentops.access.api import Caller
from paymentops.access.models import DuplicatePolicy
from paymentops.idempotency import keys
from paymentops.payments import bodies, queries
from paymentops.payments.likeness import Watch
from paymentops.payments.models import Payment
from paymentops.payments.operations.accepting import Accepted, Requester

_WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,4})\"?(?=$|[,;\s])", re.IGNORECASE)
_LOOK_EVERY_SECONDS: Final = 0.05
# A waiting request holds a thread; the others must stay free to accept.
_waiting_places = threading.BoundedSemaphore(max(1, settings.WEB_THREADS - 2))


def requester(request: Request) -> Requester:
    """Return who asks."""
    who = caller(request)
    seconds = who.duplicate_window_seconds or settings.DUPLICATE_WINDOW_SECONDS
    watch = Watch(DuplicatePolicy(who.duplicate_policy), timedelta(seconds=seconds))
    return Requester(client_id=who.client_id, api_key_prefix=who.key_prefix, watch=watch)


def caller(request: Request) -> Caller:
    """Return the authenticated API client; the views of this room let nobody else in."""
    return cast("Caller", request.auth)


def idempotency_key(request: Request) -> str:
    """Return the request's key; see ``keys.parse`` for what it raises."""
    return keys.parse(request.META.get("HTTP_IDEMPOTENCY_KEY"))


def raw_body(request: Request) -> bytes:
    """Return the body's bytes; they stay readable for the parser."""
    return bytes(request._request.body)  # noqa: SLF001 - the framework's request hides the bytes once it has read them


def accepted(result: Accepted, *, location: str) -> HttpResponse:
    """Answer with the acceptance body, byte for byte the same for every replay."""
    response = _json(result.body, status=result.status)
    response["Location"] = location
    if result.replayed:
        response["Idempotent-Replayed"] = "true"
    if result.possible_duplicate:
        response["PaymentOps-Possible-Duplicate"] = result.possible_duplicate
    return response


def accepted_payment(result: Accepted, *, request: Request) -> HttpResponse:
    """Answer with the acceptance body, or with the outcome when the caller prefers to wait (RFC 7240)."""
    location = f"{request.path}/{bodies.payment_id(result.resource_id)}"
    seconds = _preferred_wait(request)
    if seconds == 0 or not _waiting_places.acquire(blocking=False):
        return accepted(result, location=location)
    try:
        body = _wait_for_outcome(requester(request).client_id, result.resource_id, seconds)
    finally:
        _waiting_places.release()
    response = accepted(
        replace(result, body=body),
        location=location,
    )
    response["Preference-Applied"] = f"wait={seconds}"
    return response


def _preferred_wait(request: Request) -> int:
    found = _WAIT.search(request.META.get("HTTP_PREFER", ""))
    return min(int(found[1]), settings.PREFER_WAIT_MAX_SECONDS) if found else 0


def wait_for_answer(request: Request, payment: Payment, *, since: datetime) -> tuple[Payment, int]:
    """Wait until a provider has said something about the payment since then, as long as the caller prefers to.

    Returns the payment as it is then, and the seconds to name in ``Preference-Applied``; 0 when nothing was waited for.
    """
    seconds = _preferred_wait(request)
    if seconds == 0 or not _waiting_places.acquire(blocking=False):
        return payment, 0
    has_news = partial(queries.has_answer_since, since=since)
    try:
        return _wait(payment.client_id, payment.pk, seconds, has_news), seconds
    finally:
        _waiting_places.release()


def _wait_for_outcome(client_id: UUID, payment_id: UUID, seconds: int) -> bytes:
    return bodies.to_bytes(bodies.payment(_wait(client_id, payment_id, seconds, queries.has_settled_down)))


def _wait(client_id: UUID, payment_id: UUID, seconds: int, is_over: Callable[[Payment], bool]) -> Payment:
    ends_at = time.monotonic() + seconds
    while True:
        payment = queries.payment_of(client_id=client_id, payment_id=payment_id)
        if is_over(payment) or time.monotonic() >= ends_at:
            return payment
        time.sleep(_LOOK_EVERY_SECONDS)


def _json(body: bytes, *, status: int) -> HttpResponse:
    return HttpResponse(body, status=status, content_type="application/json")


def representation(body: dict[str, object], *, status: int = 200) -> HttpResponse:
    """Answer with a present representation."""
    return _json(bodies.to_bytes(body), status=status)
