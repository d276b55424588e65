"""What the OpenAPI document says about statement files."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from paymentops.core.api import problems
from reconciliation.states import RunState

_TAGS: Final = ["Reconciliation"]


class StatementTotalSchema(serializers.Serializer[Any]):
    """Control totals of one statement in one currency."""

    statement = serializers.CharField()
    currency = serializers.CharField()
    lines = serializers.IntegerField()
    rejects = serializers.IntegerField()
    credit = serializers.IntegerField()
    debit = serializers.IntegerField()
    opening = serializers.IntegerField(allow_null=True)
    closing = serializers.IntegerField(allow_null=True)
    checked = serializers.ListField(child=serializers.CharField())
    unproven = serializers.ListField(child=serializers.CharField())


class IngestRunSchema(serializers.Serializer[Any]):
    """How far the reading of a file got."""

    id = serializers.CharField()
    state = serializers.ChoiceField(choices=RunState.choices)
    lines = serializers.IntegerField()
    rejects = serializers.IntegerField()
    progress_percent = serializers.IntegerField()
    reason = serializers.CharField(allow_blank=True)
    reason_line = serializers.IntegerField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class StatementFileSchema(serializers.Serializer[Any]):
    """A statement file."""

    id = serializers.CharField()
    # The base class keeps its own attribute of this name; declared fields do not become attributes.
    source = serializers.CharField()  # type: ignore[assignment]
    name = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    received_at = serializers.DateTimeField()
    version = serializers.IntegerField()
    supersedes = serializers.CharField(allow_null=True)
    run = IngestRunSchema(allow_null=True)


class StatementFileDetailSchema(StatementFileSchema):
    """A statement file with its control totals."""

    totals = StatementTotalSchema(many=True)


class RejectSchema(serializers.Serializer[Any]):
    """A row that could not be read."""

    row = serializers.IntegerField()
    line = serializers.IntegerField()
    reason = serializers.CharField()
    excerpt = serializers.CharField(allow_blank=True)


class RejectsSchema(serializers.Serializer[Any]):
    """Rows that could not be read; `next` is the `after` of the next page."""

    next = serializers.IntegerField(allow_null=True)
    results = RejectSchema(many=True)


_FILE: Final = {"type": "string", "format": "binary"}
_LIMIT: Final = OpenApiParameter("limit", OpenApiTypes.INT, description="Rows a page, 1 to 200; 50 unless told.")

SEND: Final[dict[str, Any]] = {
    "operation_id": "send_statement_file",
    "tags": _TAGS,
    "summary": "Send a statement file of a provider or bank",
    "description": "The bytes as the body, or as the part `file` of a form. The file is kept as it is and read in the "
    "background; ask for it to see how far that is. The same bytes sent again answer with the first run.",
    "parameters": [OpenApiParameter("filename", OpenApiTypes.STR, description="What the file is called.")],
    "request": {
        "application/octet-stream": _FILE,
        "multipart/form-data": {"type": "object", "properties": {"file": _FILE}, "required": ["file"]},
    },
    "responses": {
        201: OpenApiResponse(StatementFileSchema, description="Received."),
        200: OpenApiResponse(StatementFileSchema, description="Received before: its first run."),
        **problems(400, 401, 403, 404, 409, 413, 415, 503),
    },
}
FILE: Final[dict[str, Any]] = {
    "operation_id": "get_statement_file",
    "tags": _TAGS,
    "summary": "Show a statement file, how far it was read, and its control totals",
    "responses": {200: StatementFileDetailSchema, **problems(401, 403, 404)},
}
REJECTS: Final[dict[str, Any]] = {
    "operation_id": "list_rejected_rows",
    "tags": _TAGS,
    "summary": "List the rows of a file that could not be read",
    "parameters": [OpenApiParameter("after", OpenApiTypes.INT, description="From `next` of another page."), _LIMIT],
    "responses": {200: RejectsSchema, **problems(400, 401, 403, 404)},
}
CHANGES: Final[dict[str, Any]] = {
    "operation_id": "list_changed_lines",
    "tags": _TAGS,
    "summary": "List how the lines of a file differ from the version before it",
    "parameters": [_LIMIT],
    "responses": {200: OpenApiTypes.OBJECT, **problems(400, 401, 403, 404)},
}
