"""The inspector: what became of an idempotency key of the calling client."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Final, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from paymentops.access.api import Caller
from paymentops.access.models import Scope
from paymentops.core.api import problems
from paymentops.idempotency import keys, queries
from paymentops.idempotency.models import Operation

# A key exists only with what it made: there is no state before.
COMPLETED: Final = "COMPLETED"


class KeyUseBody(serializers.Serializer[Any]):
    """One use of the key: for one operation, by its first request."""

    operation = serializers.ChoiceField(choices=Operation.choices)
    state = serializers.ChoiceField(choices=[COMPLETED], help_text="A key commits with what it made, or not at all.")
    resource_type = serializers.CharField()
    resource_id = serializers.CharField(help_text="What the first request made.")
    first_used_at = serializers.DateTimeField()
    api_key_prefix = serializers.CharField(help_text="The API key that carried the first request.")
    replays = serializers.IntegerField(help_text="Later requests answered with the first result.")
    refused_reuses = serializers.IntegerField(help_text="Later requests with another command, refused with 422.")
    last_replay_at = serializers.DateTimeField(allow_null=True)
    fingerprint = serializers.CharField(help_text="SHA-256 of the canonical command, hexadecimal.")
    fingerprint_version = serializers.IntegerField()
    trace_id = serializers.CharField(help_text="W3C trace id of the first request; empty without telemetry.")


class KeyBody(serializers.Serializer[Any]):
    """Every use of one key by the calling client."""

    key = serializers.CharField()
    client = serializers.CharField(help_text="The client that owns the key; another client's equal key is another key.")
    uses = KeyUseBody(many=True)


_EXAMPLE: Final = {
    "key": "order-10293-attempt-1",
    "client": "cli_019aa5b1c2d37e4f8a9b0c1d2e3f4a5b",
    "uses": [
        {
            "operation": "payments.create",
            "state": COMPLETED,
            "resource_type": "payment",
            "resource_id": "pay_019aa5b1c2d37e4f8a9b0c1d2e3f4a5c",
            "first_used_at": "2026-11-21T09:30:00.000000Z",
            "api_key_prefix": "po_0123456789",
            "replays": 2,
            "refused_reuses": 1,
            "last_replay_at": "2026-11-21T09:31:12.000000Z",
            "fingerprint": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "fingerprint_version": 1,
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
        }
    ],
}


class IdempotencyKeyView(APIView):
    """One idempotency key of the calling client."""

    required_scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(
        operation_id="inspect_idempotency_key",
        tags=["Idempotency"],
        summary="Inspect an idempotency key",
        description="Tells what a key was used for, by which request first, and what later requests with it got. "
        "Only the calling client's own keys are seen; a refused request leaves no key behind.",
        parameters=[
            OpenApiParameter(
                name="key",
                type=OpenApiTypes.STR,
                location=OpenApiParameter.PATH,
                description="The key as it stood in the header, without quotation marks.",
            )
        ],
        responses={
            200: OpenApiResponse(KeyBody, examples=[OpenApiExample("One use", value=_EXAMPLE, response_only=True)]),
            **problems(400, 401, 403, 404),
        },
    )
    def get(self, request: Request, key: str) -> Response:
        """Tell what became of a key."""
        key = keys.parse(key)
        caller = cast("Caller", request.auth)
        stories = queries.stories_of(client_id=caller.client_id, key=key)
        return Response({"key": key, "client": caller.client_public_id, "uses": [_use(story) for story in stories]})


def _use(story: queries.KeyStory) -> dict[str, Any]:
    return {
        "operation": story.first.operation,
        "state": COMPLETED,
        "resource_type": story.first.resource_type,
        "resource_id": story.resource,
        "first_used_at": _moment(story.first.created_at),
        "api_key_prefix": story.first.api_key_prefix,
        "replays": story.replays,
        "refused_reuses": story.refused_reuses,
        "last_replay_at": _moment(story.last_replay_at) if story.last_replay_at else None,
        "fingerprint": bytes(story.first.fingerprint).hex(),
        "fingerprint_version": story.first.fingerprint_version,
        "trace_id": story.first.trace_id,
    }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
