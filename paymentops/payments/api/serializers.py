"""Bodies as they come in and go out: validation and the schema that services read."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from paymentops.core import ids
from paymentops.core.errors import InvalidInput
from paymentops.core.fields import Currency, Metadata, MinorUnits, Strict, Text
from paymentops.core.money import Money
from paymentops.payments.approvals import Approval
from paymentops.payments.commands import CreatePayment
from paymentops.payments.models import Cancellation, Resumption
from paymentops.payments.states import AttemptState, CaptureMode, FailureClass, PaymentState, RefundState
from paymentops.providers.contract import Method


class CreatePaymentBody(Strict):
    """A payment to be charged once."""

    amount = MinorUnits(help_text="Minor units of the currency: 12990 is 129.90 EUR, 500 is 500 JPY.")
    currency = Currency(help_text="ISO 4217 code.")
    method = serializers.ChoiceField(choices=[method.value for method in Method])
    payment_token = Text(
        most=200, help_text="Stands for the payer's instrument; the sandbox's tokens are listed above."
    )
    reference = Text(most=100, help_text="Your own name for this payment.")
    customer_reference = Text(most=100, required=False, allow_null=True, default="")
    capture = serializers.ChoiceField(choices=CaptureMode.values, default=CaptureMode.AUTOMATIC.value)
    provider = Text(most=40, required=False, default="", help_text="Leave out to let routing decide.")
    metadata = Metadata(required=False, default=dict, help_text="Up to 50 entries of text.")
    distinct_from = Text(
        most=40,
        required=False,
        allow_null=True,
        default=None,
        help_text="The earlier payment, `pay_…`, that a refusal `payment.possible_duplicate` named, when this one is "
        "wanted besides. It does not count as part of the command.",
    )

    @staticmethod
    def command(values: Mapping[str, Any]) -> CreatePayment:
        """Build the command from validated values."""
        return CreatePayment(
            amount=Money(values["amount"], values["currency"]),
            method=Method(values["method"]),
            payment_token=values["payment_token"],
            reference=values["reference"],
            customer_reference=values["customer_reference"] or "",
            capture=CaptureMode(values["capture"]),
            provider=values["provider"],
            metadata=values["metadata"],
            distinct_from=_payment_named(values["distinct_from"]),
        )


def _payment_named(text: str | None) -> UUID | None:
    try:
        return ids.parse(ids.Prefix.PAYMENT, text) if text else None
    except ids.UnreadableId as error:
        raise InvalidInput("distinct_from names a payment, pay_…, as the refusal did.") from error


class CaptureBody(Strict):
    """How much of what is held to take."""

    amount = MinorUnits(required=False, allow_null=True, default=None, help_text="Leave out to take all that is held.")


class CancelBody(Strict):
    """Nothing to say; the body may be empty."""


@extend_schema_field(
    {"type": "object", "additionalProperties": {"type": "string", "maxLength": 16_000}, "maxProperties": 20}
)
class PayerDetails(serializers.Field[dict[str, str], Any, dict[str, str], Any]):
    """What a payer brought back: up to 20 names of 100 characters with text values, not a character changed."""

    MOST_ENTRIES = 20
    MOST_CHARACTERS = 16_000
    default_error_messages = {
        "not_object": "Send an object of names and text values.",
        "too_many": f"Send at most {MOST_ENTRIES} entries.",
        "bad_name": "Names have 1 to 100 printable characters.",
        "bad_value": f"Send printable text of at most {MOST_CHARACTERS} characters as the value of {{name!r}}.",
    }

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Return the entries as they came."""
        if not isinstance(data, dict):
            self.fail("not_object")
        if len(data) > self.MOST_ENTRIES:
            self.fail("too_many")
        for name, value in data.items():
            if not name.isprintable() or not 0 < len(name) <= 100:
                self.fail("bad_name")
            if not isinstance(value, str) or not value.isprintable() or len(value) > self.MOST_CHARACTERS:
                self.fail("bad_value", name=name)
        return dict(data)

    def to_representation(self, value: dict[str, str]) -> dict[str, str]:
        """Return the entries unchanged."""
        return value


class ResumeBody(Strict):
    """What the payer brought back."""

    details = PayerDetails(
        required=False,
        default=dict,
        help_text="What the payer came back with, names and values as the provider gave them. Kept until the provider "
        "has answered, then erased; never shown.",
    )


class RefundBody(Strict):
    """How much to give back, and why."""

    amount = MinorUnits(
        required=False, allow_null=True, default=None, help_text="Leave out to give back all that is left."
    )
    reason = Text(most=200, blank=True, required=False, default="")


class PaymentRefresh(serializers.Serializer[Any]):
    """Whether the provider is asked before the answer."""

    refresh = serializers.BooleanField(required=False, default=False)


class PaymentFilters(serializers.Serializer[Any]):
    """What a list of payments can be narrowed down to."""

    state = serializers.MultipleChoiceField(choices=PaymentState.choices, required=False)
    currency = Currency(required=False)
    provider = Text(most=40, required=False)
    reference = Text(most=100, required=False)
    customer_reference = Text(most=100, required=False)
    created_from = serializers.DateTimeField(required=False, help_text="First moment that counts.")
    created_until = serializers.DateTimeField(required=False, help_text="First moment that no longer counts.")
    amount_from = MinorUnits(required=False)
    amount_to = MinorUnits(required=False)

    LOOKUPS: ClassVar = {
        "state": "state__in",
        "currency": "currency",
        "provider": "provider",
        "reference": "reference",
        "customer_reference": "customer_reference",
        "created_from": "created_at__gte",
        "created_until": "created_at__lt",
        "amount_from": "requested__gte",
        "amount_to": "requested__lte",
    }


# --- What goes out; used for the schema, the bodies themselves are built in ``payments.bodies`` ------------------


class AmountsSchema(serializers.Serializer[Any]):
    """Facts so far, in minor units."""

    authorized = serializers.IntegerField()
    captured = serializers.IntegerField()
    voided = serializers.IntegerField()
    refunded = serializers.IntegerField()
    disputed = serializers.IntegerField()
    reversed = serializers.IntegerField(
        required=False, help_text="Captures that the provider took back; not in the answer to the first request."
    )


class FailureSchema(serializers.Serializer[Any]):
    """Why a payment failed."""

    code = serializers.CharField()
    message = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add the field whose name is a word of Python."""
        return super().get_fields() | {"class": serializers.ChoiceField(choices=FailureClass.choices)}


class NextActionSchema(serializers.Serializer[Any]):
    """What the payer must do."""

    type = serializers.CharField()
    url = serializers.CharField()
    code = serializers.CharField(required=False, help_text="For a QR code: its content, also to copy and paste.")


class PaymentSchema(serializers.Serializer[Any]):
    """A payment."""

    id = serializers.CharField()
    state = serializers.ChoiceField(choices=PaymentState.choices)
    amount = serializers.IntegerField()
    currency = serializers.CharField()
    method = serializers.CharField()
    provider = serializers.CharField()
    reference = serializers.CharField()
    customer_reference = serializers.CharField(allow_null=True)
    capture = serializers.ChoiceField(choices=CaptureMode.choices)
    metadata = serializers.DictField(child=serializers.CharField())
    amounts = AmountsSchema()
    failure = FailureSchema(allow_null=True)
    next_action = NextActionSchema(allow_null=True)
    cancel_requested_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    version = serializers.IntegerField()


class PaymentPageSchema(serializers.Serializer[Any]):
    """One page of payments, newest first."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = PaymentSchema(many=True)


class CaptureSchema(serializers.Serializer[Any]):
    """A capture; its state is that of its latest attempt."""

    id = serializers.CharField()
    payment = serializers.CharField()
    amount = serializers.IntegerField()
    currency = serializers.CharField()
    state = serializers.ChoiceField(choices=AttemptState.choices)
    reversed = serializers.IntegerField(required=False, help_text="How much of it the provider took back.")
    created_at = serializers.DateTimeField()


class CancellationSchema(serializers.Serializer[Any]):
    """A cancellation and how it was taken."""

    id = serializers.CharField()
    payment = serializers.CharField()
    mode = serializers.ChoiceField(choices=Cancellation.Mode.choices)
    created_at = serializers.DateTimeField()


class ResumptionSchema(serializers.Serializer[Any]):
    """A resumption and how it was taken."""

    id = serializers.CharField()
    payment = serializers.CharField()
    mode = serializers.ChoiceField(choices=Resumption.Mode.choices)
    created_at = serializers.DateTimeField()


class RefundFailureSchema(serializers.Serializer[Any]):
    """Why a refund failed."""

    code = serializers.CharField()
    message = serializers.CharField()


class ApprovalSchema(serializers.Serializer[Any]):
    """A second person decides on the refund."""

    reason = serializers.ChoiceField(choices=[value for value in Approval.values if value])


class RefundSchema(serializers.Serializer[Any]):
    """A refund."""

    id = serializers.CharField()
    payment = serializers.CharField()
    amount = serializers.IntegerField()
    currency = serializers.CharField()
    reason = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(choices=RefundState.choices)
    reversed = serializers.IntegerField(required=False, help_text="How much of it came back after it had succeeded.")
    failure = RefundFailureSchema(allow_null=True)
    approval = ApprovalSchema(required=False, help_text="Only where a second person decides on it.")
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class PaymentDetailSchema(PaymentSchema):
    """A payment with what was asked for on it."""

    captures = CaptureSchema(many=True)
    refunds = RefundSchema(many=True)


class BatchItemBody(CreatePaymentBody):
    """A payment of a batch, with the key a single request would carry in its header."""

    idempotency_key = serializers.CharField()


class BatchBody(Strict):
    """Up to 1,000 payments."""

    payments = BatchItemBody(many=True)


class BatchResultSchema(serializers.Serializer[Any]):
    """What became of one item, in the order given."""

    status = serializers.IntegerField()
    replayed = serializers.BooleanField()
    body = serializers.DictField()


class BatchResultsSchema(serializers.Serializer[Any]):
    """What became of every item."""

    results = BatchResultSchema(many=True)
