"""The payment: authorisation and capture of one amount from one payer."""

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q, Value
from django_fsm import FSMField, transition

from paymentops.access.models import ApiClient
from paymentops.core import ids
from paymentops.core.money import Money
from paymentops.idempotency.models import IdempotencyKey
from paymentops.payments.models.moving import Versioned
from paymentops.payments.states import CaptureMode, FailureClass, PaymentState
from paymentops.providers.contract import Method

S = PaymentState
# Where an authorisation may still be decided.
_UNDECIDED = [S.PROCESSING, S.REQUIRES_ACTION, S.UNKNOWN_OUTCOME]


class PaymentQuerySet(models.QuerySet["Payment"]):
    """Named filters over payments."""

    def of_client(self, client_id: object) -> Self:
        """Keep what one API client owns."""
        return self.filter(client_id=client_id)

    def lapsed(self, now: datetime) -> Self:
        """Keep open payments whose time is over: never sent, or authorised and not captured."""
        lapsed = self.filter(expires_at__lte=now, state__in=[S.CREATED, S.AUTHORIZED, S.PARTIALLY_CAPTURED])
        # Of captures that were taken back, a part may be kept and nothing held.
        return lapsed.filter(Q(state=S.CREATED) | Q(authorized__gt=F("captured") + F("voided")))


class Payment(Versioned):
    """One payment. The amount columns are facts in minor units; the state agrees with them.

    ``captured + voided <= authorized`` holds for what we asked for; ``refund_reserved`` is the sum of refunds on their
    way, ``returned`` the sum of refunds that came back and that no new refund has taken up, ``disputed`` what disputes
    hold now and ``charged_back`` what they took for good. ``provider``, ``policy_version`` and ``rollout_decision`` are
    chosen at acceptance and never change; ``route`` keeps the version of the route table and the reason of that choice.
    ``moved_to`` names another provider that a new attempt went to.
    """

    id = models.UUIDField(primary_key=True)
    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, related_name="+", db_index=False)
    key = models.OneToOneField(IdempotencyKey, on_delete=models.PROTECT, related_name="+")
    state = FSMField(default=S.CREATED, choices=S.choices, protected=True, db_index=False, max_length=20)
    resume_state = models.CharField(max_length=20, choices=S.choices, blank=True)
    currency = models.CharField(max_length=3)
    requested = models.BigIntegerField()
    authorized = models.BigIntegerField(default=0)
    captured = models.BigIntegerField(default=0)
    voided = models.BigIntegerField(default=0)
    reversed = models.BigIntegerField(default=0)
    refunded = models.BigIntegerField(default=0)
    refund_reserved = models.BigIntegerField(default=0)
    returned = models.BigIntegerField(default=0, db_default=0)
    disputed = models.BigIntegerField(default=0)
    charged_back = models.BigIntegerField(default=0, db_default=0)
    method = models.CharField(max_length=20, choices=[(m.value, m.value) for m in Method])
    payment_token = models.CharField(max_length=200)
    reference = models.CharField(max_length=100)
    customer_reference = models.CharField(max_length=100, blank=True)
    capture_mode = models.CharField(max_length=10, choices=CaptureMode.choices)
    metadata = models.JSONField()
    provider = models.CharField(max_length=40)
    moved_to = models.CharField(max_length=40, blank=True, db_default="")
    policy_version = models.CharField(max_length=40)
    rollout_decision = models.JSONField()
    route = models.JSONField(db_default=Value({}, output_field=models.JSONField()))
    failure_class = models.CharField(max_length=20, choices=FailureClass.choices, blank=True)
    failure_code = models.CharField(max_length=80, blank=True)
    failure_message = models.CharField(max_length=300, blank=True)
    next_action = models.JSONField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    objects = PaymentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["client", "-id"], name="payment_by_client"),
            models.Index(fields=["reference"], name="payment_by_reference"),
            models.Index(
                fields=["customer_reference"], name="payment_by_customer", condition=~Q(customer_reference="")
            ),
            models.Index(
                fields=["expires_at"],
                name="payment_to_expire",
                condition=Q(state__in=["CREATED", "AUTHORIZED", "PARTIALLY_CAPTURED"]),
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(requested__gt=0), name="payment_requests_something"),
            models.CheckConstraint(
                condition=Q(
                    authorized__gte=0,
                    captured__gte=0,
                    voided__gte=0,
                    reversed__gte=0,
                    refunded__gte=0,
                    refund_reserved__gte=0,
                    disputed__gte=0,
                ),
                name="payment_amounts_not_negative",
            ),
            models.CheckConstraint(condition=Q(charged_back__gte=0), name="payment_charged_back_not_negative"),
            models.CheckConstraint(condition=Q(returned__gte=0), name="payment_returned_not_negative"),
            models.CheckConstraint(
                condition=Q(captured__lte=F("authorized") - F("voided")), name="payment_captured_within_authorized"
            ),
            models.CheckConstraint(
                condition=Q(refunded__lte=F("captured") - F("refund_reserved")), name="payment_refunds_within_captured"
            ),
            models.CheckConstraint(
                condition=Q(state=S.UNKNOWN_OUTCOME) ^ Q(resume_state=""), name="payment_resumes_from_unknown_only"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``pay_…``."""
        return ids.public(ids.Prefix.PAYMENT, self.id)

    @property
    def at_provider(self) -> str:
        """The provider that carries it now: captures, voids, refunds and its ledger accounts are there."""
        return self.moved_to or self.provider

    @property
    def uncaptured(self) -> int:
        """What is authorised and neither captured nor voided, in minor units."""
        return self.authorized - self.captured - self.voided

    @property
    def holds(self) -> bool:
        """Whether the provider holds money that can still be captured or released."""
        return self.state in (S.AUTHORIZED, S.PARTIALLY_CAPTURED) and self.uncaptured > 0

    @property
    def overdrawn(self) -> int:
        """What was given back or withheld, or is on its way, beyond what was captured and kept, in minor units."""
        gone = self.refunded + self.refund_reserved + self.disputed + self.charged_back
        return max(0, gone - (self.captured - self.reversed))

    @property
    def refundable(self) -> int:
        """What may still be refunded, in minor units: captured less taken back, refunded, on its way and disputed.

        A dispute that was lost gave the payer the money already.
        """
        left = self.captured - self.reversed - self.refunded - self.refund_reserved
        return max(0, left - self.disputed - self.charged_back)

    def money(self, minor: int) -> Money:
        """Return ``minor`` units of this payment's currency."""
        return Money(minor, self.currency)

    # --- moves ------------------------------------------------------------------------------------------------

    @transition(field=state, source=[S.CREATED, S.REQUIRES_ACTION, S.UNKNOWN_OUTCOME], target=S.PROCESSING)
    def start_processing(self) -> None:
        """An authorisation is on its way to the provider."""
        self.resume_state = ""
        self.next_action = None

    @transition(field=state, source=[S.PROCESSING, S.UNKNOWN_OUTCOME], target=S.REQUIRES_ACTION)
    def require_action(self, *, action: dict[str, str], expires_at: datetime) -> None:
        """The payer must do something first."""
        self.resume_state = ""
        self.next_action = action
        self.expires_at = expires_at

    @transition(field=state, source=_UNDECIDED, target=S.AUTHORIZED)
    def authorize(self, *, amount: Money, expires_at: datetime) -> None:
        """The provider holds ``amount``, which may be less than requested."""
        self._authorized(amount)
        self.expires_at = expires_at

    @transition(field=state, source=_UNDECIDED, target=S.CAPTURED)
    def sell(self, *, amount: Money) -> None:
        """The provider authorised and took ``amount`` in one step."""
        self._authorized(amount)
        self.captured = amount.minor

    @transition(
        field=state, source=[S.AUTHORIZED, S.PARTIALLY_CAPTURED, S.UNKNOWN_OUTCOME], target=S.PARTIALLY_CAPTURED
    )
    def capture_part(self, *, amount: Money) -> None:
        """Part of what was authorised was taken; the rest is still held."""
        self._captured(amount)

    @transition(field=state, source=[S.AUTHORIZED, S.PARTIALLY_CAPTURED, S.UNKNOWN_OUTCOME], target=S.CAPTURED)
    def capture_rest(self, *, amount: Money) -> None:
        """All that was still held was taken."""
        self._captured(amount)

    @transition(field=state, source=[S.AUTHORIZED, S.UNKNOWN_OUTCOME], target=S.VOIDED)
    def void(self) -> None:
        """The whole hold was released."""
        self._release_rest()

    @transition(field=state, source=[S.PARTIALLY_CAPTURED, S.UNKNOWN_OUTCOME], target=S.CAPTURED)
    def void_rest(self) -> None:
        """What was not captured was released."""
        self._release_rest()

    @transition(
        field=state,
        source=[S.PROCESSING, S.REQUIRES_ACTION, S.AUTHORIZED, S.PARTIALLY_CAPTURED],
        target=S.UNKNOWN_OUTCOME,
    )
    def lose_sight(self) -> None:
        """Nobody knows whether the last operation happened; an inquiry will tell."""
        self.resume_state = self.state

    @transition(field=state, source=S.UNKNOWN_OUTCOME, target=S.AUTHORIZED)
    def resume_authorized(self) -> None:
        """The unknown capture or void did not happen."""
        self.resume_state = ""

    @transition(field=state, source=S.UNKNOWN_OUTCOME, target=S.PARTIALLY_CAPTURED)
    def resume_partially_captured(self) -> None:
        """The unknown capture or void did not happen."""
        self.resume_state = ""

    @transition(field=state, source=[S.CREATED, *_UNDECIDED], target=S.FAILED)
    def fail(self, *, failure_class: FailureClass, code: str, message: str) -> None:
        """No money moved and none will."""
        self.resume_state = ""
        self.next_action = None
        self.failure_class = failure_class
        self.failure_code = code[:80]
        self.failure_message = message[:300]

    @transition(field=state, source=[S.CREATED, *_UNDECIDED], target=S.CANCELED)
    def cancel(self) -> None:
        """The caller no longer wants it and nothing was authorised."""
        self.resume_state = ""
        self.next_action = None

    @transition(field=state, source=[S.CREATED, *_UNDECIDED], target=S.EXPIRED)
    def expire_unauthorized(self) -> None:
        """Its time ran out before anything was authorised."""
        self.resume_state = ""
        self.next_action = None

    @transition(field=state, source=S.AUTHORIZED, target=S.EXPIRED)
    def expire_hold(self) -> None:
        """The hold lapsed without a capture."""
        self._release_rest()

    @transition(field=state, source=[S.FAILED, S.EXPIRED, S.CANCELED], target=S.AUTHORIZED)
    def accept_late_authorization(self, *, amount: Money, expires_at: datetime) -> None:
        """Verified evidence says that the provider holds money after all."""
        self._forget_failure()
        self.authorized += amount.minor
        self.expires_at = expires_at

    @transition(field=state, source=[S.FAILED, S.EXPIRED, S.CANCELED, S.VOIDED], target=S.CAPTURED)
    def accept_late_capture(self, *, amount: Money) -> None:
        """Verified evidence says that the provider took money after all."""
        self._forget_failure()
        self.authorized = max(self.authorized, self.voided + self.captured + amount.minor)
        self.captured += amount.minor

    @transition(field=state, source=S.CAPTURED, target=S.PARTIALLY_CAPTURED)
    def keep_part(self) -> None:
        """The provider took a part of what was captured back."""

    @transition(field=state, source=[S.CAPTURED, S.PARTIALLY_CAPTURED], target=S.REVERSED)
    def keep_nothing(self) -> None:
        """The provider took back all that was captured, and holds nothing more."""

    # --- amounts that move without the state -------------------------------------------------------------------

    def reserve_refund(self, amount: Money) -> None:
        """Set ``amount`` aside for a refund; the caller has checked ``refundable`` under the row's lock."""
        self.refund_reserved += self._own(amount)

    def release_refund(self, amount: Money) -> None:
        """Give a reserved amount back after a refund ended negatively."""
        self.refund_reserved -= self._own(amount)

    def settle_refund(self, amount: Money) -> None:
        """Turn a reserved amount into a refunded one."""
        self.refund_reserved -= self._own(amount)
        self.refunded += amount.minor

    def move_to(self, provider: str) -> None:
        """Follow the authorisation to the provider that is to take it, or took it."""
        self.moved_to = "" if provider == self.provider else provider

    def take_back_capture(self, amount: Money) -> None:
        """Note that the provider took back ``amount`` of what was captured."""
        self.reversed += self._own(amount)

    def take_back_refund(self, amount: Money) -> None:
        """Note that ``amount`` of what was refunded came back; it is owed to the payer until it is paid again."""
        self.refunded -= self._own(amount)
        self.returned += amount.minor

    def take_returned(self, amount: Money) -> int:
        """Use what came back for a refund of ``amount``; return how much of it is paid from there, in minor units."""
        taken = min(self._own(amount), self.returned)
        self.returned -= taken
        return taken

    def _forget_failure(self) -> None:
        self.failure_class = self.failure_code = self.failure_message = ""

    def _authorized(self, amount: Money) -> None:
        self.resume_state = ""
        self.next_action = None
        self.authorized = self._own(amount)

    def _captured(self, amount: Money) -> None:
        self.resume_state = ""
        self.captured += self._own(amount)

    def _release_rest(self) -> None:
        self.resume_state = ""
        self.voided += self.uncaptured

    def _own(self, amount: Money) -> int:
        """Return the minor units of an amount that must be in this payment's currency."""
        return (self.money(0) + amount).minor


def default_hold(now: datetime) -> datetime:
    """Return when an authorisation lapses if the provider does not say: seven days, the common card scheme limit."""
    return now + timedelta(days=7)
