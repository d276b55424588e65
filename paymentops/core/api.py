"""The HTTP door of ``core``: reading JSON strictly, and answering every refusal as RFC 9457 problem+json.

A failure that nobody foresaw is not hidden here: the handler leaves it to Django, which logs it and answers with
``server_error``.
"""

import json
import logging
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Final

import psycopg
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.http.request import UnreadablePostError
from django.utils.http import parse_header_parameters
from django.views import defaults
from drf_spectacular.utils import OpenApiResponse
from rest_framework import exceptions, serializers
from rest_framework.parsers import BaseParser

from paymentops.core import strict_json
from paymentops.core.errors import ApplicationError

logger = logging.getLogger(__name__)

PROBLEM_JSON: Final = "application/problem+json"
API_PREFIX: Final = "/api/"
REQUEST_ID_HEADER: Final = "X-Request-Id"

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,80}")
_REQUEST_ID_KEY: Final = "paymentops.request_id"


class _Refused(ApplicationError):
    """A refusal that the framework raised, in the words of this API."""

    def __init__(self, *, status: int, code: str, title: str, detail: str, **rest: Any) -> None:
        super().__init__(detail, **rest)
        self.status = status  # type: ignore[misc]
        self.code = code  # type: ignore[misc]
        self.title = title  # type: ignore[misc]


# --- Reading --------------------------------------------------------------------------------------------------


class StrictJSONParser(BaseParser):
    """Reads ``application/json`` in UTF-8 with the strictness of ``core.strict_json``."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],  # noqa: ARG002 - read through the request, whose size limit counts
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the JSON value of the request's body.

        Raises:
            MalformedBody: it is none.
            UnsupportedMediaType: the charset is not UTF-8.
            RequestDataTooBig: it is longer than ``DATA_UPLOAD_MAX_MEMORY_SIZE``.
        """
        _, parameters = parse_header_parameters(media_type or "")
        if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            raise exceptions.UnsupportedMediaType(media_type or "")
        try:
            body: bytes = (parser_context or {})["request"].body
        except UnreadablePostError as error:
            raise strict_json.MalformedBody("The connection ended before the whole body arrived.") from error
        return strict_json.loads(body)


# --- Answering ------------------------------------------------------------------------------------------------


def problem_response(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """Answer a refusal as problem+json; ``None`` (Django answers) for a failure that nobody foresaw.

    Django REST framework calls this as its exception handler.
    """
    request: HttpRequest | None = context.get("request")
    refusal = as_application_error(error, method=(request.method if request else None) or "")
    if refusal is None:
        return None
    if refusal.status >= 500:
        logger.warning("%s: %s", refusal.code, error, exc_info=error)
    return respond(refusal)


def respond(refusal: ApplicationError) -> HttpResponse:
    """Write an application error as an RFC 9457 response with its headers."""
    # Half a surrogate pair, from a path for example, becomes its JSON escape instead of an encoding error.
    body = json.dumps(refusal.problem(), ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")
    return HttpResponse(body, status=refusal.status, content_type=PROBLEM_JSON, headers=refusal.headers)


_STORE_FAILURES: Final = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
# Django's own refusals: kind -> (status, code, title, detail). The first that fits counts.
_DJANGO_WORDS: Final = (
    (RequestDataTooBig, (413, "request.too_large", "The body is too large", "Send a smaller body.")),
    (SuspiciousOperation, (400, "request.malformed", "The request cannot be read", "The request is malformed.")),
    (PermissionDenied, (403, "access.denied", "You may not do this", "Your rights do not cover this.")),
    (Http404, (404, "resource.not_found", "There is nothing under this id", "There is nothing here.")),
)


def as_application_error(error: Exception, *, method: str) -> ApplicationError | None:
    """Return a refusal of the framework or the database in this API's words; ``None`` for what nobody foresaw."""
    if isinstance(error, ApplicationError):
        return error
    if isinstance(error, _STORE_FAILURES):
        return _store_unavailable(method=method)
    if isinstance(error, exceptions.ValidationError):
        return invalid_input(error)
    if isinstance(error, exceptions.APIException):
        return _from_framework(error)
    return next((_refused(*words) for kind, words in _DJANGO_WORDS if isinstance(error, kind)), None)


def _store_unavailable(*, method: str) -> ApplicationError:
    code = "service.unavailable" if method in ("GET", "HEAD", "OPTIONS") else "idempotency.store_unavailable"
    return _refused(
        503,
        code,
        "The service cannot take this request now",
        "The database does not answer in time. Send the same request again, with its Idempotency-Key if it has one.",
        headers={"Retry-After": "1"},
    )


def invalid_input(error: exceptions.ValidationError) -> ApplicationError:
    """Return a validation error in this API's words, naming each field."""
    errors = list(_field_errors("", error.get_full_details()))
    names = sorted({item["field"] for item in errors if item["field"]})
    detail = f"Correct {', '.join(names[:10])}." if names else errors[0]["detail"] if errors else "Correct the request."
    return _refused(
        400,
        "request.invalid",
        "The request holds values that cannot be accepted",
        detail,
        extra={"errors": errors[:100]},
    )


def _field_errors(path: str, details: Any) -> Iterator[dict[str, str]]:
    if isinstance(details, dict) and set(details) == {"message", "code"} and isinstance(details["code"], str):
        yield {"field": path, "code": details["code"], "detail": str(details["message"])}
    elif isinstance(details, dict):
        for name, inner in details.items():
            yield from _field_errors(path if name == "non_field_errors" else f"{path}.{name}".lstrip("."), inner)
    elif isinstance(details, list):
        for index, inner in enumerate(details):
            leaf = not isinstance(inner, dict) or set(inner) == {"message", "code"}
            yield from _field_errors(path if leaf else f"{path}.{index}".lstrip("."), inner)


# What the framework refuses, in this API's words: status -> (code, title).
_FRAMEWORK_WORDS: Final = {
    400: ("request.malformed", "The request cannot be read"),
    401: ("access.key_missing", "An API key is needed"),
    403: ("access.denied", "You may not do this"),
    404: ("resource.not_found", "There is nothing under this id"),
    405: ("request.method_not_allowed", "This address does not take this method"),
    406: ("request.not_acceptable", "The answer cannot be written in the media type asked for"),
    415: ("request.media_type", "The body must be application/json"),
    429: ("request.throttled", "There were too many requests"),
}


def _from_framework(error: exceptions.APIException) -> ApplicationError | None:
    words = _FRAMEWORK_WORDS.get(error.status_code)
    if words is None:
        return None
    headers: dict[str, str] = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(-(-wait // 1)))
    code, title = words
    return _refused(error.status_code, code, title, str(error.detail), headers=headers)


def _refused(status: int, code: str, title: str, detail: str, **rest: Any) -> ApplicationError:
    return _Refused(status=status, code=code, title=title, detail=detail, **rest)


# --- Django's own pages, for addresses of the API -------------------------------------------------------------


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 400; wired as ``handler400``."""
    if not request.path.startswith(API_PREFIX):
        return defaults.bad_request(request, exception)
    return respond(_refused(400, "request.malformed", "The request cannot be read", "The request is malformed."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 403; wired as ``handler403``."""
    if not request.path.startswith(API_PREFIX):
        return defaults.permission_denied(request, exception)
    return respond(_refused(403, "access.denied", "You may not do this", "Your rights do not cover this."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 404; wired as ``handler404``."""
    if not request.path.startswith(API_PREFIX):
        return defaults.page_not_found(request, exception)
    detail = f"There is nothing at {request.path[:200]}; the addresses of the API are listed at /api/docs."
    return respond(_refused(404, "resource.not_found", "There is nothing at this address", detail))


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 500 with the request id under which the failure was logged; wired as ``handler500``."""
    if not request.path.startswith(API_PREFIX):
        return defaults.server_error(request)
    found = request_id(request)
    return respond(
        _refused(
            500,
            "service.failed",
            "The service failed",
            f"It was recorded under request id {found}. A money operation may be sent again with the same key.",
            extra={"request_id": found},
        )
    )


class RequestIdMiddleware:
    """Gives every request an id, the caller's own ``X-Request-Id`` where it is well formed, and answers with it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on and name it in the answer."""
        found = request_id(request)
        response = self.get_response(request)
        response.headers.setdefault(REQUEST_ID_HEADER, found)
        return response


def request_id(request: HttpRequest) -> str:
    """Return the id of the request, making one on first use."""
    found = request.META.get(_REQUEST_ID_KEY)
    if found is None:
        asked = request.META.get("HTTP_X_REQUEST_ID", "")
        found = asked if _REQUEST_ID.fullmatch(asked) else secrets.token_hex(16)
        request.META[_REQUEST_ID_KEY] = found
    return str(found)


# --- OpenAPI --------------------------------------------------------------------------------------------------


class FieldProblem(serializers.Serializer[Any]):
    """One value that cannot be accepted."""

    field = serializers.CharField(help_text="Path of the field, `metadata.basket`; empty for the whole request.")
    code = serializers.CharField(help_text="Stable code of the rule.")
    detail = serializers.CharField(help_text="A sentence for a person.")


class Problem(serializers.Serializer[Any]):
    """RFC 9457 problem document."""

    type = serializers.CharField(help_text="URN made of the code.")
    title = serializers.CharField(help_text="What kind of refusal this is; never changes for a code.")
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stable code; programs decide by this.")
    detail = serializers.CharField(help_text="What is wrong and what to do next, for a person.")
    # The base class keeps its own property of this name; declared fields do not become attributes.
    errors = FieldProblem(  # type: ignore[assignment]
        many=True, required=False, help_text="With `request.invalid`: each field."
    )


_DESCRIPTIONS: Final = {
    400: "The request cannot be read or holds values that cannot be accepted.",
    401: "The API key is missing, unknown, expired or revoked.",
    403: "The API key lacks the scope this needs.",
    404: "There is nothing under this id, or it belongs to another client.",
    409: "The present state does not allow this, or the same key is still being executed.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "The command contradicts what is known: the key belongs to another command, or a limit is passed.",
    503: "A part that is needed does not answer; send the same request again.",
}
PROBLEM_RESPONSES: Final = {
    (status, PROBLEM_JSON): OpenApiResponse(Problem, description) for status, description in _DESCRIPTIONS.items()
}


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """Return the problem responses of an operation, for ``extend_schema(responses={…, **problems(401, 403)})``."""
    return {(status, PROBLEM_JSON): PROBLEM_RESPONSES[status, PROBLEM_JSON] for status in statuses}
