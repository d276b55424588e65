"""The doors through which services send statement files and see how far they were read."""

from collections.abc import Iterator, Mapping
from typing import IO, Any, ClassVar, Final, cast
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http.request import UnreadablePostError
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from paymentops.access.actors import Actor
from paymentops.access.api import Caller
from paymentops.access.models import Scope
from paymentops.core import clock, ids
from paymentops.core.api import request_id
from paymentops.core.errors import InvalidInput
from paymentops.core.fields import Strict
from paymentops.core.json_view import JsonView
from reconciliation import doorbell, operations, queries
from reconciliation.api import bodies, documentation
from reconciliation.uploads import FileTooLarge, pieces_of, spooled

_MOST_ROWS: Final = 200
_USUAL_ROWS: Final = 50
_MOST_TOTALS: Final = 200
# What surrounds the file in a form.
_FORM_BYTES: Final = 64 * 1024


class RawBody(BaseParser):
    """Hands the body on as a stream, whatever it is called."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - the framework's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        """Return the stream itself."""
        return stream


class RowsQuestion(Strict):
    """Which rows are wanted."""

    after = serializers.IntegerField(min_value=0, max_value=2**62, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=_MOST_ROWS, default=_USUAL_ROWS)


class FilesView(JsonView):
    """Files of one source."""

    required_scopes: ClassVar = {"POST": Scope.RECONCILIATION_WRITE}
    parser_classes = (MultiPartParser, RawBody)

    @extend_schema(**documentation.SEND)
    def post(self, request: Request, name: str) -> Response:
        """Receive a file once; the same bytes answer with their first run."""
        queries.source(name)
        pieces, filename = _sent(request)
        with spooled(pieces, largest=settings.STATEMENT_MAX_BYTES) as upload:
            received = operations.receive(upload, source_name=name, name=filename, by=_actor(request), now=clock.now())
        doorbell.ring()
        answer = Response(bodies.file(received.run.file, received.run), status=201 if received.is_new else 200)
        answer["Location"] = f"/api/v1/reconciliation/files/{received.run.file.public_id}"
        return answer


class FileView(JsonView):
    """One file."""

    required_scopes: ClassVar = {"GET": Scope.RECONCILIATION_READ}

    @extend_schema(**documentation.FILE)
    def get(self, request: Request, file_id: str) -> Response:  # noqa: ARG002 - the framework's signature
        """Show a file, its progress and its control totals."""
        file = queries.file_with_runs(_file_id(file_id))
        run = queries.last_run(file)
        found = bodies.totals(queries.totals(run, limit=_MOST_TOTALS)) if run else []
        return Response(bodies.file(file, run) | {"totals": found})


class RejectsView(JsonView):
    """The rows of a file that could not be read."""

    required_scopes: ClassVar = {"GET": Scope.RECONCILIATION_READ}

    @extend_schema(**documentation.REJECTS)
    def get(self, request: Request, file_id: str) -> Response:
        """List them in the order of the file."""
        asked = _asked(request)
        run = queries.last_run(queries.file_with_runs(_file_id(file_id)))
        rows = queries.rejects(run, after=asked["after"], limit=asked["limit"]) if run else []
        following = rows[-1].position if len(rows) == asked["limit"] else None
        return Response({"next": following, "results": [bodies.reject(row) for row in rows]})


class ChangesView(JsonView):
    """How a file differs from the version before it."""

    required_scopes: ClassVar = {"GET": Scope.RECONCILIATION_READ}

    @extend_schema(**documentation.CHANGES)
    def get(self, request: Request, file_id: str) -> Response:
        """List lines that were added, removed or changed."""
        asked = _asked(request)
        file = queries.file_with_runs(_file_id(file_id))
        return Response(bodies.changes(queries.changes(file, limit=asked["limit"]), queries.count_changes(file)))


def _sent(request: Request) -> tuple[Iterator[bytes], str]:
    """Return the bytes that are sent, in pieces, and what they are called.

    Raises:
        FileTooLarge: the request says that it is longer than a file may be.
        InvalidInput: it is a form without the part ``file``.
    """
    largest = settings.STATEMENT_MAX_BYTES
    if int(request.META.get("CONTENT_LENGTH") or 0) > largest + _FORM_BYTES:
        raise FileTooLarge(f"The file is larger than {largest} bytes; send it in parts.")
    filename = request.query_params.get("filename", "")
    if not (request.content_type or "").startswith("multipart/"):
        return _from(cast("IO[bytes]", request.stream)), filename or "statement"
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        raise InvalidInput("Send the file as the part `file` of the form, or its bytes as the body.")
    return file.chunks(), filename or file.name or "statement"


def _from(stream: IO[bytes] | None) -> Iterator[bytes]:
    """Return a body in pieces.

    Raises:
        InvalidInput: the connection ended before all of it arrived.
    """
    if stream is None:
        return
    try:
        yield from pieces_of(stream)
    except UnreadablePostError as error:
        raise InvalidInput("The connection ended before the whole file arrived; send it again.") from error


def _file_id(public_id: str) -> UUID:
    return ids.parse(ids.Prefix.STATEMENT_FILE, public_id)


def _asked(request: Request) -> dict[str, Any]:
    return cast("dict[str, Any]", RowsQuestion().run_validation(request.query_params.dict()))


def _actor(request: Request) -> Actor:
    caller = cast("Caller", request.auth)
    found = request_id(request._request)  # noqa: SLF001 - the framework's request is none of Django's
    return Actor.client(caller.client_public_id, request_id=found)
