"""One payment's story, and the way from what the ledger knows to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from paymentops.console import checks, formats
from paymentops.console.pages import shell
from paymentops.core import ids
from paymentops.payments import timeline
from paymentops.payments.models import Attempt, Capture, Dispute, Payment, Refund
from paymentops.payments.queries import retrying
from paymentops.payments.timeline import Lane, Moment, Record

_WORTH_DRAWING: Final = timedelta(minutes=1)
LANES: Final = {
    Lane.REQUEST: ("Request", "input"),
    Lane.ATTEMPT: ("Attempt", "send"),
    Lane.PROVIDER: ("Provider", "cloud_sync"),
    Lane.STATE: ("State", "conversion_path"),
    Lane.LEDGER: ("Ledger", "account_balance"),
    Lane.EVENT: ("Event", "campaign"),
    Lane.PERSON: ("Person", "person"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """A moment as the page shows it: with its lane in words, and the time that passed since the one before."""

    moment: Moment
    lane: str
    icon: str
    gap: str


@dataclass(frozen=True, slots=True)
class LaneFilter:
    """A switch for one lane: how many moments it has, and the query string that switches it."""

    name: str
    icon: str
    count: int
    chosen: bool
    query: str


def story(request: HttpRequest, payment_id: str) -> TemplateResponse:
    """Show everything that happened to one payment.

    Raises:
        PermissionDenied: the person may not look at payments.
        Http404: there is no such payment.
    """
    shell.require(request, "payments.view_payment")
    record = timeline.gather(_payment(payment_id))
    moments = timeline.tell(record)
    chosen = [lane for lane in Lane if lane.value in request.GET.getlist("lane")]
    shown = [moment for moment in moments if not chosen or moment.lane in chosen]
    context = {
        **_header(request, record),
        "checks": checks.of(record),
        "steps": list(_steps(shown)),
        "filters": list(_filters(moments, chosen)),
        "hidden": len(moments) - len(shown),
        "show_raw": request.user.has_perm("console.read_raw"),
        "record": record,
        "captures": _captures(record),
    }
    return shell.page(request, "console/story.html", title=f"Payment {record.payment.reference}", context=context)


def retries(request: HttpRequest, payment_id: str) -> TemplateResponse:
    """Show what would follow each answer to a payment's open attempts, when, and the rule that decides it.

    Raises:
        PermissionDenied: the person may not look at payments.
        Http404: there is no such payment.
    """
    shell.require(request, "payments.view_payment")
    payment = _payment(payment_id)
    context = {"payment": payment, "futures": retrying.futures_of(payment)}
    return shell.page(request, "console/retries.html", title=f"What happens next: {payment.reference}", context=context)


def source(request: HttpRequest, source_type: str, source_id: UUID) -> HttpResponse:  # noqa: ARG001 - Django's call
    """Lead from the source of a ledger entry to the story of the payment behind it.

    Raises:
        Http404: there is no such thing.
    """
    payment_ids = {
        "payment": Payment.objects.filter(pk=source_id).values_list("pk", flat=True),
        "capture": Capture.objects.filter(pk=source_id).values_list("payment", flat=True),
        "refund": Refund.objects.filter(pk=source_id).values_list("payment", flat=True),
        "dispute": Dispute.objects.filter(pk=source_id, payment__isnull=False).values_list("payment", flat=True),
    }
    found = payment_ids[source_type].first() if source_type in payment_ids else None
    if found is None:
        raise Http404("No payment stands behind this.")
    return redirect(reverse("admin:payment_story", args=[ids.public(ids.Prefix.PAYMENT, found)]))


def _payment(payment_id: str) -> Payment:
    wanted = shell.parse(ids.Prefix.PAYMENT, payment_id)
    payment = Payment.objects.select_related("client").filter(pk=wanted).first()
    if payment is None:
        raise Http404("There is no payment under this id.")
    return payment


def _header(request: HttpRequest, record: Record) -> dict[str, Any]:
    payment = record.payment
    sees_people = request.user.has_perm("access.view_pii")
    customer = payment.customer_reference
    return {
        "payment": payment,
        "customer": customer if sees_people or not customer else formats.masked(customer),
        "customer_is_masked": bool(customer) and not sees_people,
        "key": record.keys[payment.key_id],
        "provider_reference": next((a.provider_reference for a in record.attempts if a.provider_reference), ""),
        "open_attempts": [attempt for attempt in record.attempts if attempt.is_open],
        "amounts": [
            ("requested", payment.requested),
            ("authorised", payment.authorized),
            ("captured", payment.captured),
            ("voided", payment.voided),
            ("taken back", payment.reversed),
            ("refunded", payment.refunded),
            ("refunds on their way", payment.refund_reserved),
            ("disputed", payment.disputed),
            ("charged back", payment.charged_back),
            ("came back, owed to the payer", payment.returned),
        ],
    }


def _captures(record: Record) -> list[tuple[Capture, Attempt | None]]:
    latest = {attempt.capture_id: attempt for attempt in record.attempts if attempt.capture_id}
    return [(capture, latest.get(capture.id)) for capture in record.captures]


def _steps(moments: Sequence[Moment]) -> Iterator[Step]:
    before = None
    for moment in moments:
        name, icon = LANES[moment.lane]
        passed = moment.at - before.at if before else timedelta()
        yield Step(moment, name, icon, formats.duration(passed) if passed >= _WORTH_DRAWING else "")
        before = moment


def _filters(moments: Sequence[Moment], chosen: Sequence[Lane]) -> Iterator[LaneFilter]:
    for lane, (name, icon) in LANES.items():
        count = sum(moment.lane is lane for moment in moments)
        if count:
            others = [other for other in chosen if other is not lane] if lane in chosen else [*chosen, lane]
            query = urlencode([("lane", other.value) for other in others])
            yield LaneFilter(name, icon, count, lane in chosen, f"?{query}" if query else "?")
