"""The doors through which services look at the disputes of their payments."""

from typing import Any, ClassVar, Final

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from paymentops.access.models import Scope
from paymentops.core import ids
from paymentops.core.api import problems
from paymentops.core.fields import Currency, Strict
from paymentops.core.json_view import JsonView, NewestFirst
from paymentops.payments import bodies, queries
from paymentops.payments.api import answers
from paymentops.payments.models import Dispute
from paymentops.payments.models.dispute import DisputeQuerySet
from paymentops.payments.queries import disputes as reading
from paymentops.payments.states import OPEN_DISPUTE_STATES, DisputeStage, DisputeState, EvidenceState, ReasonClass

_TAGS: Final = ["Disputes"]


class DisputeReasonSchema(serializers.Serializer[Any]):
    """Why the payer disputes."""

    code = serializers.CharField(allow_null=True, help_text="The provider's own code.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add the field whose name is a word of Python."""
        return super().get_fields() | {"class": serializers.ChoiceField(choices=ReasonClass.choices)}


class DisputeEvidenceSchema(serializers.Serializer[Any]):
    """What became of the evidence that the provider asks for."""

    state = serializers.ChoiceField(choices=EvidenceState.choices)
    due_at = serializers.DateTimeField(allow_null=True)


class DisputeFeeSchema(serializers.Serializer[Any]):
    """What the provider charges for the dispute, less what it gave back."""

    amount = serializers.IntegerField(help_text="Minor units.")
    currency = serializers.CharField()


class DisputeSchema(serializers.Serializer[Any]):
    """A dispute of one charge."""

    id = serializers.CharField()
    payment = serializers.CharField()
    provider = serializers.CharField()
    provider_reference = serializers.CharField(help_text="The provider's id of the dispute.")
    state = serializers.ChoiceField(choices=DisputeState.choices)
    stage = serializers.ChoiceField(choices=DisputeStage.choices, help_text="How far it has gone.")
    is_open = serializers.BooleanField(help_text="Whether it can still move money.")
    amount = serializers.IntegerField(help_text="Minor units; need not be the charge's.")
    currency = serializers.CharField()
    withheld = serializers.IntegerField(help_text="What the provider holds back of it now.")
    lost = serializers.IntegerField(help_text="What of it is gone.")
    excess = serializers.IntegerField(
        help_text="How far it went beyond what the payment had left, in the payment's currency."
    )
    fee = DisputeFeeSchema(allow_null=True)
    reason = DisputeReasonSchema()
    evidence = DisputeEvidenceSchema()
    opened_at = serializers.DateTimeField()
    version = serializers.IntegerField()


class DisputeMoveSchema(serializers.Serializer[Any]):
    """One move of a dispute."""

    state = serializers.ChoiceField(choices=DisputeState.choices)
    at = serializers.DateTimeField(help_text="When it happened.")
    recorded_at = serializers.DateTimeField(help_text="When it was known here.")


class DisputeDetailSchema(DisputeSchema):
    """A dispute with its moves, oldest first."""

    moves = DisputeMoveSchema(many=True)


class DisputePageSchema(serializers.Serializer[Any]):
    """One page of disputes, newest first."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = DisputeSchema(many=True)


class DisputesOfPaymentSchema(serializers.Serializer[Any]):
    """All disputes of a payment, oldest first."""

    results = DisputeSchema(many=True)


class DisputeFilters(Strict):
    """Which disputes."""

    state = serializers.ChoiceField(choices=DisputeState.choices, required=False)
    stage = serializers.ChoiceField(choices=DisputeStage.choices, required=False)
    is_open = serializers.BooleanField(required=False, help_text="Only those that can still move money, or only those.")
    reason_class = serializers.ChoiceField(choices=ReasonClass.choices, required=False)
    evidence = serializers.ChoiceField(choices=EvidenceState.choices, required=False)
    due_before = serializers.DateTimeField(required=False, help_text="Only those whose evidence is due before this.")
    provider = serializers.CharField(max_length=40, required=False)
    currency = Currency(required=False)
    payment = serializers.CharField(max_length=40, required=False, help_text="Only those of this payment, `pay_…`.")
    cursor = serializers.CharField(max_length=1000, required=False, help_text="From `next` or `previous`.")
    limit = serializers.IntegerField(min_value=1, max_value=200, required=False)


class DisputesView(JsonView):
    """All disputes of the calling client."""

    required_scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(
        operation_id="list_disputes",
        tags=_TAGS,
        summary="List disputes, newest first",
        parameters=[DisputeFilters],
        responses={200: DisputePageSchema, **problems(400, 401, 403, 404, 503)},
    )
    def get(self, request: Request) -> HttpResponse:
        """List disputes, newest first."""
        filters = DisputeFilters(data=request.query_params.dict())
        filters.is_valid(raise_exception=True)
        pages = NewestFirst()
        mine = reading.disputes_of(client_id=answers.caller(request).client_id)
        rows = pages.paginate_queryset(_filtered(mine, filters.validated_data), request, view=self) or []
        return answers.representation(
            {
                "next": pages.get_next_link(),
                "previous": pages.get_previous_link(),
                "results": [bodies.dispute(row) for row in rows],
            }
        )


class DisputeView(JsonView):
    """One dispute."""

    required_scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(
        operation_id="get_dispute",
        tags=_TAGS,
        summary="Show a dispute with its moves",
        parameters=[OpenApiParameter("dispute_id", str, OpenApiParameter.PATH, description="`dsp_…`")],
        responses={200: DisputeDetailSchema, **problems(401, 403, 404, 503)},
    )
    def get(self, request: Request, dispute_id: str) -> HttpResponse:
        """Show a dispute as it stands, with its moves."""
        row = reading.dispute_of(
            client_id=answers.caller(request).client_id, dispute_id=ids.parse(ids.Prefix.DISPUTE, dispute_id)
        )
        return answers.representation(bodies.dispute(row) | {"moves": _moves(row)})


class DisputesOfPaymentView(JsonView):
    """The disputes of one payment."""

    required_scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(
        operation_id="list_disputes_of_payment",
        tags=_TAGS,
        summary="Show a payment's disputes",
        responses={200: DisputesOfPaymentSchema, **problems(401, 403, 404, 503)},
    )
    def get(self, request: Request, payment_id: str) -> HttpResponse:
        """Show all disputes of a payment, oldest first."""
        payment = queries.payment_of(
            client_id=answers.caller(request).client_id, payment_id=ids.parse(ids.Prefix.PAYMENT, payment_id)
        )
        rows = reading.disputes_of_payment(payment)
        return answers.representation({"results": [bodies.dispute(row) for row in rows]})


def _filtered(found: DisputeQuerySet, wanted: dict[str, Any]) -> DisputeQuerySet:
    exact = ("state", "stage", "reason_class", "evidence", "provider", "currency")
    found = found.filter(**{name: wanted[name] for name in exact if wanted.get(name)})
    if "is_open" in wanted:
        found = found.open() if wanted["is_open"] else found.exclude(state__in=OPEN_DISPUTE_STATES)
    if wanted.get("due_before"):
        found = found.awaiting_evidence().filter(evidence_due_at__lt=wanted["due_before"])
    if wanted.get("payment"):
        found = found.filter(payment=ids.parse(ids.Prefix.PAYMENT, wanted["payment"]))
    return found


def _moves(row: Dispute) -> list[dict[str, str]]:
    return [
        {"state": move.to_state, "at": bodies.moment(move.occurred_at), "recorded_at": bodies.moment(move.recorded_at)}
        for move in row.transitions.order_by("sequence", "id")
    ]
