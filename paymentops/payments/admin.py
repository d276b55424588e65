"""The list of payments in the console. One payment is shown by the console's story page."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    MultipleChoicesDropdownFilter,
    RangeDateFilter,
    RangeNumericListFilter,
)

from paymentops.access.admin import LookUpAdmin
from paymentops.core import currencies, ids
from paymentops.core.currencies import EXPONENTS
from paymentops.payments import queries
from paymentops.payments.models import Attempt, Payment
from paymentops.providers import registry

_CODES_BY_EXPONENT: Final = {
    exponent: [code for code in EXPONENTS if EXPONENTS[code] == exponent] for exponent in set(EXPONENTS.values())
}


class CreatedFilter(RangeDateFilter):
    """Days on which payments were created, in UTC, both included; found by their ids, which sort by time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "day created (UTC)"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:  # noqa: ARG002
        """Keep the payments of these days; a day that cannot be read counts as none."""
        if first := _day(self.used_parameters.get("created_at_from")):
            queryset = queryset.filter(pk__gte=ids.first_at(first))
        if last := _day(self.used_parameters.get("created_at_to")):
            queryset = queryset.filter(pk__lt=ids.first_at(last + timedelta(days=1)))
        return queryset


class AmountFilter(RangeNumericListFilter):
    """Amounts as people say them, 99.90, whatever the decimals of the currency."""

    title = "amount"
    parameter_name = "amount"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:  # noqa: ARG002
        """Keep the payments that ask for at least and at most so much."""
        least, most = (_number(self.used_parameters.get(f"amount_{end}")) for end in ("from", "to"))
        if least is not None:
            queryset = queryset.filter(_requested("gte", least))
        if most is not None:
            queryset = queryset.filter(_requested("lte", most))
        return queryset


class CurrencyFilter(DropdownFilter):
    """One currency; the choices are known, so that the table is not asked for them."""

    title = "currency"
    parameter_name = "currency"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return every currency."""
        return [(code, code) for code in sorted(currencies.EXPONENTS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:  # noqa: ARG002
        """Keep the payments in the currency."""
        return queryset.filter(currency=self.value()) if self.value() else queryset


class ProviderFilter(DropdownFilter):
    """One provider."""

    title = "provider"
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return every provider that is set up."""
        return [(name, name) for name in registry.names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:  # noqa: ARG002
        """Keep the payments sent to the provider."""
        return queryset.filter(provider=self.value()) if self.value() else queryset


class OutcomeFilter(DropdownFilter):
    """Payments of which nobody knows whether something happened."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the one choice."""
        return [("unknown", "unknown now")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:  # noqa: ARG002
        """Keep the payments in doubt."""
        return queryset.filter(pk__in=queries.with_unknown_outcome()) if self.value() == "unknown" else queryset


@admin.register(Payment)
class PaymentAdmin(LookUpAdmin):
    """Payments, newest first, found by any reference."""

    list_display = (
        "story",
        "reference",
        "amount",
        "shown_state",
        "method",
        "provider",
        "attempts_made",
        "created",
    )
    list_display_links = None
    sortable_by: ClassVar = ()
    list_fullwidth = True
    list_filter_submit = True
    list_filter = (
        ("state", MultipleChoicesDropdownFilter),
        OutcomeFilter,
        ProviderFilter,
        CurrencyFilter,
        ("method", ChoicesDropdownFilter),
        ("created_at", CreatedFilter),
        AmountFilter,
    )
    search_fields = ("reference",)  # what is searched is decided below
    search_help_text = "Any id, reference or key, exactly"
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        """Count each payment's attempts with the payments."""
        attempts = Attempt.objects.filter(payment=OuterRef("pk")).order_by().values("payment")
        counted = attempts.annotate(number=Count("pk")).values("number")
        payments: QuerySet[Payment] = super().get_queryset(request)
        return payments.annotate(attempt_count=Coalesce(Subquery(counted), 0)).defer(
            "metadata", "rollout_decision", "route"
        )

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002 - the framework's signature
        queryset: QuerySet[Payment],
        search_term: str,
    ) -> tuple[QuerySet[Payment], bool]:
        """Find by any reference, exactly; never by scanning the table."""
        if not search_term.strip():
            return queryset, False
        return queryset & queries.found_by(text=search_term), False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002 - the framework's signature
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Lead to the payment's story."""
        if request.method == "POST":
            raise PermissionDenied
        payment = self.get_object(request, object_id)
        if payment is None:
            return redirect(reverse("admin:payments_payment_changelist"))
        return redirect(reverse("admin:payment_story", args=[payment.public_id]))

    @admin.display(description="payment")
    def story(self, payment: Payment) -> SafeString:
        """Link to the payment's story by its shortened id."""
        url = reverse("admin:payment_story", args=[payment.public_id])
        short = f"{payment.public_id[:12]}…{payment.public_id[-6:]}"
        return format_html('<a class="po-id" href="{}" title="{}">{}</a>', url, payment.public_id, short)

    @admin.display(description="amount")
    def amount(self, payment: Payment) -> SafeString:
        """Write what was requested."""
        return _component("money_of", minor=payment.requested, currency=payment.currency)

    @admin.display(description="state")
    def shown_state(self, payment: Payment) -> SafeString:
        """Write the state with its sign and colour."""
        return _component("state_of", value=payment.state)

    @admin.display(description="attempts")
    def attempts_made(self, payment: Any) -> int:
        """Tell how many attempts there were."""
        return int(payment.attempt_count)

    @admin.display(description="created")
    def created(self, payment: Payment) -> SafeString:
        """Write when it was accepted."""
        return _component("time_of", at=payment.created_at)


def _component(name: str, **values: Any) -> SafeString:
    return render_to_string(f"components/{name}.html", values)


def _day(text: Any) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(str(text)), time(), tzinfo=UTC)
    except ValueError:
        return None


def _number(text: Any) -> Decimal | None:
    try:
        number = Decimal(str(text or "").strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < 10**16 else None


def _requested(comparison: str, number: Decimal) -> Q:
    """Compare what was requested with a number of major units, by the decimals of each payment's currency."""
    return Q(*_per_exponent(comparison, number), _connector=Q.OR)


def _per_exponent(comparison: str, number: Decimal) -> Iterator[Q]:
    for exponent, codes in _CODES_BY_EXPONENT.items():
        minor = number.scaleb(exponent)
        whole = int(minor.to_integral_value("ROUND_CEILING" if comparison == "gte" else "ROUND_FLOOR"))
        yield Q(currency__in=codes, **{f"requested__{comparison}": whole})
