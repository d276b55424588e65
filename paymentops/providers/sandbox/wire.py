"""Reading requests and writing answers of the sandbox's HTTP interface."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final, override

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from paymentops.providers.sandbox.disputes import Change
from paymentops.providers.sandbox.tokens import Kind
from paymentops.providers.sandbox.truth import Order, Refused

_KEY: Final = re.compile(r"[A-Za-z0-9_:.-]{8,64}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_LARGEST: Final = 2**53 - 1
_DRIP_SECONDS: Final = 0.2
_HTTP_STATUS: Final = {"succeeded": 201, "declined": 402, "pending": 202, "requires_action": 202}


async def read_order(request: Request, *, kind: Kind) -> Order:
    """Read a request to move money.

    Raises:
        Refused: a missing or malformed key, or a body that is not what it should be.
    """
    key = request.headers.get("idempotency-key", "")
    if not _KEY.fullmatch(key):
        raise Refused(status=400, code="key_malformed", message="Idempotency-Key must be 8 to 64 characters.")
    body = await read_object(request)
    amount = _amount(body)
    if kind is not Kind.CHARGE:
        return Order(
            kind=kind,
            key=key,
            reference=_text(body, "reference"),
            amount=amount,
            charge_id=request.path_params["charge_id"],
            final=body.get("final") is True,
        )
    if amount == 0 or not _CURRENCY.fullmatch(_text(body, "currency")):
        raise _invalid("a charge needs an amount above 0 and a currency of three capital letters")
    return Order(
        kind=kind,
        key=key,
        reference=_text(body, "reference"),
        amount=amount,
        currency=_text(body, "currency"),
        method=_text(body, "method"),
        token=_text(body, "source"),
        capture_now=body.get("capture") is True,
    )


async def read_change(request: Request) -> tuple[str, str]:
    """Read a request about a charge that waits: its key, and the ``result`` its payer brought back, if any.

    Raises:
        Refused: the body is not what it should be.
    """
    body = await read_object(request)
    details = body.get("details", {})
    if not isinstance(details, dict):
        raise _invalid("details must be an object")
    return _text(body, "key"), _text(details, "result")


async def read_dispute(request: Request) -> Change:
    """Read what an administrator says of a dispute.

    Raises:
        Refused: a name or a value that cannot be.
    """
    body = await read_object(request)
    numbers = {"amount", "fee"}
    for name, value in body.items():
        if name not in {field.name for field in fields(Change)}:
            raise _invalid(f"a dispute has no {name}")
        is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST
        if not (is_number if name in numbers else isinstance(value, str) and len(value) <= 255):
            raise _invalid(f"{name} is not what it should be")
    return Change(**body)


@dataclass(frozen=True, slots=True)
class Reversal:
    """What the administrator takes back: an operation, how much of it (0: all that is left), and a code for why."""

    operation_id: str
    amount: int
    code: str


async def read_reversal(request: Request) -> Reversal:
    """Read what is to be taken back.

    Raises:
        Refused: a body that is not what it should be.
    """
    body = await read_object(request)
    return Reversal(
        operation_id=_text(body, "operation"), amount=_amount(body), code=_text(body, "code") or "reversed_by_provider"
    )


async def read_object(request: Request) -> dict[str, Any]:
    """Read the body as a JSON object.

    Raises:
        Refused: it is something else.
    """
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise _invalid("the body must be JSON") from error
    if not isinstance(body, dict):
        raise _invalid("the body must be a JSON object")
    return body


def read_moment(request: Request) -> datetime:
    """Return when the request counts as made: ``X-Sandbox-Now`` (ISO 8601 with offset), else the present.

    Raises:
        Refused: the header is there and cannot be read.
    """
    text = request.headers.get("x-sandbox-now")
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _invalid("X-Sandbox-Now must be an ISO 8601 time") from error
    if moment.tzinfo is None:
        raise _invalid("X-Sandbox-Now needs an offset")
    return moment.astimezone(UTC)


def operation_answer(operation: Mapping[str, Any], *, replayed: bool) -> Response:
    """Write the answer to a request to move money."""
    headers = {"Idempotent-Replayed": "true"} if replayed else {}
    return JSONResponse(dict(operation), status_code=_HTTP_STATUS.get(operation["status"], 200), headers=headers)


def refusal(refused: Refused) -> Response:
    """Write the answer to a request that had no effect."""
    return error(status=refused.status, code=refused.code, message=refused.message)


def error(*, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Write an error in the sandbox's one form."""
    document = {"error": {"code": code, "message": message}}
    return JSONResponse(document, status_code=status, headers=dict(headers or {}))


async def hold_open(request: Request, *, seconds: float) -> None:
    """Say nothing for ``seconds``, or until the client goes away. The body must have been read."""
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


class BrokenAnswer(Response):
    """Starts an answer and breaks the connection in the middle of it."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, which promises more, and a few bytes; the server then drops the connection."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"object": "oper', "more_body": True})


class DrippingAnswer(Response):
    """Sends its body byte by byte, so slowly that no caller can wait for the end."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send one byte at a time."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for byte in bytes(self.body):
            await asyncio.sleep(_DRIP_SECONDS)
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _amount(body: Mapping[str, Any]) -> int:
    amount = body.get("amount", 0)
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 <= amount <= _LARGEST:
        raise _invalid("amount must be a whole number of minor units")
    return amount


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > 255:
        raise _invalid(f"{name} must be text of at most 255 characters")
    return value


def _invalid(message: str) -> Refused:
    return Refused(status=400, code="invalid_request", message=message)
