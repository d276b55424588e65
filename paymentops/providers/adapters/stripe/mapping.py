"""The only place that knows Stripe's words. Objects arrive as plain JSON documents."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money
from paymentops.providers.adapters.stripe.amounts import from_stripe
from paymentops.providers.adapters.stripe.decline_codes import (
    CHARGE_DECLINES,
    REFUND_FAILURES,
    STATE_CONFLICTS,
    UNLISTED,
)
from paymentops.providers.contract import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Pending,
    RetryClass,
    Reversed,
    Unknown,
)

type Result = Approved | Declined | ActionRequired | Pending | Unknown
type Document = Mapping[str, Any]

REFERENCE: Final = "paymentops_reference"
KEY: Final = "paymentops_key"


class Unreadable(ValueError):
    """A document is not what Stripe documents."""


def metadata(*, reference: str, key: str) -> dict[str, str]:
    """Return what we write on every object, and find it by."""
    return {REFERENCE: reference, KEY: key}


def key_of(document: Document) -> str:
    """Return our provider key from an object's metadata, or an empty string."""
    return _metadata(document).get(KEY, "")


def reference_of(document: Document) -> str:
    """Return our reference from an object's metadata, or an empty string."""
    return _metadata(document).get(REFERENCE, "")


def authorization(intent: Document, *, now: datetime) -> Result:
    """Read a payment intent as the outcome of its creation with confirmation."""
    try:
        return _authorization(intent, now=now)
    except Unreadable as unreadable:
        return _unreadable(unreadable, intent, now=now)


def capture(intent: Document, *, asked: Money, now: datetime) -> Result | NotFound:
    """Read a payment intent as the outcome of a capture; ``NotFound`` while it is only authorised.

    An intent without ``amount_received`` counts as captured for what was asked.
    """
    try:
        status, about = _text(intent, "status"), _text(intent, "id")
        if status == "succeeded":
            amount = _amount(intent, "amount_received") if "amount_received" in intent else asked
            return Approved(provider_reference=_charge(intent) or about, amount=amount, at=_created(intent, now))
        if status == "requires_capture":
            return NotFound(at=now)
        if status == "canceled":
            return _canceled(intent, now=now)
    except Unreadable as unreadable:
        return _unreadable(unreadable, intent, now=now)
    return _undocumented(intent, status, now=now)


def void(intent: Document, *, asked: Money, now: datetime) -> Result | NotFound:
    """Read a payment intent as the outcome of its cancellation; ``NotFound`` while it still holds money."""
    try:
        status, about = _text(intent, "status"), _text(intent, "id")
    except Unreadable as unreadable:
        return _unreadable(unreadable, intent, now=now)
    if status == "canceled":
        return Approved(provider_reference=about, amount=asked, at=_canceled_at(intent, now))
    if status == "succeeded":
        return Declined(
            code="already_captured",
            retry_class=RetryClass.INVALID,
            message="The payment was captured and can only be refunded.",
            at=now,
            provider_reference=about,
        )
    if status in {"requires_capture", "requires_action", "requires_confirmation", "requires_payment_method"}:
        return NotFound(at=now)
    return _undocumented(intent, status, now=now)


def refund(document: Document, *, now: datetime) -> Result:
    """Read a refund."""
    try:
        status, about = _text(document, "status"), _text(document, "id")
        if status == "succeeded":
            return Approved(provider_reference=about, amount=_amount(document, "amount"), at=_created(document, now))
    except Unreadable as unreadable:
        return _unreadable(unreadable, document, now=now)
    if status in {"pending", "requires_action"}:
        return Pending(provider_reference=about, at=now)
    if status in {"failed", "canceled"}:
        code = _code(document.get("failure_reason")) or status
        return Declined(
            code=code,
            retry_class=REFUND_FAILURES.get(code, UNLISTED),
            message="Stripe could not pay the refund.",
            at=now,
            provider_reference=about,
        )
    return _undocumented(document, status, now=now)


def refund_news(document: Document, *, now: datetime) -> Result | Reversed:
    """Read a refund as an event tells of it: one that failed may have succeeded before, and is then taken back."""
    result = refund(document, now=now)
    if not isinstance(result, Declined):
        return result
    try:
        return _reversed(document, result, now=now)
    except Unreadable as unreadable:
        return _unreadable(unreadable, document, now=now)


def failed_charge(charge: Document, *, now: datetime) -> Reversed | None:
    """Read a charge that failed; ``None`` for one that failed before any money was booked.

    Stripe books a failure after processing under ``failure_balance_transaction``
    (https://docs.stripe.com/api/charges/object, read in 2026).
    """
    if charge.get("status") != "failed" or not charge.get("failure_balance_transaction"):
        return None
    code = _code(charge.get("failure_code")) or "charge_failed"
    about = charge.get("payment_intent")
    declined = Declined(
        code=code,
        retry_class=CHARGE_DECLINES.get(code, UNLISTED),
        message=str(charge.get("failure_message") or "The charge failed after it had been processed.")[:500],
        at=now,
        provider_reference=about if isinstance(about, str) else "",
    )
    try:
        return _reversed(charge, declined, now=now)
    except Unreadable:
        return None


def refusal(*, status: int | None, error: Document, now: datetime) -> Declined | NotSent | Unknown:
    """Read an error answer of Stripe: the HTTP status and its ``error`` object."""
    code = _code(error.get("code"))
    if status == 429:
        return NotSent(reason=code or "rate_limited", retry_class=RetryClass.THROTTLED, at=now)
    if error.get("type") == "idempotency_error" or code in STATE_CONFLICTS or status == 409:
        return Unknown(reason=code or "key_conflict", at=now)
    if status == 402:
        return _declined(error, at=now, about=_intent_id(error))
    if status in {400, 401, 403, 404, 422}:
        return Declined(
            code=code or f"http_{status}",
            retry_class=RetryClass.INVALID,
            message=str(error.get("message") or "Stripe refused the request as invalid.")[:500],
            at=now,
        )
    return Unknown(reason=f"http_{status}", at=now)


def _reversed(document: Document, declined: Declined, *, now: datetime) -> Reversed:
    return Reversed(
        amount=_amount(document, "amount"),
        code=declined.code,
        message=declined.message,
        at=now,
        provider_reference=declined.provider_reference,
        retry_class=declined.retry_class,
    )


def _authorization(intent: Document, *, now: datetime) -> Result:
    status, about = _text(intent, "status"), _text(intent, "id")
    at = _created(intent, now)
    match status:
        case "requires_capture" | "succeeded":
            amount = _amount(intent, "amount")
            return Approved(
                provider_reference=about, amount=amount, at=at, captured=_taken_at_once(intent, status, amount)
            )
        case "processing":
            return Pending(provider_reference=about, at=at)
        case "canceled":
            return _canceled(intent, now=now)
        case "requires_payment_method" if isinstance(intent.get("last_payment_error"), Mapping):
            return _declined(intent["last_payment_error"], at=now, about=about)
        case "requires_action" | "requires_confirmation" | "requires_payment_method":
            return ActionRequired(provider_reference=about, action=_action(intent), at=at)
        case _:
            return _undocumented(intent, status, now=now)


def _taken_at_once(intent: Document, status: str, amount: Money) -> Money | None:
    """Return what was captured with the authorisation; a manual capture is an operation of its own."""
    if status != "succeeded" or intent.get("capture_method") == "manual":
        return None
    return _amount(intent, "amount_received") if "amount_received" in intent else amount


def _declined(error: Document, *, at: datetime, about: str) -> Declined:
    code = _code(error.get("decline_code")) or _code(error.get("code")) or "card_declined"
    return Declined(
        code=code,
        retry_class=CHARGE_DECLINES.get(code, UNLISTED),
        message=str(error.get("message") or "The card was declined.")[:500],
        at=at,
        provider_reference=about,
        detail=_scheme(error.get("payment_method")),
    )


def _scheme(method: Any) -> dict[str, str]:
    """Return the card's scheme where Stripe tells it: ``visa``, ``mastercard``."""
    card = method.get("card") if isinstance(method, Mapping) else None
    brand = card.get("brand") if isinstance(card, Mapping) else None
    return {"scheme": brand[:20]} if isinstance(brand, str) and brand else {}


def _canceled(intent: Document, *, now: datetime) -> Declined:
    reason = _code(intent.get("cancellation_reason"))
    return Declined(
        code=f"canceled_{reason}" if reason else "canceled",
        retry_class=RetryClass.RISK_BLOCK if reason == "fraudulent" else RetryClass.HARD_DECLINE,
        message="The payment was cancelled at Stripe.",
        at=_canceled_at(intent, now),
        provider_reference=_text(intent, "id"),
        lapsed=reason == "expired",
        withdrawn=reason not in {"expired", "fraudulent"},
    )


def _action(intent: Document) -> dict[str, str]:
    """Return what the payer must do. The client secret is left out on purpose: it must not be stored."""
    action = intent.get("next_action")
    if not isinstance(action, Mapping):
        return {"type": "challenge", "url": ""}
    if action.get("type") == "redirect_to_url":
        return {"type": "redirect", "url": _inner_url(action.get("redirect_to_url"), "url")}
    return {"type": "challenge", "url": _inner_url(action.get("use_stripe_sdk"), "stripe_js")}


def _inner_url(value: Any, name: str) -> str:
    url = value.get(name) if isinstance(value, Mapping) else None
    return url if isinstance(url, str) else ""


def _undocumented(document: Document, status: str, *, now: datetime) -> Unknown:
    about = document.get("id")
    reference = about if isinstance(about, str) else ""
    return Unknown(reason="status_unknown", at=now, provider_reference=reference, detail={"status": status[:100]})


def _unreadable(unreadable: Unreadable, document: Document, *, now: datetime) -> Unknown:
    about = document.get("id")
    reference = about if isinstance(about, str) else ""
    return Unknown(reason="unreadable", at=now, provider_reference=reference, detail={"why": str(unreadable)})


def _metadata(document: Document) -> dict[str, str]:
    found = document.get("metadata")
    if not isinstance(found, Mapping):
        return {}
    return {str(name): value for name, value in found.items() if isinstance(value, str)}


def _intent_id(error: Document) -> str:
    intent = error.get("payment_intent")
    about = intent.get("id") if isinstance(intent, Mapping) else None
    return about if isinstance(about, str) else ""


def _charge(intent: Document) -> str:
    charge = intent.get("latest_charge")
    if isinstance(charge, Mapping):
        charge = charge.get("id")
    return charge if isinstance(charge, str) else ""


def _text(document: Document, name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"{name} is not text")
    return value


def _code(value: Any) -> str:
    return value[:100] if isinstance(value, str) else ""


def _amount(document: Document, name: str) -> Money:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unreadable(f"{name} is not an amount")
    try:
        return from_stripe(value, _text(document, "currency"))
    except ApplicationError as error:
        raise Unreadable(f"{name}: {error}") from error


def _created(document: Document, now: datetime) -> datetime:
    return _epoch(document.get("created"), now)


def _canceled_at(document: Document, now: datetime) -> datetime:
    return _epoch(document.get("canceled_at"), now)


def _epoch(value: Any, otherwise: datetime) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**33:
        return otherwise
    return datetime.fromtimestamp(value, UTC)


def operation_of(kind: str, document: Document) -> Operation | None:
    """Tell which of our operations an event of this kind is about; ``None`` for one we only record."""
    is_manual = document.get("capture_method") == "manual"
    match kind:
        case "payment_intent.succeeded":
            return Operation.CAPTURE if is_manual else Operation.AUTHORIZE
        case "payment_intent.canceled":
            return Operation.VOID if is_manual and _charge(document) else Operation.AUTHORIZE
        case (
            "payment_intent.amount_capturable_updated"
            | "payment_intent.payment_failed"
            | "payment_intent.processing"
            | "payment_intent.requires_action"
            | "charge.failed"
        ):
            return Operation.AUTHORIZE
        case "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated":
            return Operation.REFUND
        case _:
            return None
