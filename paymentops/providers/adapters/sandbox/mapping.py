"""The only place that knows the sandbox's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from paymentops.core.money import Money
from paymentops.providers.adapters.sandbox import disputes, documents
from paymentops.providers.adapters.sandbox.documents import Unreadable
from paymentops.providers.contract import (
    ActionRequired,
    Approved,
    Declined,
    InquiryOutcome,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    ProviderEvent,
    RetryClass,
    Reversed,
    Unknown,
    WebhookRefused,
)
from paymentops.providers.transport import Answer

DECLINES: Final = MappingProxyType(
    {
        "insufficient_funds": RetryClass.SOFT_DECLINE,
        "limit_exceeded": RetryClass.SOFT_DECLINE,
        "issuer_unavailable": RetryClass.SOFT_DECLINE,
        "capture_declined": RetryClass.SOFT_DECLINE,
        "refund_declined": RetryClass.SOFT_DECLINE,
        "expired_card": RetryClass.DATA_DECLINE,
        "incorrect_cvc": RetryClass.DATA_DECLINE,
        "authentication_required": RetryClass.AUTH_REQUIRED,
        "authentication_failed": RetryClass.AUTH_REQUIRED,
        "payer_abandoned": RetryClass.AUTH_REQUIRED,
        "lost_card": RetryClass.HARD_DECLINE,
        "amount_exceeds_remainder": RetryClass.INVALID,
        "suspected_fraud": RetryClass.RISK_BLOCK,
    }
)
# A code nobody has seen yet is still a no; without knowing why, we do not try again.
_UNLISTED: Final = RetryClass.HARD_DECLINE
_OPERATIONS: Final = MappingProxyType(
    {
        "charge": Operation.AUTHORIZE,
        "capture": Operation.CAPTURE,
        "void": Operation.VOID,
        "refund": Operation.REFUND,
    }
)
_WITH_OPERATION: Final = frozenset({200, 201, 202, 402})
_REFUSALS: Final = frozenset({400, 401, 403, 404, 405, 413, 415, 422})
_LONGEST_WAIT: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class WireOperation:
    """An operation as the sandbox writes it, checked."""

    id: str
    kind: Operation
    key: str
    reference: str
    charge: str
    status: str
    amount: Money
    captured: Money
    code: str
    scheme: str
    action: Mapping[str, str]
    hold_expires_at: datetime | None
    occurred_at: datetime
    reversed: Money
    reversal_code: str
    reversed_at: datetime | None


def outcome_of(answer: Answer, *, key: str, amount: Money, now: datetime) -> Outcome:
    """Read the answer to an operation sent under ``key`` for ``amount``.

    A 409 says that the key was used with another body, so something may have happened under it: the inquiry decides.
    """
    if answer.status == 429:
        return _not_executed("rate_limited", answer, now=now)
    if answer.status == 503 and answer.headers.get("sandbox-not-executed") == "true":
        return _not_executed("unavailable", answer, now=now)
    try:
        document = documents.read_object(answer.body)
        if answer.status in _WITH_OPERATION:
            return _result(_matching(document, key=key, amount=amount), now=now)
        if answer.status in _REFUSALS:
            return _refusal(document, now=now)
    except Unreadable as unreadable:
        return Unknown(reason=f"http_{answer.status}_unreadable", at=now, detail={"why": str(unreadable)})
    return Unknown(reason=_reason(answer.status), at=now)


def inquiry_outcome_of(answer: Answer, *, key: str, amount: Money, now: datetime) -> InquiryOutcome:
    """Read the answer to a question about ``key``.

    More than one effect under one key is the provider's own fault; the first is the answer, the others stand in
    ``detail["duplicates"]``.
    """
    if answer.status != 200:
        return Unknown(reason=_reason(answer.status), at=now)
    try:
        entries = _entries(answer.body)
        operations = [_matching(entry, key=key, amount=amount) for entry in entries]
    except Unreadable as unreadable:
        return Unknown(reason="inquiry_unreadable", at=now, detail={"why": str(unreadable)})
    if not operations:
        return NotFound(at=now)
    duplicates = [operation.charge for operation in operations[1:] if operation.status == "succeeded"]
    return _with_reversal(operations[0], _result(operations[0], now=now, duplicates=duplicates))


def event_of(body: bytes) -> ProviderEvent:
    """Read a notification whose signature was checked.

    Raises:
        WebhookRefused: it cannot be read.
    """
    try:
        document = documents.read_object(body)
        occurred_at = documents.moment(document, "created_at")
        event_id, kind = documents.text(document, "id"), documents.text(document, "type")
        data = document.get("data")
        if kind.startswith("dispute."):
            return disputes.event_of(data, event_id=event_id, kind=kind, occurred_at=occurred_at)
        if kind.partition(".")[0] not in _OPERATIONS:
            return ProviderEvent(event_id=event_id, kind=kind, occurred_at=occurred_at, operation=None, outcome=None)
        operation = _read(data)
    except Unreadable as unreadable:
        raise WebhookRefused(f"The notification cannot be read: {unreadable}.") from unreadable
    outcome = _with_reversal(operation, _result(operation, now=occurred_at))
    return ProviderEvent(
        event_id=event_id,
        kind=kind,
        occurred_at=occurred_at,
        operation=operation.kind,
        outcome=None if isinstance(outcome, Unknown) else outcome,
        reference=operation.reference,
        provider_key=operation.key,
        provider_reference=operation.charge,
    )


def _result(
    operation: WireOperation, *, now: datetime, duplicates: list[str] | None = None
) -> Approved | Declined | ActionRequired | Pending | Unknown:
    about = operation.charge if operation.kind is Operation.AUTHORIZE else operation.id
    detail = {"operation": operation.id, **({"duplicates": duplicates} if duplicates else {})}
    match operation.status:
        case "succeeded":
            return Approved(
                provider_reference=about,
                amount=operation.amount,
                at=operation.occurred_at,
                captured=operation.captured if operation.captured.minor else None,
                expires_at=operation.hold_expires_at,
                detail=detail,
            )
        case "declined":
            return Declined(
                code=operation.code or "declined",
                retry_class=DECLINES.get(operation.code, _UNLISTED),
                message=f"The sandbox declined: {operation.code or 'no reason given'}.",
                at=operation.occurred_at,
                provider_reference=about,
                detail=detail | ({"scheme": operation.scheme} if operation.scheme else {}),
            )
        case "withdrawn":
            return Declined(
                code="withdrawn",
                retry_class=RetryClass.HARD_DECLINE,
                message="The charge was taken back before anything was moved.",
                at=operation.occurred_at,
                provider_reference=about,
                withdrawn=True,
                detail=detail,
            )
        case "requires_action" if operation.action:
            return ActionRequired(
                provider_reference=about, action=operation.action, at=operation.occurred_at, detail=detail
            )
        case "pending":
            return Pending(provider_reference=about, at=operation.occurred_at, detail=detail)
        case _:
            return Unknown(
                reason="status_unknown", at=now, provider_reference=about, detail={"status": operation.status}
            )


def _with_reversal[R](operation: WireOperation, result: R) -> R | Reversed:
    """Tell of what was taken back together with the success it belongs to."""
    if not isinstance(result, Approved) or not operation.reversed.minor:
        return result
    return Reversed(
        amount=operation.reversed,
        code=operation.reversal_code,
        message=f"The sandbox took it back: {operation.reversal_code or 'no reason given'}.",
        at=operation.reversed_at or operation.occurred_at,
        provider_reference=result.provider_reference,
        success=result,
    )


def _matching(document: Any, *, key: str, amount: Money) -> WireOperation:
    """Read an operation and make sure that it is the one asked about."""
    operation = _read(document)
    if operation.key != key or operation.amount.currency != amount.currency:
        raise Unreadable("the answer is about something else")
    return operation


def _moment_or_none(document: Mapping[str, Any], name: str) -> datetime | None:
    return documents.moment(document, name) if document.get(name) is not None else None


def _read(document: Any) -> WireOperation:
    if not isinstance(document, dict) or document.get("object") != "operation":
        raise Unreadable("not an operation")
    kind = _OPERATIONS.get(documents.text(document, "kind"))
    if kind is None:
        raise Unreadable("an undocumented kind of operation")
    return WireOperation(
        id=documents.text(document, "id"),
        kind=kind,
        key=documents.text(document, "key"),
        reference=documents.text(document, "reference"),
        charge=documents.text(document, "charge"),
        status=documents.text(document, "status"),
        amount=documents.money(document, "amount"),
        captured=documents.money(document, "captured"),
        code=documents.text(document, "code") if document.get("code") is not None else "",
        scheme=documents.text(document, "scheme") if document.get("scheme") is not None else "",
        action=_action(document.get("action")),
        hold_expires_at=_moment_or_none(document, "hold_expires_at"),
        occurred_at=documents.moment(document, "occurred_at"),
        reversed=documents.money(document if "reversed" in document else {**document, "reversed": 0}, "reversed"),
        reversal_code=documents.text(document, "reversal_code") if document.get("reversal_code") is not None else "",
        reversed_at=_moment_or_none(document, "reversed_at"),
    )


def _refusal(document: Mapping[str, Any], *, now: datetime) -> Declined:
    error = document.get("error")
    if not isinstance(error, dict):
        raise Unreadable("not an error of the sandbox")
    return Declined(
        code=documents.text(error, "code"),
        retry_class=RetryClass.INVALID,
        message=documents.text(error, "message"),
        at=now,
    )


def _not_executed(reason: str, answer: Answer, *, now: datetime) -> NotSent:
    text = answer.headers.get("retry-after", "")
    wait = (
        min(_LONGEST_WAIT, timedelta(seconds=int(text)))
        if text.isascii() and text.isdigit() and len(text) < 9
        else None
    )
    return NotSent(reason=reason, retry_class=RetryClass.THROTTLED, at=now, retry_after=wait)


def _reason(status: int) -> str:
    return "key_conflict" if status == 409 else f"http_{status}"


def _entries(body: bytes) -> list[Any]:
    entries = documents.read_object(body).get("data")
    if not isinstance(entries, list):
        raise Unreadable("data is not a list")
    return entries


def _action(value: Any) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable("action is not an object")
    return {"type": documents.text(value, "type"), "url": documents.text(value, "url")}
