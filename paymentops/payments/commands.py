"""What a service can ask for, parsed and normalised; the business fields decide whether two requests are the same."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from paymentops.core import ids
from paymentops.core.money import Money
from paymentops.payments.states import CaptureMode
from paymentops.providers.contract import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePayment:
    """Charge one payer once. ``provider`` is empty when routing is to decide.

    ``distinct_from`` names the earlier payment that this one looks like and is wanted besides. It is no part of what is
    asked for: the same request with and without it is the same.
    """

    amount: Money
    method: Method
    payment_token: str
    reference: str
    customer_reference: str
    capture: CaptureMode
    provider: str
    metadata: Mapping[str, str]
    distinct_from: UUID | None = None

    def business_fields(self) -> dict[str, Any]:
        """Return what counts for the fingerprint, contract version 1."""
        return {
            "amount": self.amount.minor,
            "currency": self.amount.currency,
            "method": self.method.value,
            "payment_token": self.payment_token,
            "reference": self.reference,
            "customer_reference": self.customer_reference,
            "capture": self.capture.value,
            "provider": self.provider,
            "metadata": dict(self.metadata),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturePayment:
    """Take ``amount`` minor units of what is held; ``None`` takes all of it."""

    payment_id: UUID
    amount: int | None

    def business_fields(self) -> dict[str, Any]:
        """Return what counts for the fingerprint, contract version 1."""
        return {"payment": ids.public(ids.Prefix.PAYMENT, self.payment_id), "amount": self.amount}


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPayment:
    """Release what is held, or stop before anything is."""

    payment_id: UUID

    def business_fields(self) -> dict[str, Any]:
        """Return what counts for the fingerprint, contract version 1."""
        return {"payment": ids.public(ids.Prefix.PAYMENT, self.payment_id)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePayment:
    """Go on with a payment whose payer has acted; ``details`` are what they brought back, as it came."""

    payment_id: UUID
    details: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of the details, hexadecimal: it stays when they are erased."""
        whole = json.dumps(dict(self.details), sort_keys=True, separators=(",", ":"))
        return sha256(whole.encode()).hexdigest()

    def business_fields(self) -> dict[str, Any]:
        """Return what counts for the fingerprint, contract version 1."""
        return {"payment": ids.public(ids.Prefix.PAYMENT, self.payment_id), "details": self.digest}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPayment:
    """Give ``amount`` minor units back; ``None`` gives back all that is left."""

    payment_id: UUID
    amount: int | None
    reason: str

    def business_fields(self) -> dict[str, Any]:
        """Return what counts for the fingerprint, contract version 1."""
        return {
            "payment": ids.public(ids.Prefix.PAYMENT, self.payment_id),
            "amount": self.amount,
            "reason": self.reason,
        }
