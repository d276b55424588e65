"""A stand-in for Adyen's Checkout API: payments by stored method, asynchronous modifications, signed notifications.

What it keeps to, by Adyen's documentation: a key that was seen gives the first answer again; captures, cancels and
refunds are only received, and end later; an over-capture fails then and not at once; the rest is released with the
first capture.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from paymentops.providers.contract import InboundWebhook
from tests.providers.fakes.server import Asked, FakeServer, Reply

MERCHANT = "ShopCOM"
API_KEY = "adyen-key-for-tests"
HMAC_KEY = "0123456789ABCDEF" * 4
# What a stored method does: an authorisation, a refusal by its code, or a step of the payer.
REFUSED = {"refused-balance": ("12", "Not enough balance"), "refused-fraud": ("20", "FRAUD")}
REDIRECT = "redirect"
BROKEN = "broken"


@dataclass
class Payment:
    """A payment that was asked for, and what became of it."""

    psp: str
    reference: str
    amount: dict[str, Any]
    is_sale: bool
    authorized: bool = False
    captured: int = 0
    cancelled: bool = False
    refunded: int = 0
    modifications: list[dict[str, Any]] = field(default_factory=list)


class AdyenServer(FakeServer):
    """Holds payments by their PSP reference; ``notices`` are the notifications that are due, oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.payments: dict[str, Payment] = {}
        self.notices: list[InboundWebhook] = []
        self._answers: dict[str, Reply] = {}
        self._numbers = count(1)

    @property
    def api_base(self) -> str:
        return f"{self.url}/v71"

    def take_notice(self) -> InboundWebhook:
        return self.notices.pop(0)

    def notify(self, kind: str, payment: Payment, **changes: Any) -> None:
        """Sign one item about a payment and add it to what is due."""
        item = {
            "amount": payment.amount,
            "eventCode": kind,
            "eventDate": datetime.now(UTC).isoformat(timespec="seconds"),
            "merchantAccountCode": MERCHANT,
            "merchantReference": payment.reference,
            "paymentMethod": "visa",
            "pspReference": payment.psp,
            "reason": "",
            "success": "true",
            **changes,
        }
        self.notices.append(notification([item]))

    def answer(self, asked: Asked) -> Reply:
        if asked.headers.get("x-api-key") != API_KEY:
            return problem(401, "000", "HTTP Status Response - Unauthorized", "security")
        key = asked.headers.get("idempotency-key", "")
        if not 0 < len(key) <= 64:
            return problem(422, "702", "The idempotency key is not valid", "validation")
        if key not in self._answers:
            self._answers[key] = self._carry_out(asked)
        first = self._answers[key]
        return Reply(first.status, first.document, {"Idempotency-Key": key})

    def _carry_out(self, asked: Asked) -> Reply:
        document = asked.json()
        match asked.path.removeprefix("/v71").strip("/").split("/"):
            case ["payments"]:
                return self._pay(document)
            case ["payments", "details"]:
                return self._complete(document)
            case ["payments", psp, action] if psp in self.payments:
                return self._modify(self.payments[psp], action, document)
            case _:
                return problem(422, "167", "Original pspReference required for this operation", "validation")

    def _pay(self, document: dict[str, Any]) -> Reply:
        if document["merchantAccount"] != MERCHANT:
            return problem(403, "901", "Invalid Merchant Account", "security")
        stored = document["paymentMethod"]["storedPaymentMethodId"]
        payment = Payment(
            psp=self._psp(),
            reference=document["reference"],
            amount=document["amount"],
            is_sale=document.get("captureDelayHours") == 0,
        )
        self.payments[payment.psp] = payment
        about = {"pspReference": payment.psp, "merchantReference": payment.reference}
        if stored in REFUSED:
            code, name = REFUSED[stored]
            self.notify("AUTHORISATION", payment, success="false", reason=name)
            refused = {"resultCode": "Refused", "refusalReason": name, "refusalReasonCode": code}
            return Reply(200, about | refused)
        if stored == REDIRECT:
            action = {"type": "redirect", "method": "GET", "url": f"{self.url}/3ds/{payment.psp}"}
            return Reply(200, about | {"resultCode": "RedirectShopper", "action": action})
        if stored == BROKEN:
            self.notify("AUTHORISATION", payment, success="false", reason="Acquirer Error")
            return Reply(200, about | {"resultCode": "Error", "refusalReason": "Acquirer Error"})
        return Reply(200, about | self._authorise(payment))

    def _complete(self, document: dict[str, Any]) -> Reply:
        payment = self.payments.get(document["details"].get("redirectResult", ""))
        if payment is None:
            return problem(422, "101", "Invalid redirect result", "validation")
        about = {"pspReference": payment.psp, "merchantReference": payment.reference}
        return Reply(200, about | self._authorise(payment))

    def _authorise(self, payment: Payment) -> dict[str, Any]:
        payment.authorized = True
        if payment.is_sale:
            payment.captured = payment.amount["value"]
        self.notify("AUTHORISATION", payment)
        return {"resultCode": "Authorised", "amount": payment.amount}

    def _modify(self, payment: Payment, action: str, document: dict[str, Any]) -> Reply:
        psp = self._psp()
        amount = document.get("amount", payment.amount)
        kind, reason = self._settle(payment, action, amount["value"])
        payment.modifications.append({"psp": psp, "action": action, "amount": amount, "reason": reason})
        self.notify(
            kind,
            payment,
            amount=amount,
            pspReference=psp,
            originalReference=payment.psp,
            merchantReference=document["reference"],
            success="false" if reason else "true",
            reason=reason,
        )
        received = {
            "merchantAccount": MERCHANT,
            "paymentPspReference": payment.psp,
            "pspReference": psp,
            "reference": document["reference"],
            "status": "received",
        }
        return Reply(201, received)

    def _settle(self, payment: Payment, action: str, value: int) -> tuple[str, str]:
        """Carry a modification out; return the kind of its notification and why it failed, if it did."""
        if action == "captures":
            if payment.cancelled or payment.captured or value > payment.amount["value"]:
                return "CAPTURE", "Insufficient balance on payment"
            payment.captured = value
            return "CAPTURE", ""
        if action == "cancels":
            if payment.captured:
                return "CANCELLATION", "Transaction has been captured"
            payment.cancelled = True
            return "CANCELLATION", ""
        if payment.refunded + value > payment.captured:
            return "REFUND", "Insufficient balance on payment"
        payment.refunded += value
        return "REFUND", ""

    def _psp(self) -> str:
        return f"8815{next(self._numbers):012d}"


def notification(items: list[dict[str, Any]], *, key: str = HMAC_KEY) -> InboundWebhook:
    """Return a request that carries these items, each signed as Adyen documents it."""
    wrapped = [
        {
            "NotificationRequestItem": item
            | {"additionalData": item.get("additionalData", {}) | {"hmacSignature": signature(item, key)}}
        }
        for item in items
    ]
    body = json.dumps({"live": "false", "notificationItems": wrapped}).encode()
    return InboundWebhook(body=body, headers={"content-type": "application/json"})


def signature(item: dict[str, Any], key: str) -> str:
    fields = [
        item["pspReference"],
        item.get("originalReference", ""),
        item["merchantAccountCode"],
        item["merchantReference"],
        str(item["amount"]["value"]),
        item["amount"]["currency"],
        item["eventCode"],
        item["success"],
    ]
    made = hmac.new(bytes.fromhex(key), ":".join(fields).encode(), hashlib.sha256)
    return base64.b64encode(made.digest()).decode()


def problem(status: int, code: str, message: str, kind: str) -> Reply:
    return Reply(status, {"status": status, "errorCode": code, "message": message, "errorType": kind})
