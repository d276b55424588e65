"""The attempt: one operation at one provider under one provider key. A resend is a new dispatch of the same attempt."""

from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, transition

from paymentops.core import ids
from paymentops.core.money import Money
from paymentops.payments.models.moving import Versioned
from paymentops.payments.models.payment import Payment
from paymentops.payments.models.refund import Refund
from paymentops.payments.models.requests import Capture
from paymentops.payments.states import NEGATIVE_ATTEMPT_STATES, OPEN_ATTEMPT_STATES, AttemptState
from paymentops.providers.contract import Operation

S = AttemptState
_OPERATIONS = [(operation.value, operation.value) for operation in Operation]
_WAITING = [S.UNKNOWN, S.PENDING, S.ACTION_REQUIRED]


class AttemptQuerySet(models.QuerySet["Attempt"]):
    """Named filters over attempts."""

    def open(self) -> Self:
        """Keep attempts whose end is not known yet."""
        return self.filter(state__in=OPEN_ATTEMPT_STATES)

    def due(self, now: datetime) -> Self:
        """Keep attempts for which something is to be done at ``now``: send, ask, or take over from a dead worker."""
        return self.filter(next_action_at__lte=now)


class Attempt(Versioned):
    """One operation at one provider.

    ``next_action_at`` is the queue: the moment from which any worker may take the attempt on. Taking it moves that
    moment to the end of the worker's lease and raises ``fence``; only the holder of the present fence may send.
    ``schedule`` keeps the inputs from which ``next_action_at`` was computed. ``number`` counts the attempts of one
    authorisation; ``decision`` keeps why a further one was made, and never changes. ``scheme`` and ``instrument``, a
    digest, are known once the provider told the scheme. ``reversed`` is how much of what it moved was taken back.
    """

    id = models.UUIDField(primary_key=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="attempts")
    capture = models.ForeignKey(
        Capture, null=True, blank=True, on_delete=models.PROTECT, related_name="attempts", db_index=False
    )
    refund = models.ForeignKey(
        Refund, null=True, blank=True, on_delete=models.PROTECT, related_name="attempts", db_index=False
    )
    operation = models.CharField(max_length=10, choices=_OPERATIONS)
    state = FSMField(default=S.PREPARED, choices=S.choices, protected=True, db_index=False, max_length=20)
    provider = models.CharField(max_length=40)
    provider_key = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    reversed = models.BigIntegerField(default=0, db_default=0)
    fence = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    next_action_at = models.DateTimeField(null=True, blank=True)
    schedule = models.JSONField(default=dict)
    number = models.PositiveSmallIntegerField(default=1, db_default=1)
    decision = models.JSONField(default=dict, db_default={})
    scheme = models.CharField(max_length=20, blank=True, db_default="")
    instrument = models.CharField(max_length=64, blank=True, db_default="")
    dispatches = models.PositiveSmallIntegerField(default=0)
    inquiries = models.PositiveSmallIntegerField(default=0)
    completions = models.PositiveSmallIntegerField(default=0, db_default=0)
    withdrawals = models.PositiveSmallIntegerField(default=0, db_default=0)
    first_dispatched_at = models.DateTimeField(null=True, blank=True)
    last_dispatched_at = models.DateTimeField(null=True, blank=True)
    was_unknown = models.BooleanField(default=False)
    unknown_since = models.DateTimeField(null=True, blank=True)
    not_found_at = models.DateTimeField(null=True, blank=True)
    # How many alarms were raised about it: 1 for its age, 2 for having passed the settlement cut-off.
    alarms = models.PositiveSmallIntegerField(default=0, db_default=0)
    provider_reference = models.CharField(max_length=120, blank=True)
    result_code = models.CharField(max_length=80, blank=True)
    result_class = models.CharField(max_length=20, blank=True)
    result_message = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()

    objects = AttemptQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        permissions: ClassVar = [
            ("ask_provider", "Can ask a provider at once what became of an attempt"),
            ("propose_outcome", "Can propose what became of an attempt"),
            ("approve_outcome", "Can approve what became of an attempt"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["first_dispatched_at", "id"],
                name="attempt_in_doubt",
                condition=Q(state__in=["DISPATCHED", "UNKNOWN", "PENDING", "ACTION_REQUIRED"]),
            ),
            models.Index(fields=["next_action_at"], name="attempt_due", condition=Q(next_action_at__isnull=False)),
            models.Index(
                fields=["provider_reference"], name="attempt_by_provider_ref", condition=~Q(provider_reference="")
            ),
            models.Index(
                fields=["instrument", "created_at"], name="attempt_by_instrument", condition=~Q(instrument="")
            ),
            models.Index(fields=["provider", "id"], name="attempt_tried_again", condition=Q(number__gt=1)),
            models.Index(fields=["capture"], name="attempt_by_capture", condition=Q(capture__isnull=False)),
            models.Index(fields=["refund"], name="attempt_by_refund", condition=Q(refund__isnull=False)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["payment"],
                name="attempt_one_open_per_payment",
                condition=Q(state__in=[*OPEN_ATTEMPT_STATES], operation__in=["AUTHORIZE", "CAPTURE", "VOID"]),
            ),
            models.UniqueConstraint(
                fields=["refund"],
                name="attempt_one_open_per_refund",
                condition=Q(state__in=[*OPEN_ATTEMPT_STATES], operation="REFUND"),
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="attempt_amount_positive"),
            models.CheckConstraint(
                condition=Q(reversed__gte=0, reversed__lte=F("amount")), name="attempt_reversed_within_amount"
            ),
            models.CheckConstraint(
                condition=Q(operation="REFUND", refund__isnull=False) | ~Q(operation="REFUND") & Q(refund__isnull=True),
                name="attempt_refund_matches_operation",
            ),
            models.CheckConstraint(
                condition=Q(operation="CAPTURE", capture__isnull=False)
                | ~Q(operation="CAPTURE") & Q(capture__isnull=True),
                name="attempt_capture_matches_operation",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``att_…``."""
        return ids.public(ids.Prefix.ATTEMPT, self.id)

    @property
    def money(self) -> Money:
        """What the provider is asked to authorise, capture, void or refund."""
        return Money(self.amount, self.currency)

    @property
    def is_open(self) -> bool:
        """Whether its end is not known yet."""
        return self.state in OPEN_ATTEMPT_STATES

    @property
    def has_failed(self) -> bool:
        """Whether it ended and moved no money, as far as is known."""
        return self.state in NEGATIVE_ATTEMPT_STATES

    @transition(field=state, source=[S.PREPARED, S.UNKNOWN], target=S.DISPATCHED)
    def dispatch(self, *, now: datetime) -> None:
        """It is about to be sent; from here on it may have happened."""
        self.dispatches += 1
        self.first_dispatched_at = self.first_dispatched_at or now
        self.last_dispatched_at = now

    @transition(field=state, source=S.DISPATCHED, target=S.PREPARED)
    def defer(self) -> None:
        """Proven not executed; the same key will be sent again later."""

    @transition(field=state, source=[S.DISPATCHED, *_WAITING], target=S.SUCCEEDED)
    def succeed(self, *, provider_reference: str) -> None:
        """The provider did it."""
        self._end(provider_reference)

    @transition(field=state, source=[S.DISPATCHED, *_WAITING], target=S.DECLINED)
    def decline(self, *, provider_reference: str) -> None:
        """The provider said no."""
        self._end(provider_reference)

    @transition(field=state, source=[S.DISPATCHED, *_WAITING], target=S.FAILED)
    def fail(self) -> None:
        """Proven not executed and not to be sent again."""
        self._end("")

    @transition(field=state, source=[S.DISPATCHED, S.UNKNOWN, S.ACTION_REQUIRED], target=S.PENDING)
    def pend(self, *, provider_reference: str) -> None:
        """The provider has it and will tell later."""
        self._wait(provider_reference)

    @transition(field=state, source=[S.DISPATCHED, S.UNKNOWN, S.PENDING], target=S.ACTION_REQUIRED)
    def require_action(self, *, provider_reference: str) -> None:
        """The payer must do something first."""
        self._wait(provider_reference)

    @transition(field=state, source=[S.DISPATCHED, S.PENDING, S.ACTION_REQUIRED], target=S.UNKNOWN)
    def lose_sight(self, *, now: datetime) -> None:
        """It may or may not have happened."""
        self.was_unknown = True
        self.unknown_since = now
        self.not_found_at = None

    @transition(field=state, source=_WAITING, target=S.EXPIRED)
    def expire(self) -> None:
        """The provider let it lapse."""
        self._end("")

    @transition(field=state, source=[S.PREPARED, *_WAITING], target=S.CANCELED)
    def cancel(self) -> None:
        """It was withdrawn before anything moved."""
        self._end("")

    @transition(field=state, source=[*NEGATIVE_ATTEMPT_STATES], target=S.SUCCEEDED)
    def accept_late_success(self, *, provider_reference: str) -> None:
        """Verified evidence says that it happened after all."""
        self._end(provider_reference)

    @transition(field=state, source=S.SUCCEEDED, target=S.REVERSED)
    def reverse(self) -> None:
        """The provider took back all that it moved."""

    def _wait(self, provider_reference: str) -> None:
        self.provider_reference = provider_reference or self.provider_reference
        self.unknown_since = None
        self.not_found_at = None

    def _end(self, provider_reference: str) -> None:
        self._wait(provider_reference)
        self.next_action_at = None
        self.lease_expires_at = None


class ProviderCall(models.Model):
    """One answered exchange about an attempt: what was asked, what came back and what we made of it. Append-only.

    What two people decided stands here too: it takes the place of an answer.

    An answer that came too late to count, or from a worker whose fence had passed, is kept with ``applied`` false.
    ``amount`` and ``captured`` are what an approval confirmed, in minor units of the attempt's currency.
    """

    class Kind(models.TextChoices):
        """What the exchange was."""

        DISPATCH = "DISPATCH", "sent"
        INQUIRY = "INQUIRY", "asked"
        COMPLETION = "COMPLETION", "handed in what the payer brought back"
        WITHDRAWAL = "WITHDRAWAL", "asked to take it back"
        NOTIFICATION = "NOTIFICATION", "told by the provider"
        DECISION = "DECISION", "decided by two people"

    id = models.UUIDField(primary_key=True)
    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="calls")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    number = models.PositiveIntegerField()
    fence = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    answered_at = models.DateTimeField()
    outcome = models.CharField(max_length=20)
    code = models.CharField(max_length=80, blank=True)
    message = models.CharField(max_length=300, blank=True)
    provider_reference = models.CharField(max_length=120, blank=True)
    amount = models.BigIntegerField(null=True, blank=True)
    captured = models.BigIntegerField(null=True, blank=True)
    applied = models.BooleanField()
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["attempt", "kind", "number"],
                name="call_is_answered_once",
                condition=~Q(kind="NOTIFICATION"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}: {self.outcome}"

    @property
    def latency_ms(self) -> int:
        """How long the answer took, in milliseconds."""
        return int((self.answered_at - self.started_at).total_seconds() * 1000)
