"""The doors through which services look at their payments."""

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from paymentops.access.models import Scope
from paymentops.core import clock, ids
from paymentops.core.json_view import JsonView, NewestFirst
from paymentops.payments import bodies, doorbell, queries
from paymentops.payments.api import answers, documentation, writing
from paymentops.payments.api.serializers import PaymentFilters, PaymentRefresh
from paymentops.payments.operations import asking


class PaymentsView(JsonView):
    """All payments of the calling client."""

    required_scopes: ClassVar = {"GET": Scope.PAYMENTS_READ, "POST": Scope.PAYMENTS_WRITE}

    @extend_schema(**documentation.LIST)
    def get(self, request: Request) -> HttpResponse:
        """List payments, newest first."""
        filters = PaymentFilters(data=request.query_params)
        filters.is_valid(raise_exception=True)
        lookups = {PaymentFilters.LOOKUPS[name]: value for name, value in filters.validated_data.items() if value}
        pages = NewestFirst()
        rows = pages.paginate_queryset(
            queries.payments_of(client_id=answers.caller(request).client_id).filter(**lookups), request, view=self
        )
        page: dict[str, Any] = {
            "next": pages.get_next_link(),
            "previous": pages.get_previous_link(),
            "results": [bodies.payment(row) for row in rows or []],
        }
        return answers.representation(page)

    @extend_schema(**documentation.CREATE)
    def post(self, request: Request) -> HttpResponse:
        """Accept a payment exactly once."""
        return writing.create_payment(request)


class PaymentView(JsonView):
    """One payment."""

    required_scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(**documentation.DETAIL)
    def get(self, request: Request, payment_id: str) -> HttpResponse:
        """Show a payment as it stands, with its captures and refunds; ask its provider first, if so wished."""
        wish = PaymentRefresh(data=request.query_params)
        wish.is_valid(raise_exception=True)
        payment = queries.payment_of(
            client_id=answers.caller(request).client_id, payment_id=ids.parse(ids.Prefix.PAYMENT, payment_id)
        )
        waited = 0
        if wish.validated_data["refresh"]:
            now = clock.now()
            asking.ask_soon(payment_id=payment.pk, now=now)
            doorbell.ring()
            payment, waited = answers.wait_for_answer(request, payment, since=now)
        response = answers.representation(
            bodies.payment(payment)
            | {
                "captures": [bodies.capture(row, latest=latest) for row, latest in queries.captures_of(payment)],
                "refunds": [bodies.refund(row) for row in queries.refunds_of(payment)],
            }
        )
        if waited:
            response["Preference-Applied"] = f"wait={waited}"
        return response


class CaptureView(JsonView):
    """One capture."""

    required_scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(**documentation.CAPTURE_DETAIL)
    def get(self, request: Request, capture_id: str) -> HttpResponse:
        """Show a capture as it stands."""
        row, latest = queries.capture_of(
            client_id=answers.caller(request).client_id, capture_id=ids.parse(ids.Prefix.CAPTURE, capture_id)
        )
        return answers.representation(bodies.capture(row, latest=latest))


class RefundView(JsonView):
    """One refund."""

    required_scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(**documentation.REFUND_DETAIL)
    def get(self, request: Request, refund_id: str) -> HttpResponse:
        """Show a refund as it stands."""
        row = queries.refund_of(
            client_id=answers.caller(request).client_id, refund_id=ids.parse(ids.Prefix.REFUND, refund_id)
        )
        return answers.representation(bodies.refund(row))
