"""Addresses of payments below ``/api/v1/``."""

from django.urls import path

from paymentops.payments.api.ambiguity import AmbiguousOutcomesView, AmbiguousOutcomeView, InquiryView
from paymentops.payments.api.disputes import DisputesOfPaymentView, DisputesView, DisputeView
from paymentops.payments.api.duplicates import DuplicatesView
from paymentops.payments.api.notifications import WebhookView
from paymentops.payments.api.reading import CaptureView, PaymentsView, PaymentView, RefundView
from paymentops.payments.api.timeline import TimelineView
from paymentops.payments.api.writing import (
    BatchView,
    CancelView,
    CapturesView,
    RefundCancelView,
    RefundsView,
    ResumeView,
)

urlpatterns = [
    path("payments", PaymentsView.as_view(), name="payments"),
    path("payments/batch", BatchView.as_view(), name="payment-batch"),
    path("payments/<str:payment_id>", PaymentView.as_view(), name="payment"),
    path("payments/<str:payment_id>/captures", CapturesView.as_view(), name="payment-captures"),
    path("payments/<str:payment_id>/cancel", CancelView.as_view(), name="payment-cancel"),
    path("payments/<str:payment_id>/disputes", DisputesOfPaymentView.as_view(), name="payment-disputes"),
    path("payments/<str:payment_id>/refunds", RefundsView.as_view(), name="payment-refunds"),
    path("payments/<str:payment_id>/resume", ResumeView.as_view(), name="payment-resume"),
    path("payments/<str:payment_id>/timeline", TimelineView.as_view(), name="payment-timeline"),
    path("captures/<str:capture_id>", CaptureView.as_view(), name="capture"),
    path("disputes", DisputesView.as_view(), name="disputes"),
    path("disputes/<str:dispute_id>", DisputeView.as_view(), name="dispute"),
    path("refunds/<str:refund_id>/cancel", RefundCancelView.as_view(), name="refund-cancel"),
    path("refunds/<str:refund_id>", RefundView.as_view(), name="refund"),
    path("ambiguous-outcomes", AmbiguousOutcomesView.as_view(), name="ambiguous-outcomes"),
    path("ambiguous-outcomes/<str:attempt_id>", AmbiguousOutcomeView.as_view(), name="ambiguous-outcome"),
    path("ambiguous-outcomes/<str:attempt_id>/inquiry", InquiryView.as_view(), name="ambiguous-outcome-inquiry"),
    path("duplicates", DuplicatesView.as_view(), name="duplicates"),
    path("webhooks/<str:provider>", WebhookView.as_view(), name="webhook"),
]
