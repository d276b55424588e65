"""What the OpenAPI document says about payments: words, examples, headers and errors."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from paymentops.core.api import PROBLEM_RESPONSES
from paymentops.payments.api import serializers as s
from paymentops.providers.sandbox import tokens

_TAGS: Final = ["Payments"]

_KEY: Final = OpenApiParameter(
    name="Idempotency-Key",
    type=OpenApiTypes.STR,
    location=OpenApiParameter.HEADER,
    required=True,
    description="Your own name for this request, 16 to 255 characters. Send the same key with every retry: the answer "
    "is then the first one, byte for byte, with `Idempotent-Replayed: true`.",
)
_PREFER: Final = OpenApiParameter(
    name="Prefer",
    type=OpenApiTypes.STR,
    location=OpenApiParameter.HEADER,
    description="`wait=N` waits up to N seconds for the outcome and answers with the payment as it is then (RFC 7240).",
)

_TOKENS: Final = "\n".join(f"* `{token.name}`: {token.description}" for token in tokens.TOKENS.values())

_PAYMENT_EXAMPLE: Final = {
    "amount": 12990,
    "currency": "EUR",
    "method": "card",
    "payment_token": "tok_approved",
    "reference": "order-10293",
    "customer_reference": "cust-77",
    "capture": "automatic",
    "provider": "sandbox",
    "metadata": {"basket": "B-1"},
}
_ANSWER_EXAMPLE: Final = {
    "amount": 12990,
    "amounts": {"authorized": 0, "captured": 0, "disputed": 0, "refunded": 0, "voided": 0},
    "cancel_requested_at": None,
    "capture": "automatic",
    "created_at": "2026-11-21T09:30:00.000000Z",
    "currency": "EUR",
    "customer_reference": "cust-77",
    "failure": None,
    "id": "pay_019aa5b1c2d37e4f8a9b0c1d2e3f4a5b",
    "metadata": {"basket": "B-1"},
    "method": "card",
    "next_action": None,
    "provider": "sandbox",
    "reference": "order-10293",
    "state": "CREATED",
    "version": 1,
}
_PROBLEMS: Final[dict[Any, Any]] = dict(PROBLEM_RESPONSES)

CREATE: Final[dict[str, Any]] = {
    "operation_id": "create_payment",
    "tags": _TAGS,
    "summary": "Accept a payment exactly once",
    "description": "The payment is stored and answered at once; a worker then drives it through the provider. "
    "A refusal leaves no key behind, so a corrected request may use the same key.\n\n"
    f"With provider `sandbox`, the payment token chooses what happens:\n\n{_TOKENS}",
    "parameters": [_KEY, _PREFER],
    "request": s.CreatePaymentBody,
    "responses": {201: OpenApiResponse(s.PaymentSchema, description="Accepted, now or before."), **_PROBLEMS},
    "examples": [
        OpenApiExample("A card payment", value=_PAYMENT_EXAMPLE, request_only=True),
        OpenApiExample("Accepted", value=_ANSWER_EXAMPLE, response_only=True, status_codes=["201"]),
    ],
}
LIST: Final[dict[str, Any]] = {
    "operation_id": "list_payments",
    "tags": _TAGS,
    "summary": "List payments, newest first",
    "parameters": [
        s.PaymentFilters,
        OpenApiParameter("cursor", OpenApiTypes.STR, description="From `next` or `previous` of another page."),
        OpenApiParameter("limit", OpenApiTypes.INT, description="Rows a page, 1 to 200; 50 unless told."),
    ],
    "responses": {200: s.PaymentPageSchema, **_PROBLEMS},
}
DETAIL: Final[dict[str, Any]] = {
    "operation_id": "get_payment",
    "tags": _TAGS,
    "summary": "Show a payment with its captures and refunds",
    "description": "`refresh=true` has the provider asked about what is undecided, at most once in the first interval "
    "of its schedule; with `Prefer: wait=N` the answer waits up to N seconds for what the provider says.",
    "parameters": [
        OpenApiParameter("refresh", OpenApiTypes.BOOL, description="Ask the provider about what is undecided."),
        _PREFER,
    ],
    "responses": {200: s.PaymentDetailSchema, **_PROBLEMS},
}
BATCH: Final[dict[str, Any]] = {
    "operation_id": "create_payments",
    "tags": _TAGS,
    "summary": "Accept up to 1,000 payments, each with its own key and result",
    "description": "Each item carries its key as `idempotency_key`. A bad item never fails the others. An item counts "
    "as the single call does: the same key sent later to `POST /api/v1/payments` replays it.",
    "request": s.BatchBody,
    "responses": {200: s.BatchResultsSchema, **_PROBLEMS},
    "examples": [
        OpenApiExample(
            "Two payments",
            value={
                "payments": [
                    {"idempotency_key": "order-10293-attempt-1", **_PAYMENT_EXAMPLE},
                    {
                        "idempotency_key": "order-10294-attempt-1",
                        **_PAYMENT_EXAMPLE,
                        "reference": "order-10294",
                    },
                ]
            },
            request_only=True,
        ),
    ],
}
CAPTURE: Final[dict[str, Any]] = {
    "operation_id": "capture_payment",
    "tags": _TAGS,
    "summary": "Capture part or all of what is held",
    "parameters": [_KEY],
    "request": s.CaptureBody,
    "responses": {201: s.CaptureSchema, **_PROBLEMS},
    "examples": [OpenApiExample("A part", value={"amount": 5000}, request_only=True)],
}
CAPTURE_DETAIL: Final[dict[str, Any]] = {
    "operation_id": "get_capture",
    "tags": _TAGS,
    "summary": "Show a capture",
    "responses": {200: s.CaptureSchema, **_PROBLEMS},
}
CANCEL: Final[dict[str, Any]] = {
    "operation_id": "cancel_payment",
    "tags": _TAGS,
    "summary": "Cancel a payment or release the rest of it",
    "description": "201 when it was cancelled at once (`AT_ONCE`) or the hold is being released (`VOID`); 202 when an "
    "outcome is still open (`WAITING`): what waits for its payer is taken back at the provider where that can be done, "
    "and a hold is released as soon as the outcome is known, unless it was captured by then.",
    "parameters": [_KEY],
    "request": s.CancelBody,
    "responses": {201: s.CancellationSchema, 202: s.CancellationSchema, **_PROBLEMS},
}
RESUME: Final[dict[str, Any]] = {
    "operation_id": "resume_payment",
    "tags": _TAGS,
    "summary": "Go on with a payment whose payer has acted",
    "description": "Send what the payer brought back from the `next_action` as `details`. `COMPLETION`: a worker hands "
    "it in to the provider, and the payment is `PROCESSING` until the answer. `INQUIRY`: the payer acted at the "
    "provider itself, which is asked how it stands; nothing of the details is kept. With provider `sandbox`, "
    "`result` decides: `approve`, `decline`, `abandon`, or `step_up` for another action.",
    "parameters": [_KEY],
    "request": s.ResumeBody,
    "responses": {201: s.ResumptionSchema, **_PROBLEMS},
    "examples": [OpenApiExample("Back from a redirect", value={"details": {"result": "approve"}}, request_only=True)],
}
REFUND: Final[dict[str, Any]] = {
    "operation_id": "refund_payment",
    "tags": ["Refunds"],
    "summary": "Refund part or all of what was captured",
    "description": "The amount is reserved at once, so refunds that together exceed the capture are refused however "
    "many arrive at the same time. 202 when it is over the limit that the operator set, by itself or together with "
    "earlier ones: it then stays `REQUESTED`, `approval` says why, and a person approves or rejects it.",
    "parameters": [_KEY],
    "request": s.RefundBody,
    "responses": {201: s.RefundSchema, 202: s.RefundSchema, **_PROBLEMS},
    "examples": [OpenApiExample("A part", value={"amount": 2500, "reason": "damaged item"}, request_only=True)],
}
REFUND_CANCEL: Final[dict[str, Any]] = {
    "operation_id": "cancel_refund",
    "tags": ["Refunds"],
    "summary": "Cancel a refund that has not left",
    "description": "Frees its sum. It ends one named refund, so it needs no key: repeated, it answers the same.",
    "request": s.CancelBody,
    "responses": {200: s.RefundSchema, **_PROBLEMS},
}
REFUND_DETAIL: Final[dict[str, Any]] = {
    "operation_id": "get_refund",
    "tags": ["Refunds"],
    "summary": "Show a refund",
    "responses": {200: s.RefundSchema, **_PROBLEMS},
}
