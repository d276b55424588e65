"""What Adyen tells about disputes; its words for them stand here only.

Source: https://docs.adyen.com/risk-management/disputes-api/dispute-notifications, read in 2026. All notifications of
one dispute have its PSP reference, and the disputed payment's as the original one. The signature does not cover the
additional data, so what moves money follows from the event's code; the additional data tell deadline and reason only.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from paymentops.providers.adapters.adyen import mapping
from paymentops.providers.adapters.adyen.mapping import Document
from paymentops.providers.adapters.adyen.references import Tag
from paymentops.providers.contract import ProviderEvent
from paymentops.providers.disputes import DisputeNews, DisputeStage, DisputeStatus, EvidenceStatus, ReasonClass

_INQUIRY: Final = (DisputeStatus.INQUIRY, DisputeStage.INQUIRY)
_TOLD: Final[Mapping[str, tuple[DisputeStatus | None, DisputeStage | None]]] = MappingProxyType(
    {
        "REQUEST_FOR_INFORMATION": _INQUIRY,
        # The defence may begin; the money is taken with the chargeback itself.
        "NOTIFICATION_OF_CHARGEBACK": (DisputeStatus.INQUIRY, DisputeStage.CHARGEBACK),
        "CHARGEBACK": (DisputeStatus.OPEN, DisputeStage.CHARGEBACK),
        # Also told of an information request, so it says nothing of the money.
        "INFORMATION_SUPPLIED": (None, None),
        "ISSUER_COMMENTS": (None, None),
        "DISPUTE_DEFENSE_PERIOD_ENDED": (None, None),
        # The money is back while the payer's bank looks at the defence.
        "CHARGEBACK_REVERSED": (DisputeStatus.WON_PROVISIONAL, DisputeStage.CHARGEBACK),
        "ISSUER_RESPONSE_TIMEFRAME_EXPIRED": (DisputeStatus.WON, DisputeStage.CHARGEBACK),
        "SECOND_CHARGEBACK": (DisputeStatus.LOST, DisputeStage.SECOND_CHARGEBACK),
        "PREARBITRATION_WON": (DisputeStatus.WON, DisputeStage.PRE_ARBITRATION),
        "PREARBITRATION_LOST": (DisputeStatus.LOST, DisputeStage.PRE_ARBITRATION),
    }
)
# Reason codes of the schemes: Visa writes them with a point, Mastercard as four digits.
_REASONS: Final = MappingProxyType(
    {
        "12.6": ReasonClass.DUPLICATE,
        "13.1": ReasonClass.NOT_RECEIVED,
        "13.2": ReasonClass.CANCELED_SERVICE,
        "13.3": ReasonClass.NOT_AS_DESCRIBED,
        "13.4": ReasonClass.NOT_AS_DESCRIBED,
        "13.5": ReasonClass.NOT_AS_DESCRIBED,
        "13.6": ReasonClass.CREDIT_NOT_PROCESSED,
        "13.7": ReasonClass.CREDIT_NOT_PROCESSED,
        "4808": ReasonClass.AUTHORIZATION,
        "4834": ReasonClass.PROCESSING_ERROR,
        "4837": ReasonClass.FRAUD,
        "4849": ReasonClass.FRAUD,
        "4853": ReasonClass.NOT_AS_DESCRIBED,
        "4870": ReasonClass.FRAUD,
        "4871": ReasonClass.FRAUD,
    }
)
_REASON_GROUPS: Final = MappingProxyType(
    {"10": ReasonClass.FRAUD, "11": ReasonClass.AUTHORIZATION, "12": ReasonClass.PROCESSING_ERROR}
)


def is_about_one(kind: str) -> bool:
    """Tell whether a notification of this kind is about a dispute; a mere report of fraud is about none."""
    return kind in _TOLD


def event_of(item: Document, *, tag: Tag | None, occurred_at: datetime) -> ProviderEvent:
    """Read a notification about a dispute.

    Raises:
        Unreadable: it cannot be read.
    """
    kind, about = mapping.text(item, "eventCode"), mapping.text(item, "pspReference")
    status, stage = _TOLD[kind] if mapping.text(item, "success") == "true" else (None, None)
    extra = item.get("additionalData")
    extra = extra if isinstance(extra, Mapping) else {}
    reason = _text(extra, "chargebackReasonCode") or _text(extra, "rfiReasonCode")
    return ProviderEvent(
        event_id=f"{kind}/{about}/{occurred_at.isoformat()}"[:120],
        kind=kind[:80],
        occurred_at=occurred_at,
        operation=None,
        outcome=None,
        reference=tag.reference if tag else "",
        provider_key=tag.provider_key if tag else "",
        provider_reference=_text(item, "originalReference"),
        dispute=DisputeNews(
            dispute=about,
            status=status,
            stage=stage,
            amount=mapping.money(item.get("amount")),
            reason=reason,
            reason_class=_class_of(reason) if reason else None,
            evidence_due_at=_moment(extra.get("defensePeriodEndsAt")),
            evidence=EvidenceStatus.SUBMITTED if kind == "INFORMATION_SUPPLIED" else None,
        ),
    )


def _class_of(reason: str) -> ReasonClass:
    return _REASONS.get(reason) or _REASON_GROUPS.get(reason.partition(".")[0], ReasonClass.OTHER)


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return value[:80] if isinstance(value, str) and "\x00" not in value else ""
