"""Addresses of the inspector below ``/api/v1/``."""

from django.urls import path

from paymentops.idempotency.api import IdempotencyKeyView

urlpatterns = [path("idempotency-keys/<path:key>", IdempotencyKeyView.as_view(), name="idempotency-key")]
