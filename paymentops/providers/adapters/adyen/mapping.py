"""The only place that knows the words of Adyen's answers; those of its notifications stand in ``notifications``.

Sources: https://docs.adyen.com/api-explorer/Checkout/71, https://docs.adyen.com/online-payments/payment-result-codes
and https://docs.adyen.com/development-resources/response-handling, read in 2026.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money
from paymentops.providers.adapters.adyen import refusals
from paymentops.providers.adapters.adyen.amounts import from_adyen
from paymentops.providers.contract import (
    ActionRequired,
    Approved,
    Declined,
    NotSent,
    Outcome,
    Pending,
    RetryClass,
    Unknown,
)
from paymentops.providers.transport import Answer

type Document = Mapping[str, Any]

_REFUSALS: Final = frozenset({400, 401, 403, 404, 422})
# "Request already processed or in progress": another request with our key may have had its effect.
_CONFLICTS: Final = frozenset({"703", "704"})
_MEANS_NO: Final = frozenset({"validation", "configuration", "security"})
# Adyen's names of card schemes that differ from the ones that caps are written in.
_SCHEMES: Final = MappingProxyType({"mc": "mastercard"})


class Unreadable(ValueError):
    """A document is not what Adyen documents."""


def authorization(answer: Answer, *, asked: Money, reference: str, capture_now: bool, now: datetime) -> Outcome:
    """Read the answer to ``/payments`` or ``/payments/details`` about the request with this merchant reference."""
    if answer.status not in {200, 201, 202}:
        return refusal(answer, now=now)
    try:
        document = _about(read_object(answer.body), "merchantReference", reference)
        return _authorization(document, asked=asked, capture_now=capture_now, now=now)
    except Unreadable as unreadable:
        return Unknown(reason="unreadable", at=now, detail={"why": str(unreadable)})


def modification(answer: Answer, *, reference: str, now: datetime) -> Outcome:
    """Read the answer to a capture, cancel or refund: Adyen only takes it down and tells the result later."""
    if answer.status not in {200, 201, 202}:
        return refusal(answer, now=now)
    try:
        document = _about(read_object(answer.body), "reference", reference)
        status, about = text(document, "status"), text(document, "pspReference")
    except Unreadable as unreadable:
        return Unknown(reason="unreadable", at=now, detail={"why": str(unreadable)})
    if status != "received":
        return Unknown(reason="status_unknown", at=now, provider_reference=about, detail={"status": status[:100]})
    return Pending(provider_reference=about, at=now)


def refusal(answer: Answer, *, now: datetime) -> Declined | NotSent | Unknown:
    """Read an error answer.

    ``transient-error`` asks for the same request again under the same key; the first one may be on its way.
    """
    if answer.status == 429:
        return NotSent(reason="rate_limited", retry_class=RetryClass.THROTTLED, at=now)
    if answer.status not in _REFUSALS:
        return Unknown(reason=f"http_{answer.status}", at=now)
    try:
        document = read_object(answer.body)
        kind, code = text(document, "errorType"), text(document, "errorCode")
    except Unreadable as unreadable:
        return Unknown(reason=f"http_{answer.status}_unreadable", at=now, detail={"why": str(unreadable)})
    is_transient = answer.headers.get("transient-error", "").lower() == "true"
    if is_transient or code in _CONFLICTS or kind not in _MEANS_NO:
        return Unknown(reason=f"error_{code[:60]}", at=now, detail={"type": kind[:80], "transient": is_transient})
    message = document.get("message")
    return Declined(
        code=f"error_{code[:60]}",
        retry_class=RetryClass.INVALID,
        message=message[:500] if isinstance(message, str) and message else "Adyen refused the request as invalid.",
        at=now,
    )


def declined(*, code: str, name: str, about: str, at: datetime) -> Declined:
    """Return a no with its reason: Adyen's code, or what we made of the reason's name."""
    return Declined(
        code=code,
        retry_class=refusals.class_of(code),
        message=f"Adyen declined: {name[:200] or 'no reason given'}.",
        at=at,
        provider_reference=about,
        withdrawn=code in refusals.CALLED_OFF,
    )


def read_object(body: bytes) -> Document:
    """Read a JSON object.

    Raises:
        Unreadable: it is none.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    if not isinstance(document, dict):
        raise Unreadable("not a JSON object")
    return document


def text(document: Document, name: str) -> str:
    """Read a member that must be text and not empty.

    Raises:
        Unreadable: it is not.
    """
    value = document.get(name)
    if not isinstance(value, str) or not value or "\x00" in value or len(value) > 1000:
        raise Unreadable(f"{name} is not text")
    return value


def money(value: Any) -> Money:
    """Read an amount object of Adyen: a currency and a whole number of its units.

    Raises:
        Unreadable: it is none.
    """
    if not isinstance(value, Mapping):
        raise Unreadable("not an amount")
    units = value.get("value")
    if isinstance(units, bool) or not isinstance(units, int):
        raise Unreadable("an amount's value is not a whole number")
    try:
        return from_adyen(units, text(value, "currency"))
    except ApplicationError as error:
        raise Unreadable(f"not an amount: {error}") from error


def _about(document: Document, name: str, reference: str) -> Document:
    """Return a document that is about our request, by the member that names it; Adyen may leave it out."""
    if document.get(name, reference) != reference:
        raise Unreadable("the answer is about something else")
    return document


def _authorization(document: Document, *, asked: Money, capture_now: bool, now: datetime) -> Outcome:
    result = text(document, "resultCode")
    about = text(document, "pspReference") if document.get("pspReference") is not None else ""
    match result:
        case "Authorised" | "PartiallyAuthorised" if about:
            is_whole = result == "Authorised" and "amount" not in document
            amount = asked if is_whole else money(document.get("amount"))
            return Approved(provider_reference=about, amount=amount, at=now, captured=amount if capture_now else None)
        case "Refused" | "Cancelled":
            return _refused(document, result=result, about=about, now=now)
        case "Received" | "Pending" if not isinstance(document.get("action"), Mapping):
            return Pending(provider_reference=about, at=now)
        case "RedirectShopper" | "IdentifyShopper" | "ChallengeShopper" | "PresentToShopper" | "Pending":
            return ActionRequired(provider_reference=about, action=_action(document.get("action")), at=now)
        case _:
            # Also "Error": something went wrong on the way, and only the notification says how it ended.
            return Unknown(
                reason=f"result_{result[:80].lower()}", at=now, provider_reference=about, detail={"result": result[:80]}
            )


def _refused(document: Document, *, result: str, about: str, now: datetime) -> Declined:
    name = document.get("refusalReason")
    name = name if isinstance(name, str) and name else result
    code = document.get("refusalReasonCode")
    code = code[:80] if isinstance(code, str) and code else refusals.code_of(name)
    return replace(declined(code=code, name=name, about=about, at=now), detail=_scheme(document.get("paymentMethod")))


def _scheme(method: Any) -> dict[str, str]:
    """Return the card's scheme where Adyen tells it."""
    brand = method.get("brand") if isinstance(method, Mapping) else None
    return {"scheme": _SCHEMES.get(brand, brand[:20])} if isinstance(brand, str) and brand else {}


def _action(value: Any) -> dict[str, str]:
    """Return what the payer must do. The action's payment data and tokens are left out: they must not be stored."""
    if not isinstance(value, Mapping):
        return {"type": "challenge", "url": ""}
    url = value.get("url")
    url = url if isinstance(url, str) else ""
    if value.get("type") == "redirect":
        return {"type": "redirect", "url": url}
    if value.get("type") == "qrCode":
        code = value.get("qrCodeData")
        return {"type": "qr", "url": url, "code": code if isinstance(code, str) else ""}
    return {"type": "challenge", "url": url}
