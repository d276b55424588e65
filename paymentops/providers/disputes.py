"""What a provider can tell about a dispute, in our words (SEMANTICS section 2, Dispute)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from paymentops.core.money import Money


class DisputeStatus(StrEnum):
    """Where a provider says that a dispute stands."""

    INQUIRY = "INQUIRY"
    INQUIRY_CLOSED = "INQUIRY_CLOSED"
    OPEN = "OPEN"
    UNDER_REVIEW = "UNDER_REVIEW"
    ACCEPTED = "ACCEPTED"
    WON_PROVISIONAL = "WON_PROVISIONAL"
    WON = "WON"
    LOST = "LOST"
    WITHDRAWN = "WITHDRAWN"
    PRE_ARBITRATION = "PRE_ARBITRATION"
    ARBITRATION = "ARBITRATION"


class DisputeStage(StrEnum):
    """How far a dispute has gone; the order is that of the schemes."""

    INQUIRY = "INQUIRY"
    CHARGEBACK = "CHARGEBACK"
    SECOND_CHARGEBACK = "SECOND_CHARGEBACK"
    PRE_ARBITRATION = "PRE_ARBITRATION"
    ARBITRATION = "ARBITRATION"


class ReasonClass(StrEnum):
    """Why a payer disputes, the same for every provider and scheme."""

    FRAUD = "FRAUD"
    NOT_RECEIVED = "NOT_RECEIVED"
    NOT_AS_DESCRIBED = "NOT_AS_DESCRIBED"
    DUPLICATE = "DUPLICATE"
    CREDIT_NOT_PROCESSED = "CREDIT_NOT_PROCESSED"
    CANCELED_SERVICE = "CANCELED_SERVICE"
    AUTHORIZATION = "AUTHORIZATION"
    PROCESSING_ERROR = "PROCESSING_ERROR"
    OTHER = "OTHER"


class EvidenceStatus(StrEnum):
    """What became of the evidence that a dispute asks for."""

    NONE = "NONE"
    SUBMITTED = "SUBMITTED"
    MISSED = "MISSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeNews:
    """What one notification tells about a dispute. ``None`` and empty text mean that it does not tell.

    Args:
        dispute: the provider's id of the dispute.
        status: where it stands; ``None`` where it does not tell, also for a word nobody has documented.
        stage: how far it has gone.
        amount: what is disputed; need not be the charge's amount, nor in its currency.
        fee: what the provider charges for the dispute, as a whole and as of now: less than before, or 0, where it was
            given back.
        reason: the provider's own code.
        reason_class: what that code means.
        evidence_due_at: until when evidence is taken.
        evidence: what became of it.
    """

    dispute: str
    status: DisputeStatus | None
    amount: Money
    stage: DisputeStage | None = None
    fee: Money | None = None
    reason: str = ""
    reason_class: ReasonClass | None = None
    evidence_due_at: datetime | None = None
    evidence: EvidenceStatus | None = None
