"""The circuit breaker: one per provider, operation and method, the same for all workers."""

from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import Count, F, Q
from django_fsm import FSMField, transition

from paymentops.payments.breaker import Effect, Key
from paymentops.payments.models.attempt import Attempt
from paymentops.payments.models.moving import Versioned
from paymentops.payments.models.transitions import Transition
from paymentops.payments.states import BreakerState
from paymentops.providers.contract import Operation

S = BreakerState


class BreakerQuerySet(models.QuerySet["Breaker"]):
    """Named filters over breakers."""

    def of(self, key: Key) -> Self:
        """Keep the breaker of a key."""
        return self.filter(provider=key.provider, operation=key.operation, method=key.method)

    def not_closed(self) -> Self:
        """Keep those that hold calls back."""
        return self.exclude(state=S.CLOSED)

    def to_half_open(self, now: datetime) -> Self:
        """Keep the open ones whose first probe may go; what people opened waits for people."""
        return self.filter(state=S.OPEN, by_hand=False, probes_from__lte=now)

    def without_room(self, now: datetime) -> Self:
        """Keep those that would hold a new call back at ``now``: open, or with all probes on their way."""
        on_their_way = Q(probes__round=F("round")) & (
            ~Q(probes__effect="") | Q(probes__effect="", probes__lease_expires_at__gt=now)
        )
        counted = self.not_closed().annotate(taken=Count("probes", filter=on_their_way))
        return counted.exclude(state=S.HALF_OPEN, taken__lt=F("permitted"))


class Breaker(Versioned):
    """Whether calls of one kind go to a provider. There is no row, and it counts as closed, until something failed.

    ``counted_from`` is since when calls count: closing forgets what opened it. ``evaluated_at`` is claimed by whoever
    counts, so that a storm of failures does not become a storm of counting. ``permitted`` probes go in the present
    ``round``. ``by_hand`` means that people hold it open.
    """

    id = models.UUIDField(primary_key=True)
    provider = models.CharField(max_length=40)
    operation = models.CharField(max_length=10, choices=[(one.value, one.value) for one in Operation])
    method = models.CharField(max_length=20)
    state = FSMField(default=S.CLOSED, choices=S.choices, protected=True, db_index=False, max_length=10)
    by_hand = models.BooleanField(default=False)
    counted_from = models.DateTimeField()
    evaluated_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    probes_from = models.DateTimeField(null=True, blank=True)
    round = models.PositiveIntegerField(default=0)
    permitted = models.PositiveSmallIntegerField(default=0)
    updated_at = models.DateTimeField()

    objects = BreakerQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["provider", "operation", "method", "id"]
        permissions: ClassVar = [
            ("propose_breaker", "Can propose to open or close a circuit breaker"),
            ("approve_breaker", "Can approve opening or closing a circuit breaker"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "operation", "method"], name="breaker_one_per_kind_of_call"),
            models.CheckConstraint(condition=Q(state__in=S.values), name="breaker_known_state"),
            models.CheckConstraint(
                condition=Q(state=S.HALF_OPEN, permitted__gt=0) | ~Q(state=S.HALF_OPEN) & Q(permitted=0),
                name="breaker_permits_probes_when_half_open",
            ),
            models.CheckConstraint(condition=Q(by_hand=False) | Q(state=S.OPEN), name="breaker_held_open_by_hand"),
        ]

    def __str__(self) -> str:
        return str(self.key)

    @property
    def key(self) -> Key:
        """What it guards."""
        return Key(self.provider, self.operation, self.method)

    @transition(field=state, source=[S.CLOSED, S.HALF_OPEN], target=S.OPEN)
    def open(self, *, probes_from: datetime, now: datetime) -> None:
        """Too much failed, or a probe did."""
        self.opened_at = self.opened_at or now
        self.probes_from = probes_from
        self.permitted = 0

    @transition(field=state, source=[S.CLOSED, S.OPEN, S.HALF_OPEN], target=S.OPEN)
    def open_by_hand(self, *, now: datetime) -> None:
        """Two people hold it open until two people close it."""
        self.opened_at = self.opened_at or now
        self.probes_from = None
        self.permitted = 0
        self.by_hand = True

    @transition(field=state, source=[S.OPEN, S.HALF_OPEN], target=S.HALF_OPEN)
    def let_through(self, *, permitted: int) -> None:
        """Let so many probes through, in a round of their own."""
        self.round += 1
        self.permitted = permitted
        self.probes_from = None

    @transition(field=state, source=[S.OPEN, S.HALF_OPEN], target=S.CLOSED)
    def close(self, *, now: datetime) -> None:
        """Calls go through again, and only those from now on count."""
        self.counted_from = now
        self.opened_at = None
        self.probes_from = None
        self.permitted = 0
        self.by_hand = False


class BreakerTransition(Transition):
    """A move of a breaker, with the figures that led to it. Append-only."""

    breaker = models.ForeignKey(Breaker, on_delete=models.PROTECT, related_name="transitions", db_index=False)
    figures = models.JSONField(default=dict)

    class Meta(Transition.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["breaker", "cause"], name="breaker_moves_once_per_cause"),
        ]


class BreakerProbe(models.Model):
    """One of the calls a half-open breaker lets through. A number of a round is one slot, whoever asks for it.

    A worker that dies with a probe frees it when its lease ends; another attempt takes the same slot over.
    """

    id = models.UUIDField(primary_key=True)
    breaker = models.ForeignKey(Breaker, on_delete=models.PROTECT, related_name="probes", db_index=False)
    round = models.PositiveIntegerField()
    number = models.PositiveSmallIntegerField()
    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="+", db_index=False)
    lease_expires_at = models.DateTimeField()
    effect = models.CharField(max_length=8, choices=[(one.value, one.value) for one in Effect], blank=True)
    taken_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["breaker", "round", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["breaker", "round", "number"], name="probe_slot_is_taken_once"),
            models.CheckConstraint(condition=Q(number__gt=0), name="probe_slot_has_a_number"),
            models.CheckConstraint(
                condition=Q(effect="", ended_at__isnull=True) | ~Q(effect="") & Q(ended_at__isnull=False),
                name="probe_ends_with_an_effect",
            ),
        ]

    def __str__(self) -> str:
        return f"probe {self.number} of round {self.round}"
