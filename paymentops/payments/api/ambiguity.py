"""The doors through which services look at outcomes that nobody knows, and have the provider asked."""

from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from paymentops.access.actors import Actor
from paymentops.access.models import Scope
from paymentops.core import clock, ids
from paymentops.core.api import problems, request_id
from paymentops.core.errors import NotFound
from paymentops.core.fields import Currency, Strict
from paymentops.core.json_view import JsonView
from paymentops.payments import bodies, doorbell
from paymentops.payments.ambiguity import Reason, Step
from paymentops.payments.api import answers
from paymentops.payments.models import Attempt
from paymentops.payments.operations import asking
from paymentops.payments.queries import ambiguity as reading
from paymentops.payments.states import AttemptState
from paymentops.providers.contract import Operation

_TAGS: Final = ["Unknown outcomes"]
_PER_PAGE: Final = 50
_ID: Final = OpenApiParameter("attempt_id", str, OpenApiParameter.PATH, description="`att_…`")


class ExposureSchema(serializers.Serializer[Any]):
    """What is at stake in one currency."""

    amount = serializers.IntegerField(help_text="Minor units.")
    currency = serializers.CharField()
    attempts = serializers.IntegerField()


class SafeToRetrySchema(serializers.Serializer[Any]):
    """Whether the operation may be asked for anew without a second effect."""

    safe = serializers.BooleanField()
    reason = serializers.ChoiceField(choices=[reason.value for reason in Reason], help_text="Stable code.")
    sentence = serializers.CharField(help_text="Yes or no, because of what.")
    would_change = serializers.CharField(allow_null=True, help_text="What would change a no.")


class AmbiguousOutcomeSchema(serializers.Serializer[Any]):
    """An attempt of which nobody knows whether it happened."""

    id = serializers.CharField()
    payment = serializers.CharField()
    refund = serializers.CharField(allow_null=True)
    operation = serializers.CharField(help_text="`AUTHORIZE`, `CAPTURE`, `VOID` or `REFUND`.")
    state = serializers.ChoiceField(choices=AttemptState.choices)
    provider = serializers.CharField()
    amount = serializers.IntegerField(help_text="Minor units.")
    currency = serializers.CharField()
    sent_at = serializers.DateTimeField(allow_null=True)
    age_s = serializers.IntegerField(help_text="Seconds since it was sent first.")
    asked = serializers.IntegerField(help_text="How often the provider was asked.")
    last_answer = serializers.CharField(allow_null=True, help_text="What the newest answer came to.")
    next_step = serializers.ChoiceField(choices=[step.value for step in Step])
    next_at = serializers.DateTimeField(allow_null=True)
    next_inquiry_at = serializers.DateTimeField(allow_null=True)
    cut_off_at = serializers.DateTimeField(
        allow_null=True, help_text="From then on only evidence and two people decide."
    )
    decision = serializers.CharField(allow_null=True, help_text="A decision that waits for its second person, `prp_…`.")
    safe_to_retry = SafeToRetrySchema()


class ProviderCallSchema(serializers.Serializer[Any]):
    """One thing that was asked and answered."""

    kind = serializers.CharField(help_text="`DISPATCH`, `INQUIRY`, `NOTIFICATION` and so on; `DECISION` is of people.")
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField()
    outcome = serializers.CharField()
    code = serializers.CharField(allow_null=True)
    provider_reference = serializers.CharField(allow_null=True)
    applied = serializers.BooleanField(help_text="Whether it counted.")


class AmbiguousOutcomeDetailSchema(AmbiguousOutcomeSchema):
    """An attempt with everything that was asked and answered about it."""

    calls = ProviderCallSchema(many=True)


class AmbiguousOutcomePageSchema(serializers.Serializer[Any]):
    """One page of unknown outcomes, the oldest first, and what all that match put at stake."""

    next = serializers.URLField(allow_null=True)
    exposure = ExposureSchema(many=True)
    results = AmbiguousOutcomeSchema(many=True)


class AmbiguousOutcomeFilters(Strict):
    """Which unknown outcomes."""

    LOOKUPS: ClassVar = {
        "provider": "provider", "operation": "operation", "state": "state", "currency": "currency",
    }  # fmt: skip
    provider = serializers.CharField(max_length=40, required=False)
    operation = serializers.ChoiceField(choices=[operation.value for operation in Operation], required=False)
    state = serializers.ChoiceField(choices=AttemptState.choices, required=False)
    currency = Currency(required=False)
    payment = serializers.CharField(max_length=40, required=False, help_text="`pay_…`")
    after = serializers.CharField(max_length=40, required=False, help_text="From `next`.")
    limit = serializers.IntegerField(min_value=1, max_value=200, required=False)


class AmbiguousOutcomesView(JsonView):
    """The client's unknown outcomes."""

    required_scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(
        operation_id="list_ambiguous_outcomes",
        tags=_TAGS,
        summary="List outcomes that nobody knows, the oldest first",
        description="Attempts that may have happened, and those that wait beyond their limit, each with the verdict "
        "whether it is safe to retry.",
        parameters=[AmbiguousOutcomeFilters],
        responses={200: AmbiguousOutcomePageSchema, **problems(400, 401, 403, 404, 503)},
    )
    def get(self, request: Request) -> HttpResponse:
        """List outcomes that nobody knows, the oldest first."""
        filters = AmbiguousOutcomeFilters(data=request.query_params.dict())
        filters.is_valid(raise_exception=True)
        wanted = filters.validated_data
        now = clock.now()
        found = reading.ambiguous(now=now).filter(payment__client_id=answers.caller(request).client_id)
        found = found.filter(
            **{lookup: wanted[name] for name, lookup in AmbiguousOutcomeFilters.LOOKUPS.items() if wanted.get(name)}
        )
        if wanted.get("payment"):
            found = found.filter(payment=ids.parse(ids.Prefix.PAYMENT, wanted["payment"]))
        limit = wanted.get("limit", _PER_PAGE)
        page = reading.after(found, public_id=wanted["after"]) if wanted.get("after") else found
        rows = list(page[: limit + 1])
        return answers.representation(
            {
                "next": _next(request, rows[limit - 1]) if len(rows) > limit else None,
                "exposure": [bodies.exposure(row) for row in reading.exposures(found)],
                "results": [bodies.ambiguous_outcome(row) for row in reading.judged(rows[:limit], now=now)],
            }
        )


class AmbiguousOutcomeView(JsonView):
    """One attempt and the verdict on it."""

    required_scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(
        operation_id="get_ambiguous_outcome",
        tags=_TAGS,
        summary="Tell whether an attempt is safe to retry, with all that was asked and answered",
        description="Answers for every attempt, also one whose outcome is known by now.",
        parameters=[_ID],
        responses={200: AmbiguousOutcomeDetailSchema, **problems(401, 403, 404, 503)},
    )
    def get(self, request: Request, attempt_id: str) -> HttpResponse:
        """Show one attempt."""
        [found] = reading.judged([_own(request, attempt_id)], now=clock.now())
        return answers.representation(bodies.ambiguous_outcome_with_calls(found))


class InquiryView(JsonView):
    """Asking the provider now."""

    required_scopes: ClassVar = {"POST": Scope.PAYMENTS_WRITE}

    @extend_schema(
        operation_id="ask_provider_now",
        tags=_TAGS,
        summary="Have the provider asked at once",
        description="Makes the inquiry due; the answer is in the attempt a moment later. Asking again while one is "
        "due changes nothing. No idempotency key is needed.",
        parameters=[_ID],
        request=None,
        responses={202: AmbiguousOutcomeDetailSchema, **problems(401, 403, 404, 409, 503)},
    )
    def post(self, request: Request, attempt_id: str) -> HttpResponse:
        """Make the inquiry due at once."""
        attempt = _own(request, attempt_id)
        by = Actor.client(
            ids.public(ids.Prefix.CLIENT, answers.caller(request).client_id),
            request_id=request_id(request._request),  # noqa: SLF001 - the framework's request hides Django's
        )
        asking.ask_now(attempt_id=attempt.pk, by=by, now=clock.now())
        doorbell.ring()
        [found] = reading.judged([_own(request, attempt_id)], now=clock.now())
        return answers.representation(bodies.ambiguous_outcome_with_calls(found), status=202)


def _own(request: Request, attempt_id: str) -> Attempt:
    attempt = reading.attempt_of(attempt_id)
    if attempt.payment.client_id != answers.caller(request).client_id:
        raise NotFound("There is no attempt under this id.")
    return attempt


def _next(request: Request, last: Attempt) -> str:
    query = {**request.query_params.dict(), "after": last.public_id}
    return f"{request.build_absolute_uri(request.path)}?{urlencode(query)}"
