"""What the room keeps: payments, attempts, what was asked for on them, and every move they made."""

from paymentops.payments.models.attempt import Attempt, ProviderCall
from paymentops.payments.models.breaker import Breaker, BreakerProbe, BreakerTransition
from paymentops.payments.models.dispute import Dispute, DisputeNotice, DisputeTransition
from paymentops.payments.models.duplicates import DuplicateCause, DuplicateGroup, DuplicateMember, DuplicateScan
from paymentops.payments.models.moving import Cause
from paymentops.payments.models.payment import Payment
from paymentops.payments.models.refund import Refund
from paymentops.payments.models.requests import Cancellation, Capture
from paymentops.payments.models.resumption import Resumption
from paymentops.payments.models.transitions import AttemptTransition, PaymentTransition, RefundTransition
from paymentops.payments.models.webhooks import InboundNotification, WebhookDelivery

__all__ = [
    "Attempt",
    "AttemptTransition",
    "Breaker",
    "BreakerProbe",
    "BreakerTransition",
    "Cancellation",
    "Capture",
    "Cause",
    "Dispute",
    "DisputeNotice",
    "DisputeTransition",
    "DuplicateCause",
    "DuplicateGroup",
    "DuplicateMember",
    "DuplicateScan",
    "InboundNotification",
    "Payment",
    "PaymentTransition",
    "ProviderCall",
    "Refund",
    "RefundTransition",
    "Resumption",
    "WebhookDelivery",
]
