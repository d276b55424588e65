"""The door through which services read a payment's story."""

from datetime import datetime
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from paymentops.access.models import Scope
from paymentops.core import ids
from paymentops.core.api import PROBLEM_RESPONSES
from paymentops.core.money import Money
from paymentops.payments import bodies, queries, timeline
from paymentops.payments.api import answers
from paymentops.payments.timeline import Fact, Lane, Moment

_LANES = [lane.value for lane in Lane if lane is not Lane.PERSON]


class MomentSchema(serializers.Serializer[Any]):
    """One thing that happened."""

    id = serializers.CharField(help_text="Names the moment; never changes.")
    at = serializers.DateTimeField(help_text="When it happened.")
    received_at = serializers.DateTimeField(help_text="When it was known here.")
    lane = serializers.ChoiceField(choices=_LANES)
    title = serializers.CharField()
    actor = serializers.CharField(allow_null=True, help_text="`system`, an API client, a provider or `operator`.")
    cause = serializers.CharField(allow_null=True, help_text="Why a state moved; unique for what moved.")
    trace_id = serializers.CharField(allow_null=True)
    facts = serializers.DictField(
        help_text="What else is known. Amounts are objects of `minor` units and `currency`; the lines of a ledger "
        "entry are signed, debit positive."
    )


class TimelineSchema(serializers.Serializer[Any]):
    """A payment's story, oldest first."""

    payment = serializers.CharField()
    moments = MomentSchema(many=True)


class TimelineView(APIView):
    """Everything that happened to one payment."""

    required_scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(
        operation_id="get_payment_timeline",
        tags=["Payments"],
        summary="Tell everything that happened to a payment",
        description="Requests and replays, attempts, answers of the provider, changes of state, ledger entries and "
        "events, merged by the time at which they happened. Nothing about people is shown.",
        responses={200: TimelineSchema, **PROBLEM_RESPONSES},
    )
    def get(self, request: Request, payment_id: str) -> HttpResponse:
        """Tell the story of a payment, oldest first."""
        payment = queries.payment_of(
            client_id=answers.caller(request).client_id, payment_id=ids.parse(ids.Prefix.PAYMENT, payment_id)
        )
        moments = timeline.without_people(timeline.story(payment))
        body = {"payment": payment.public_id, "moments": [moment_body(moment) for moment in moments]}
        return HttpResponse(bodies.to_bytes(body), content_type="application/json")


def moment_body(moment: Moment) -> dict[str, Any]:
    """Return a moment as JSON values, amounts in minor units."""
    return {
        "id": moment.anchor,
        "at": bodies.moment(moment.at),
        "received_at": bodies.moment(moment.received_at),
        "lane": moment.lane.value,
        "title": moment.title,
        "actor": moment.actor or None,
        "cause": moment.cause or None,
        "trace_id": moment.trace_id or None,
        "facts": {name.replace(" ", "_").lower(): _fact(fact) for name, fact in moment.facts.items()},
    }


def _fact(fact: Fact) -> Any:
    match fact:
        case Money():
            return {"minor": fact.minor, "currency": fact.currency}
        case datetime():
            return bodies.moment(fact)
        case tuple():
            return [
                {"account": line.account, "minor": line.amount.minor, "currency": line.amount.currency} for line in fact
            ]
        case _:
            return fact
