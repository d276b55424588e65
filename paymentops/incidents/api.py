"""The doors through which services look at incidents. People are not named to them."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from paymentops.access.models import Scope
from paymentops.core import ids
from paymentops.core.api import problems
from paymentops.core.fields import Currency, Strict
from paymentops.core.json_view import JsonView, NewestFirst
from paymentops.incidents import queries
from paymentops.incidents.models import Incident, IncidentPayment, IncidentQuerySet
from paymentops.incidents.queries import Moment, Risk
from paymentops.incidents.states import UNFINISHED, Severity, State

MOST_PAYMENTS: Final = 200
OPERATOR: Final = "operator"
_TAGS: Final = ["Incidents"]


class RiskSchema(serializers.Serializer[Any]):
    """What is at risk in one currency."""

    amount = serializers.IntegerField(help_text="Minor units.")
    currency = serializers.CharField()
    payments = serializers.IntegerField(help_text="On how many payments.")


class IncidentSchema(serializers.Serializer[Any]):
    """An incident."""

    id = serializers.CharField()
    rule = serializers.CharField()
    title = serializers.CharField()
    severity = serializers.ChoiceField(choices=Severity.choices)
    state = serializers.ChoiceField(choices=State.choices)
    version = serializers.IntegerField(help_text="Grows with every move.")
    provider = serializers.CharField(allow_null=True)
    method = serializers.CharField(allow_null=True)
    operation = serializers.CharField(allow_null=True)
    failure_class = serializers.CharField(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    team = serializers.CharField(allow_null=True, help_text="The team that answers for it.")
    is_owned = serializers.BooleanField(help_text="Whether somebody of the team does.")
    merged_into = serializers.CharField(allow_null=True)
    signals = serializers.IntegerField(help_text="How often it fired.")
    opened_at = serializers.DateTimeField()
    last_fired_at = serializers.DateTimeField()
    at_risk = RiskSchema(many=True)


class IncidentPaymentSchema(serializers.Serializer[Any]):
    """A payment that an incident touches."""

    payment = serializers.CharField()
    amount = serializers.IntegerField(help_text="Minor units at risk until `resolved_at`.")
    currency = serializers.CharField()
    reason = serializers.CharField(allow_null=True)
    linked_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)


class IncidentMomentSchema(serializers.Serializer[Any]):
    """One thing that happened."""

    at = serializers.DateTimeField()
    kind = serializers.CharField(help_text="`transition`, `signal`, `escalation` or `people`.")
    what = serializers.CharField()
    actor = serializers.CharField(allow_null=True, help_text="`incidents` for the system, `operator` for a person.")
    reference = serializers.CharField(allow_null=True, help_text="A state, or what made it fire.")


class IncidentDetailSchema(IncidentSchema):
    """An incident with its payments and its story."""

    payments = IncidentPaymentSchema(many=True, help_text=f"At most {MOST_PAYMENTS}, those at risk first.")
    timeline = IncidentMomentSchema(many=True, help_text="Oldest first; of the signals the newest 200.")


class IncidentPageSchema(serializers.Serializer[Any]):
    """One page of incidents, newest first."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = IncidentSchema(many=True)


class IncidentFilters(Strict):
    """Which incidents."""

    state = serializers.ChoiceField(choices=State.choices, required=False)
    severity = serializers.ChoiceField(choices=Severity.choices, required=False)
    unfinished = serializers.BooleanField(
        required=False, help_text="Only those neither closed nor merged, or only those."
    )
    unowned = serializers.BooleanField(required=False, help_text="`true`: only those that nobody answers for.")
    rule = serializers.CharField(max_length=60, required=False)
    provider = serializers.CharField(max_length=40, required=False)
    currency = Currency(required=False)
    payment = serializers.CharField(
        max_length=40, required=False, help_text="Only those that touch this payment, `pay_…`."
    )
    cursor = serializers.CharField(max_length=1000, required=False, help_text="From `next` or `previous`.")
    limit = serializers.IntegerField(min_value=1, max_value=200, required=False)


class IncidentsView(JsonView):
    """All incidents."""

    required_scopes: ClassVar = {"GET": Scope.INCIDENTS_READ}

    @extend_schema(
        operation_id="list_incidents",
        tags=_TAGS,
        summary="List incidents, newest first",
        parameters=[IncidentFilters],
        responses={200: IncidentPageSchema, **problems(400, 401, 403, 404, 503)},
    )
    def get(self, request: Request) -> Response:
        """List incidents, newest first."""
        filters = IncidentFilters(data=request.query_params.dict())
        filters.is_valid(raise_exception=True)
        pages = NewestFirst()
        rows = pages.paginate_queryset(_filtered(filters.validated_data), request, view=self) or []
        risks = queries.at_risk_by_incident(rows)
        return Response(
            {
                "next": pages.get_next_link(),
                "previous": pages.get_previous_link(),
                "results": [_body(row, risks[row.pk]) for row in rows],
            }
        )


class IncidentView(JsonView):
    """One incident."""

    required_scopes: ClassVar = {"GET": Scope.INCIDENTS_READ}

    @extend_schema(
        operation_id="get_incident",
        tags=_TAGS,
        summary="Show an incident with its payments and its story",
        parameters=[OpenApiParameter("incident_id", str, OpenApiParameter.PATH, description="`inc_…`")],
        responses={200: IncidentDetailSchema, **problems(401, 403, 404, 503)},
    )
    def get(self, request: Request, incident_id: str) -> Response:  # noqa: ARG002 - the framework's signature
        """Show an incident with its payments and its story."""
        found = queries.incident(incident_id)
        return Response(
            _body(found, queries.at_risk(found))
            | {
                "payments": [_payment(link) for link in queries.payments(found)[:MOST_PAYMENTS]],
                "timeline": [_moment(step) for step in queries.timeline(found)],
            }
        )


def _filtered(wanted: dict[str, Any]) -> IncidentQuerySet:
    exact = ("state", "severity", "rule", "provider", "currency")
    found = queries.incidents().filter(**{name: wanted[name] for name in exact if wanted.get(name)})
    if "unfinished" in wanted:
        found = found.unfinished() if wanted["unfinished"] else found.exclude(state__in=UNFINISHED)
    if wanted.get("unowned"):
        found = found.worked_on().unowned()
    if wanted.get("payment"):
        found = found.filter(payments__payment=ids.parse(ids.Prefix.PAYMENT, wanted["payment"]))
    return found


def _body(row: Incident, risks: list[Risk]) -> dict[str, Any]:
    ownership = row.ownership
    return {
        "id": row.public_id,
        "rule": row.rule,
        "title": row.title,
        "severity": row.severity,
        "state": str(row.state),
        "version": row.version,
        "provider": row.provider or None,
        "method": row.method or None,
        "operation": row.operation or None,
        "failure_class": row.failure_class or None,
        "currency": row.currency or None,
        "team": ownership.team.name if ownership and ownership.team else None,
        "is_owned": ownership is not None and ownership.owner_id is not None,
        "merged_into": ids.public(ids.Prefix.INCIDENT, row.merged_into_id) if row.merged_into_id else None,
        "signals": row.signals,
        "opened_at": _written(row.opened_at),
        "last_fired_at": _written(row.last_fired_at),
        "at_risk": [
            {"amount": risk.amount.minor, "currency": risk.amount.currency, "payments": risk.payments} for risk in risks
        ],
    }


def _payment(link: IncidentPayment) -> dict[str, Any]:
    return {
        "payment": link.payment.public_id,
        "amount": link.amount,
        "currency": link.currency,
        "reason": link.reason or None,
        "linked_at": _written(link.linked_at),
        "resolved_at": _written(link.resolved_at),
    }


def _moment(step: Moment) -> dict[str, Any]:
    """Return one thing that happened, without people's names and words."""
    actor = step.actor if step.actor in ("", "incidents") else OPERATOR
    reference = step.reference if step.kind in ("transition", "signal") else ""
    return {
        "at": _written(step.at),
        "kind": step.kind,
        "what": step.what,
        "actor": actor or None,
        "reference": reference or None,
    }


def _written(at: datetime | None) -> str | None:
    """Write a moment as RFC 3339 in UTC, always with six decimals."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
