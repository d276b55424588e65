"""What the sandbox tells about disputes; its words for them stand here only."""

from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from paymentops.providers.adapters.sandbox import documents
from paymentops.providers.adapters.sandbox.documents import Unreadable
from paymentops.providers.contract import ProviderEvent
from paymentops.providers.disputes import DisputeNews, DisputeStage, DisputeStatus, EvidenceStatus, ReasonClass

_STATUS: Final = MappingProxyType(
    {
        "inquiry": DisputeStatus.INQUIRY,
        "inquiry_closed": DisputeStatus.INQUIRY_CLOSED,
        "needs_response": DisputeStatus.OPEN,
        "under_review": DisputeStatus.UNDER_REVIEW,
        "accepted": DisputeStatus.ACCEPTED,
        "won_provisional": DisputeStatus.WON_PROVISIONAL,
        "won": DisputeStatus.WON,
        "lost": DisputeStatus.LOST,
        "withdrawn": DisputeStatus.WITHDRAWN,
        "pre_arbitration": DisputeStatus.PRE_ARBITRATION,
        "arbitration": DisputeStatus.ARBITRATION,
    }
)
_STAGE: Final = MappingProxyType({stage.value.lower(): stage for stage in DisputeStage})
_REASON: Final = MappingProxyType(
    {
        "fraudulent": ReasonClass.FRAUD,
        "not_received": ReasonClass.NOT_RECEIVED,
        "not_as_described": ReasonClass.NOT_AS_DESCRIBED,
        "duplicate": ReasonClass.DUPLICATE,
        "credit_not_processed": ReasonClass.CREDIT_NOT_PROCESSED,
        "subscription_canceled": ReasonClass.CANCELED_SERVICE,
    }
)
_EVIDENCE: Final = MappingProxyType({status.value.lower(): status for status in EvidenceStatus})


def event_of(document: Any, *, event_id: str, kind: str, occurred_at: datetime) -> ProviderEvent:
    """Read news about a dispute.

    Raises:
        Unreadable: it is none.
    """
    if not isinstance(document, dict) or document.get("object") != "dispute":
        raise Unreadable("not a dispute")
    amount = documents.money(document, "amount")
    reason = documents.text(document, "reason")
    due = document.get("evidence_due_at")
    return ProviderEvent(
        event_id=event_id,
        kind=kind,
        occurred_at=occurred_at,
        operation=None,
        outcome=None,
        reference=documents.text(document, "reference"),
        provider_reference=documents.text(document, "charge"),
        dispute=DisputeNews(
            dispute=documents.text(document, "id"),
            status=_STATUS.get(documents.text(document, "status")),
            stage=_STAGE.get(documents.text(document, "stage")),
            amount=amount,
            fee=documents.money(document, "fee"),
            reason=reason,
            reason_class=_REASON.get(reason, ReasonClass.OTHER),
            evidence_due_at=documents.moment(document, "evidence_due_at") if due is not None else None,
            evidence=_EVIDENCE.get(documents.text(document, "evidence")),
        ),
    )
