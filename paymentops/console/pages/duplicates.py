"""Duplicates: what came twice, or looks as if, by cause; one group side by side with what differs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from paymentops.access import pages as access
from paymentops.console import formats
from paymentops.console.pages import shell
from paymentops.core import clock, ids
from paymentops.core.errors import ApplicationError
from paymentops.payments.models import DuplicateCause, DuplicateGroup, DuplicateMember
from paymentops.payments.operations import duplicates as operations
from paymentops.payments.queries import duplicates as queries

VIEW: Final = "payments.view_payment"
MAY_DISMISS: Final = "payments.dismiss_duplicates"
PER_PAGE: Final = 50
_COMPARED: Final = (
    ("amount", "amount"),
    ("reference", "reference"),
    ("customer_reference", "payer"),
    ("method", "method"),
    ("capture", "capture"),
    ("provider", "provider"),
    ("metadata", "metadata"),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of the side-by-side: a field, its value in each member, and whether they differ."""

    label: str
    values: list[str]
    differs: bool


def duplicates(request: HttpRequest) -> TemplateResponse:
    """List groups, newest first: ``?cause=SUSPECTED``, ``PROVIDER``, ``KEY_REUSED`` or ``KEY_REPLAYED``.

    Raises:
        PermissionDenied: the person may not look at payments.
    """
    shell.require(request, VIEW)
    cause = request.GET.get("cause", "")
    cause = cause if cause in DuplicateCause.values else DuplicateCause.SUSPECTED.value
    shown = queries.groups(cause=cause).select_related("client")
    if before := request.GET.get("before", ""):
        shown = shown.filter(pk__lt=shell.parse(ids.Prefix.DUPLICATES, before))
    rows = list(shown[: PER_PAGE + 1])
    context = {
        "causes": DuplicateCause.choices,
        "cause": cause,
        "rows": rows[:PER_PAGE],
        "more": rows[PER_PAGE - 1].public_id if len(rows) > PER_PAGE else "",
        "totals": queries.at_risk_per_currency(),
    }
    return shell.page(request, "console/duplicates/list.html", title="Duplicates", context=context)


def group(request: HttpRequest, group_id: str) -> TemplateResponse:
    """Show one group: its members side by side, what differs, and what became of each.

    Raises:
        PermissionDenied: the person may not look at payments.
        Http404: there is no such group.
    """
    return _shown(request, group_id)


def dismiss(request: HttpRequest, group_id: str) -> HttpResponse:
    """Say that the members are no duplicates, once.

    Raises:
        PermissionDenied: the person may not.
        Http404: there is no such group.
    """
    shell.require_post(request)
    shell.require(request, MAY_DISMISS)
    found, now = _find(group_id), clock.now()

    def work() -> str:
        reason = request.POST.get("reason", "")
        return str(operations.dismiss(group_id=found.pk, reason=reason, by=access.person(request), now=now))

    try:
        shell.once(request, action="duplicates.dismiss", work=work, now=now)
    except ApplicationError as refusal:
        return _shown(request, group_id, refusal=refusal)
    messages.success(request, "Marked as no duplicates. It opens again if it is seen again.")
    return redirect(reverse("admin:duplicate_group", args=[group_id]))


def addresses(site: AdminSite) -> list[URLPattern]:
    """Return the addresses below ``duplicates/``, for members of staff only."""
    return [
        path("duplicates/", site.admin_view(duplicates), name="duplicates"),
        path("duplicates/<str:group_id>", site.admin_view(group), name="duplicate_group"),
        path("duplicates/<str:group_id>/dismiss", site.admin_view(dismiss), name="duplicate_dismiss"),
    ]


def _shown(request: HttpRequest, group_id: str, *, refusal: ApplicationError | None = None) -> TemplateResponse:
    shell.require(request, VIEW)
    found = _find(group_id)
    members = queries.members(found)
    open_to = request.user.has_perm("access.view_pii")
    context = {
        "group": found,
        "members": members,
        "compared": _compare(members, masked=not open_to),
        "span": formats.duration(found.last_seen_at - found.first_seen_at),
        "may_dismiss": request.user.has_perm(MAY_DISMISS) and found.dismissed_at is None,
    }
    return shell.page(request, "console/duplicates/group.html", title="Duplicates", context=context, refusal=refusal)


def _compare(members: list[DuplicateMember], *, masked: bool) -> list[Compared]:
    rows = [_values(member) for member in members]
    lines = [_moments(members)] if members else []
    for name, label in _COMPARED:
        values = [_text(row.get(name)) for row in rows]
        differs = len(set(values)) > 1
        hidden = masked and name == "customer_reference"
        lines.append(Compared(label, [formats.masked(v) if hidden and v else v for v in values], differs))
    return lines


def _moments(members: list[DuplicateMember]) -> Compared:
    def clocked(at: datetime) -> str:
        return at.strftime("%H:%M:%S.%f")[:-3] + " UTC"

    return Compared("at", [clocked(member.seen_at) for member in members], differs=False)


def _values(member: DuplicateMember) -> Mapping[str, Any]:
    payment = member.payment
    if payment is None:
        return dict(member.shown) | {"amount": _amount(member.shown)}
    return {
        "amount": formats.money(payment.requested, payment.currency),
        "reference": payment.reference,
        "customer_reference": payment.customer_reference,
        "method": payment.method,
        "capture": payment.capture_mode,
        "provider": payment.provider,
        "metadata": payment.metadata,
    }


def _amount(shown: Mapping[str, Any]) -> str:
    return formats.money(int(shown["amount"]), str(shown["currency"])) if "currency" in shown else ""


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {part}" for name, part in sorted(value.items()))
    return str(value or "")


def _find(group_id: str) -> DuplicateGroup:
    found = queries.group(shell.parse(ids.Prefix.DUPLICATES, group_id))
    if found is None:
        raise Http404("There is no such group of duplicates.")
    return found
