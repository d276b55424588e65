"""What Stripe tells about disputes; its words for them stand here only.

Source: https://docs.stripe.com/api/disputes/object and https://docs.stripe.com/disputes/how-disputes-work, read in
2026. A status that begins with ``warning_`` is an inquiry, for which Stripe takes no money.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money
from paymentops.providers.adapters.stripe.amounts import from_stripe
from paymentops.providers.adapters.stripe.mapping import Document
from paymentops.providers.contract import ProviderEvent, WebhookRefused
from paymentops.providers.disputes import DisputeNews, DisputeStage, DisputeStatus, EvidenceStatus, ReasonClass

_STATUS: Final = MappingProxyType(
    {
        "warning_needs_response": DisputeStatus.INQUIRY,
        "warning_under_review": DisputeStatus.INQUIRY,
        "warning_closed": DisputeStatus.INQUIRY_CLOSED,
        "prevented": DisputeStatus.INQUIRY_CLOSED,
        "needs_response": DisputeStatus.OPEN,
        "under_review": DisputeStatus.UNDER_REVIEW,
        "won": DisputeStatus.WON,
        "lost": DisputeStatus.LOST,
    }
)
_INQUIRIES: Final = frozenset({"warning_needs_response", "warning_under_review", "warning_closed", "prevented"})
_REASON: Final = MappingProxyType(
    {
        "fraudulent": ReasonClass.FRAUD,
        "unrecognized": ReasonClass.FRAUD,
        "product_not_received": ReasonClass.NOT_RECEIVED,
        "product_unacceptable": ReasonClass.NOT_AS_DESCRIBED,
        "duplicate": ReasonClass.DUPLICATE,
        "credit_not_processed": ReasonClass.CREDIT_NOT_PROCESSED,
        "subscription_canceled": ReasonClass.CANCELED_SERVICE,
        "debit_not_authorized": ReasonClass.AUTHORIZATION,
        "bank_cannot_process": ReasonClass.PROCESSING_ERROR,
        "incorrect_account_details": ReasonClass.PROCESSING_ERROR,
        "insufficient_funds": ReasonClass.PROCESSING_ERROR,
    }
)


def event_of(dispute: Document, *, event_id: str, kind: str, occurred_at: datetime) -> ProviderEvent:
    """Read an event about a dispute.

    Raises:
        WebhookRefused: it cannot be read.
    """
    status, about, reason = _text(dispute, "status"), _text(dispute, "id"), _text(dispute, "reason")
    if not about:
        raise WebhookRefused("The notification is about a dispute without an id.")
    details = dispute.get("evidence_details")
    details = details if isinstance(details, Mapping) else {}
    return ProviderEvent(
        event_id=event_id,
        kind=kind,
        occurred_at=occurred_at,
        operation=None,
        outcome=None,
        provider_reference=_id_of(dispute.get("payment_intent")) or _id_of(dispute.get("charge")),
        dispute=DisputeNews(
            dispute=about,
            status=_STATUS.get(status),
            stage=DisputeStage.INQUIRY
            if status in _INQUIRIES
            else DisputeStage.CHARGEBACK
            if status in _STATUS
            else None,
            amount=_amount(dispute.get("amount"), dispute.get("currency")),
            fee=_fee(dispute.get("balance_transactions")),
            reason=_text(dispute, "network_reason_code") or reason,
            reason_class=_REASON.get(reason, ReasonClass.OTHER),
            evidence_due_at=_moment(details.get("due_by")),
            evidence=_evidence(status, details),
        ),
    )


def _stage(status: str) -> DisputeStage | None:
    if status not in _STATUS:
        return None
    return DisputeStage.INQUIRY if status in _INQUIRIES else DisputeStage.CHARGEBACK


def _fee(transactions: Any) -> Money | None:
    """Add up what withdrawals and reinstatements cost; ``None`` without any, or where currencies differ."""
    told = [one for one in transactions if isinstance(one, Mapping)] if isinstance(transactions, list) else []
    currencies = {str(one.get("currency")) for one in told}
    fees = [fee for one in told if isinstance(fee := one.get("fee"), int)]
    return _amount(max(0, sum(fees)), currencies.pop()) if len(currencies) == 1 else None


def _evidence(status: str, details: Mapping[str, Any]) -> EvidenceStatus | None:
    if status in {"under_review", "warning_under_review"} or details.get("submission_count"):
        return EvidenceStatus.SUBMITTED
    return EvidenceStatus.MISSED if details.get("past_due") is True else None


def _amount(units: Any, currency: Any) -> Money:
    if isinstance(units, bool) or not isinstance(units, int) or not isinstance(currency, str):
        raise WebhookRefused("The notification is about a dispute without an amount.")
    try:
        return from_stripe(units, currency)
    except ApplicationError as error:
        raise WebhookRefused(f"The notification is about a dispute whose amount is none: {error}") from error


def _moment(epoch: Any) -> datetime | None:
    if isinstance(epoch, bool) or not isinstance(epoch, int) or not 0 < epoch < 2**33:
        return None
    return datetime.fromtimestamp(epoch, UTC)


def _id_of(value: Any) -> str:
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else ""


def _text(document: Document, name: str) -> str:
    value = document.get(name)
    return value[:80] if isinstance(value, str) else ""
