"""The refund: giving part or all of a captured amount back."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, transition

from paymentops.core import ids
from paymentops.core.money import Money
from paymentops.idempotency.models import IdempotencyKey
from paymentops.payments.approvals import Approval
from paymentops.payments.models.moving import Versioned
from paymentops.payments.models.payment import Payment
from paymentops.payments.states import RefundState

S = RefundState
_ON_ITS_WAY = [S.DISPATCHED, S.PENDING, S.ACTION_REQUIRED, S.UNKNOWN]


class Refund(Versioned):
    """One refund. Its amount is reserved on the payment from the request until its end.

    ``reversed`` is how much of it came back after it had succeeded; ``from_returned`` how much of it pays out again
    what came back of an earlier refund of the payment. ``approval`` is why it needed a second person; it never changes.
    """

    id = models.UUIDField(primary_key=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    key = models.OneToOneField(IdempotencyKey, on_delete=models.PROTECT, related_name="+")
    state = FSMField(default=S.REQUESTED, choices=S.choices, protected=True, db_index=False, max_length=20)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reversed = models.BigIntegerField(default=0, db_default=0)
    from_returned = models.BigIntegerField(default=0, db_default=0)
    reason = models.CharField(max_length=200, blank=True)
    approval = models.CharField(max_length=10, blank=True, choices=Approval.choices, default="", db_default="")
    failure_code = models.CharField(max_length=80, blank=True)
    failure_message = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]
        permissions: ClassVar = [
            ("propose_refund", "Can propose refunds that need approval"),
            ("approve_refund", "Can approve and reject refunds that others asked for"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(
                condition=Q(reversed__gte=0, reversed__lte=F("amount")), name="refund_reversed_within_amount"
            ),
            models.CheckConstraint(
                condition=Q(from_returned__gte=0, from_returned__lte=F("amount")), name="refund_from_returned_within"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``ref_…``."""
        return ids.public(ids.Prefix.REFUND, self.id)

    @property
    def money(self) -> Money:
        """What is given back."""
        return Money(self.amount, self.currency)

    @transition(field=state, source=S.REQUESTED, target=S.APPROVED)
    def approve(self) -> None:
        """It may be sent."""

    @transition(field=state, source=S.REQUESTED, target=S.REJECTED)
    def reject(self, *, code: str, message: str) -> None:
        """A second person did not agree; the sum is free again."""
        self.failure_code = code[:80]
        self.failure_message = message[:300]

    @transition(field=state, source=S.APPROVED, target=S.DISPATCHED)
    def dispatch(self) -> None:
        """It is on its way to the provider."""

    @transition(field=state, source=_ON_ITS_WAY, target=S.PENDING)
    def pend(self) -> None:
        """The provider has it and will tell later."""

    @transition(field=state, source=_ON_ITS_WAY, target=S.ACTION_REQUIRED)
    def require_action(self) -> None:
        """Somebody must act at the provider first."""

    @transition(field=state, source=_ON_ITS_WAY, target=S.UNKNOWN)
    def lose_sight(self) -> None:
        """It may or may not have happened; its sum stays reserved."""

    @transition(field=state, source=_ON_ITS_WAY, target=S.SUCCEEDED)
    def succeed(self) -> None:
        """The money went back."""

    @transition(field=state, source=_ON_ITS_WAY, target=S.FAILED)
    def fail(self, *, code: str, message: str) -> None:
        """Nothing went back; the sum is free again."""
        self.failure_code = code[:80]
        self.failure_message = message[:300]

    @transition(field=state, source=[S.REQUESTED, S.APPROVED, *_ON_ITS_WAY], target=S.CANCELED)
    def cancel(self, *, code: str, message: str) -> None:
        """It provably never left and nobody wants it any more; the sum is free again."""
        self.failure_code = code[:80]
        self.failure_message = message[:300]

    @transition(field=state, source=S.SUCCEEDED, target=S.REVERSED)
    def reverse(self) -> None:
        """All of it came back."""

    @transition(field=state, source=[S.FAILED, S.CANCELED], target=S.SUCCEEDED)
    def accept_late_success(self) -> None:
        """Verified evidence says that the money went back after all."""
        self.failure_code = ""
        self.failure_message = ""
