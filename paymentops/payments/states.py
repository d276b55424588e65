"""The closed sets of states and the moves between them (SEMANTICS section 2)."""

from typing import Final

from django.db import models


class PaymentState(models.TextChoices):
    """Where a payment stands: authorisation and capture. Refunds, disputes and settlement are axes of their own."""

    CREATED = "CREATED", "created"
    PROCESSING = "PROCESSING", "processing"
    REQUIRES_ACTION = "REQUIRES_ACTION", "requires action"
    AUTHORIZED = "AUTHORIZED", "authorised"
    PARTIALLY_CAPTURED = "PARTIALLY_CAPTURED", "partially captured"
    CAPTURED = "CAPTURED", "captured"
    UNKNOWN_OUTCOME = "UNKNOWN_OUTCOME", "unknown outcome"
    VOIDED = "VOIDED", "voided"
    FAILED = "FAILED", "failed"
    EXPIRED = "EXPIRED", "expired"
    CANCELED = "CANCELED", "cancelled"
    REVERSED = "REVERSED", "reversed"


class AttemptState(models.TextChoices):
    """Where one operation at one provider stands."""

    PREPARED = "PREPARED", "prepared"
    DISPATCHED = "DISPATCHED", "dispatched"
    PENDING = "PENDING", "pending"
    ACTION_REQUIRED = "ACTION_REQUIRED", "action required"
    UNKNOWN = "UNKNOWN", "unknown"
    SUCCEEDED = "SUCCEEDED", "succeeded"
    DECLINED = "DECLINED", "declined"
    FAILED = "FAILED", "failed"
    EXPIRED = "EXPIRED", "expired"
    CANCELED = "CANCELED", "cancelled"
    REVERSED = "REVERSED", "reversed"


class RefundState(models.TextChoices):
    """Where a refund stands."""

    REQUESTED = "REQUESTED", "requested"
    APPROVED = "APPROVED", "approved"
    REJECTED = "REJECTED", "rejected"
    DISPATCHED = "DISPATCHED", "dispatched"
    PENDING = "PENDING", "pending"
    ACTION_REQUIRED = "ACTION_REQUIRED", "action required"
    UNKNOWN = "UNKNOWN", "unknown"
    SUCCEEDED = "SUCCEEDED", "succeeded"
    FAILED = "FAILED", "failed"
    CANCELED = "CANCELED", "cancelled"
    REVERSED = "REVERSED", "reversed"


class BreakerState(models.TextChoices):
    """Where a circuit breaker stands."""

    CLOSED = "CLOSED", "closed"
    OPEN = "OPEN", "open"
    HALF_OPEN = "HALF_OPEN", "half-open"


class CaptureMode(models.TextChoices):
    """Whether money is taken with the authorisation or later."""

    AUTOMATIC = "automatic", "automatic"
    MANUAL = "manual", "manual"


class FailureClass(models.TextChoices):
    """Why a payment failed, in words that are the same for every provider."""

    ISSUER_DECLINE = "ISSUER_DECLINE", "declined by the issuer"
    RISK_BLOCK = "RISK_BLOCK", "blocked by a risk rule"
    PAYER_ABANDONED = "PAYER_ABANDONED", "abandoned by the payer"
    INVALID_REQUEST = "INVALID_REQUEST", "invalid request"
    TECHNICAL = "TECHNICAL", "technical failure"
    NO_ROUTE = "NO_ROUTE", "no provider could take it"


class DisputeState(models.TextChoices):
    """Where a dispute stands. An inquiry moves no money, an open dispute does."""

    INQUIRY = "INQUIRY", "inquiry"
    INQUIRY_CLOSED = "INQUIRY_CLOSED", "inquiry closed"
    OPEN = "OPEN", "open"
    UNDER_REVIEW = "UNDER_REVIEW", "under review"
    ACCEPTED = "ACCEPTED", "accepted"
    WON_PROVISIONAL = "WON_PROVISIONAL", "won for now"
    WON = "WON", "won"
    LOST = "LOST", "lost"
    WITHDRAWN = "WITHDRAWN", "withdrawn"
    PRE_ARBITRATION = "PRE_ARBITRATION", "pre-arbitration"
    ARBITRATION = "ARBITRATION", "arbitration"


class DisputeStage(models.TextChoices):
    """How far a dispute has gone, in the order of the schemes; what was reached stays reached."""

    INQUIRY = "INQUIRY", "inquiry"
    CHARGEBACK = "CHARGEBACK", "chargeback"
    SECOND_CHARGEBACK = "SECOND_CHARGEBACK", "second chargeback"
    PRE_ARBITRATION = "PRE_ARBITRATION", "pre-arbitration"
    ARBITRATION = "ARBITRATION", "arbitration"


class ReasonClass(models.TextChoices):
    """Why a payer disputes, the same for every provider and scheme."""

    FRAUD = "FRAUD", "fraud"
    NOT_RECEIVED = "NOT_RECEIVED", "not received"
    NOT_AS_DESCRIBED = "NOT_AS_DESCRIBED", "not as described"
    DUPLICATE = "DUPLICATE", "charged twice"
    CREDIT_NOT_PROCESSED = "CREDIT_NOT_PROCESSED", "refund not received"
    CANCELED_SERVICE = "CANCELED_SERVICE", "cancelled service"
    AUTHORIZATION = "AUTHORIZATION", "not authorised"
    PROCESSING_ERROR = "PROCESSING_ERROR", "processing error"
    OTHER = "OTHER", "other"


class EvidenceState(models.TextChoices):
    """What became of the evidence that a dispute asks for."""

    NONE = "NONE", "none yet"
    SUBMITTED = "SUBMITTED", "submitted"
    MISSED = "MISSED", "missed"


OPEN_ATTEMPT_STATES: Final = (
    AttemptState.PREPARED,
    AttemptState.DISPATCHED,
    AttemptState.PENDING,
    AttemptState.ACTION_REQUIRED,
    AttemptState.UNKNOWN,
)
# It happened, whatever was taken back later.
SUCCESSFUL_ATTEMPT_STATES: Final = (AttemptState.SUCCEEDED, AttemptState.REVERSED)
NEGATIVE_ATTEMPT_STATES: Final = (
    AttemptState.DECLINED,
    AttemptState.FAILED,
    AttemptState.EXPIRED,
    AttemptState.CANCELED,
)
FINAL_PAYMENT_STATES: Final = (
    PaymentState.VOIDED,
    PaymentState.FAILED,
    PaymentState.EXPIRED,
    PaymentState.CANCELED,
    PaymentState.REVERSED,
)
# Nothing more happens to these by itself; `Prefer: wait` stops waiting here.
SETTLED_DOWN_PAYMENT_STATES: Final = (
    *FINAL_PAYMENT_STATES,
    PaymentState.AUTHORIZED,
    PaymentState.PARTIALLY_CAPTURED,
    PaymentState.CAPTURED,
    PaymentState.REQUIRES_ACTION,
)
# A dispute that is none of these can still move money.
OPEN_DISPUTE_STATES: Final = (
    DisputeState.INQUIRY,
    DisputeState.OPEN,
    DisputeState.UNDER_REVIEW,
    DisputeState.WON_PROVISIONAL,
    DisputeState.PRE_ARBITRATION,
    DisputeState.ARBITRATION,
)
# In these the provider takes evidence.
ANSWERABLE_DISPUTE_STATES: Final = (DisputeState.INQUIRY, DisputeState.OPEN, DisputeState.PRE_ARBITRATION)
