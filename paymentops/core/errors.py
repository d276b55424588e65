"""The one small tree of errors that a person or a service may see.

Every error carries a stable code, an HTTP status, a title that never changes and a sentence that says what to do
next. Rooms derive their own errors beside the functions that raise them. The wire form is RFC 9457 problem+json,
written by ``paymentops.core.api``.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class ApplicationError(Exception):
    """Something could not be done, and the caller can know why.

    Args:
        detail: one sentence for a person: what is wrong and what to do next.
        extra: further members of the problem document, by name.
        headers: HTTP headers that belong to the answer, for example ``Retry-After``.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request could not be carried out"

    def __init__(
        self,
        detail: str,
        *,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra: dict[str, Any] = dict(extra or {})
        self.headers: dict[str, str] = dict(headers or {})

    def problem(self) -> dict[str, Any]:
        """Return the RFC 9457 problem document: type, title, status, code, detail and the extra members."""
        return {
            "type": f"urn:paymentops:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.extra,
        }


class InvalidInput(ApplicationError):
    """The request is well formed but a value in it cannot be accepted; ``extra["errors"]`` names each field."""

    code = "request.invalid"
    status = 400
    title = "The request holds values that cannot be accepted"


class NotFound(ApplicationError):
    """There is no such thing, or it belongs to somebody else."""

    code = "resource.not_found"
    status = 404
    title = "There is nothing under this id"


class Conflict(ApplicationError):
    """The thing is not in a state in which this can be done."""

    code = "resource.conflict"
    status = 409
    title = "This cannot be done in the present state"


class Unavailable(ApplicationError):
    """A part that is needed does not answer; nothing was executed and the same request may be sent again."""

    code = "service.unavailable"
    status = 503
    title = "The service cannot take this request now"
