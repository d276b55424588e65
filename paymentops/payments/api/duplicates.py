"""The door through which services look at what came twice, or looks as if."""

from typing import Any, ClassVar, Final

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from paymentops.access.models import Scope
from paymentops.core import ids
from paymentops.core.api import problems
from paymentops.core.fields import Strict
from paymentops.core.json_view import JsonView, NewestFirst
from paymentops.payments import bodies
from paymentops.payments.api import answers
from paymentops.payments.models import DuplicateCause, DuplicateGroup
from paymentops.payments.queries import duplicates as reading

MOST_PAYMENTS: Final = 200


class DuplicatesSchema(serializers.Serializer[Any]):
    """Requests or charges that are, or may be, one and the same."""

    id = serializers.CharField()
    cause = serializers.ChoiceField(choices=DuplicateCause.choices)
    currency = serializers.CharField(allow_null=True)
    amount = serializers.IntegerField(help_text="Of one charge, in minor units.")
    at_risk = serializers.IntegerField(help_text="What may have been taken too often, in minor units.")
    count = serializers.IntegerField(help_text="How often it was seen in all.")
    refused = serializers.IntegerField(help_text="How many of them were turned away.")
    fields_differing = serializers.ListField(
        child=serializers.CharField(), help_text="For `KEY_REUSED`: in which fields the requests differed."
    )
    idempotency_key = serializers.CharField(allow_null=True, help_text="The key that they share, where they share one.")
    payments = serializers.ListField(
        child=serializers.CharField(), help_text=f"At most {MOST_PAYMENTS}, in the order in which they were found."
    )
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    is_dismissed = serializers.BooleanField(help_text="Whether somebody said that these are no duplicates.")


class DuplicatesPageSchema(serializers.Serializer[Any]):
    """One page of groups, newest first."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = DuplicatesSchema(many=True)


class DuplicatesFilters(Strict):
    """Which groups."""

    cause = serializers.ChoiceField(choices=DuplicateCause.choices, required=False)
    open = serializers.BooleanField(required=False, help_text="`true`: without those that were dismissed.")
    cursor = serializers.CharField(max_length=1000, required=False, help_text="From `next` or `previous`.")
    limit = serializers.IntegerField(min_value=1, max_value=200, required=False)


class DuplicatesView(JsonView):
    """All groups of the calling client."""

    required_scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(
        operation_id="list_duplicates",
        tags=["Payments"],
        summary="List what came twice or looks as if, newest first",
        parameters=[DuplicatesFilters],
        responses={200: DuplicatesPageSchema, **problems(400, 401, 403, 404, 503)},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the groups of the calling client, newest first."""
        filters = DuplicatesFilters(data=request.query_params.dict())
        filters.is_valid(raise_exception=True)
        wanted = filters.validated_data
        found = reading.groups(cause=wanted.get("cause", ""), only_open=wanted.get("open", False))
        pages = NewestFirst()
        rows = pages.paginate_queryset(found.filter(client_id=answers.caller(request).client_id), request, view=self)
        members = reading.payments_of_groups(rows or [], most=MOST_PAYMENTS)
        page: dict[str, Any] = {
            "next": pages.get_next_link(),
            "previous": pages.get_previous_link(),
            "results": [_body(row, members.get(row.pk, [])) for row in rows or []],
        }
        return answers.representation(page)


def _body(group: DuplicateGroup, payments: list[Any]) -> dict[str, Any]:
    return {
        "id": group.public_id,
        "cause": group.cause,
        "currency": group.currency or None,
        "amount": group.amount,
        "at_risk": getattr(group, "at_risk"),  # noqa: B009 - added by the query
        "count": group.count,
        "refused": group.refused,
        "fields_differing": group.fields,
        "idempotency_key": group.key or None,
        "payments": [ids.public(ids.Prefix.PAYMENT, payment_id) for payment_id in payments],
        "first_seen_at": bodies.moment(group.first_seen_at),
        "last_seen_at": bodies.moment(group.last_seen_at),
        "is_dismissed": group.dismissed_at is not None,
    }
