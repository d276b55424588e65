"""The dispute: a payer's bank asks for money back, and the provider says how it goes on."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from paymentops.casework.models import Subject
from paymentops.core import ids
from paymentops.core.money import Money
from paymentops.payments.disputes import MOVES
from paymentops.payments.models.moving import Versioned
from paymentops.payments.models.payment import Payment
from paymentops.payments.models.transitions import Transition
from paymentops.payments.states import (
    ANSWERABLE_DISPUTE_STATES,
    OPEN_DISPUTE_STATES,
    DisputeStage,
    DisputeState,
    EvidenceState,
    ReasonClass,
)

S = DisputeState


def _before(after: DisputeState) -> list[DisputeState]:
    return [before for before, following in MOVES.items() if after in following]


class DisputeQuerySet(models.QuerySet["Dispute"]):
    """Named filters over disputes."""

    def open(self) -> Self:
        """Keep disputes that can still move money."""
        return self.filter(state__in=OPEN_DISPUTE_STATES)

    def awaiting_evidence(self) -> Self:
        """Keep disputes that take evidence and have none."""
        return self.filter(
            state__in=ANSWERABLE_DISPUTE_STATES, evidence=EvidenceState.NONE, evidence_due_at__isnull=False
        )

    def unlinked(self) -> Self:
        """Keep disputes about a charge that we do not know."""
        return self.filter(payment__isnull=True)


class Dispute(Versioned):
    """One dispute of one charge. What a provider proves is never refused, so no rule bounds its amounts from above.

    ``amount`` is what is disputed in the dispute's own currency; ``withheld`` or ``lost`` is what of it is in the books
    now, and ``counted`` the same in the payment's currency. ``excess`` is the most that it ever went beyond what the
    payment had left. ``told_at`` is when the news happened that the state follows.
    """

    id = models.UUIDField(primary_key=True)
    payment = models.ForeignKey(Payment, null=True, blank=True, on_delete=models.PROTECT, related_name="disputes")
    provider = models.CharField(max_length=40)
    provider_reference = models.CharField(max_length=120)
    charge_reference = models.CharField(max_length=120, blank=True)
    our_reference = models.CharField(max_length=120, blank=True)
    state = FSMField(default=S.INQUIRY, choices=S.choices, protected=True, db_index=False, max_length=20)
    stage = models.CharField(max_length=20, choices=DisputeStage.choices)
    method = models.CharField(max_length=20, blank=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    withheld = models.BigIntegerField(default=0)
    lost = models.BigIntegerField(default=0)
    loss_entry = models.UUIDField(null=True, blank=True)
    counted = models.BigIntegerField(default=0)
    excess = models.BigIntegerField(default=0)
    fee = models.BigIntegerField(default=0)
    fee_currency = models.CharField(max_length=3, blank=True)
    reason_code = models.CharField(max_length=80, blank=True)
    reason_class = models.CharField(max_length=24, choices=ReasonClass.choices, default=ReasonClass.OTHER)
    evidence = models.CharField(max_length=10, choices=EvidenceState.choices, default=EvidenceState.NONE)
    evidence_due_at = models.DateTimeField(null=True, blank=True)
    warned_for = models.DateTimeField(null=True, blank=True)
    missed_for = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField()
    told_at = models.DateTimeField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = DisputeQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["evidence_due_at", "id"],
                name="dispute_by_evidence_due",
                condition=Q(state__in=[*ANSWERABLE_DISPUTE_STATES], evidence="NONE", evidence_due_at__isnull=False),
            ),
            models.Index(fields=["state", "-id"], name="dispute_by_state"),
            models.Index(fields=["id"], name="dispute_unlinked", condition=Q(payment__isnull=True)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "provider_reference"], name="dispute_once_per_provider"),
            models.CheckConstraint(
                condition=Q(amount__gte=0, withheld__gte=0, lost__gte=0, counted__gte=0, excess__gte=0, fee__gte=0),
                name="dispute_amounts_not_negative",
            ),
            models.CheckConstraint(condition=Q(withheld=0) | Q(lost=0), name="dispute_withheld_or_lost"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``dsp_…``."""
        return ids.public(ids.Prefix.DISPUTE, self.id)

    @property
    def subject(self) -> Subject:
        """What people own, comment on and attach files to."""
        return Subject("dispute", self.public_id)

    @property
    def money(self) -> Money:
        """What is disputed."""
        return Money(self.amount, self.currency)

    @property
    def is_open(self) -> bool:
        """Whether it can still move money."""
        return self.state in OPEN_DISPUTE_STATES

    @property
    def takes_evidence(self) -> bool:
        """Whether the provider takes evidence now."""
        return self.state in ANSWERABLE_DISPUTE_STATES

    def move(self, state: DisputeState) -> None:
        """Make the one move that leads to a state.

        Raises:
            TransitionNotAllowed: the table of moves has none from the present state.
        """
        _MOVES[state](self)

    @transition(field=state, source=_before(S.INQUIRY_CLOSED), target=S.INQUIRY_CLOSED)
    def close_inquiry(self) -> None:
        """The payer's bank asked and has its answer."""

    @transition(field=state, source=_before(S.OPEN), target=S.OPEN)
    def open(self) -> None:
        """The provider takes the money until it is decided."""

    @transition(field=state, source=_before(S.UNDER_REVIEW), target=S.UNDER_REVIEW)
    def review(self) -> None:
        """The payer's bank looks at our evidence."""

    @transition(field=state, source=_before(S.ACCEPTED), target=S.ACCEPTED)
    def accept(self) -> None:
        """We do not contest it."""

    @transition(field=state, source=_before(S.WON_PROVISIONAL), target=S.WON_PROVISIONAL)
    def win_for_now(self) -> None:
        """The money came back and may be asked for once more."""

    @transition(field=state, source=_before(S.WON), target=S.WON)
    def win(self) -> None:
        """The money came back for good."""

    @transition(field=state, source=_before(S.LOST), target=S.LOST)
    def lose(self) -> None:
        """The money is gone, unless it goes on to arbitration."""

    @transition(field=state, source=_before(S.WITHDRAWN), target=S.WITHDRAWN)
    def withdraw(self) -> None:
        """The payer or their bank no longer disputes."""

    @transition(field=state, source=_before(S.PRE_ARBITRATION), target=S.PRE_ARBITRATION)
    def go_to_pre_arbitration(self) -> None:
        """One side does not take the decision."""

    @transition(field=state, source=_before(S.ARBITRATION), target=S.ARBITRATION)
    def go_to_arbitration(self) -> None:
        """The scheme decides."""


_MOVES = {
    S.INQUIRY_CLOSED: Dispute.close_inquiry,
    S.OPEN: Dispute.open,
    S.UNDER_REVIEW: Dispute.review,
    S.ACCEPTED: Dispute.accept,
    S.WON_PROVISIONAL: Dispute.win_for_now,
    S.WON: Dispute.win,
    S.LOST: Dispute.lose,
    S.WITHDRAWN: Dispute.withdraw,
    S.PRE_ARBITRATION: Dispute.go_to_pre_arbitration,
    S.ARBITRATION: Dispute.go_to_arbitration,
}


class DisputeTransition(Transition):
    """A move of a dispute. Steps that a provider did not tell of carry the cause of the news that implies them."""

    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="transitions", db_index=False)

    class Meta(Transition.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dispute", "cause"], name="dispute_moves_once_per_cause"),
        ]


class DisputeNotice(models.Model):
    """What one notification told about a dispute, whether or not its state followed. Append-only.

    Empty means that it did not tell; ``state`` is also empty for a word of the provider that nobody has documented.
    """

    id = models.UUIDField(primary_key=True)
    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="notices", db_index=False)
    event_id = models.CharField(max_length=120)
    kind = models.CharField(max_length=80)
    state = models.CharField(max_length=20, choices=S.choices, blank=True)
    stage = models.CharField(max_length=20, choices=DisputeStage.choices, blank=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    fee = models.BigIntegerField(null=True, blank=True)
    fee_currency = models.CharField(max_length=3, blank=True)
    reason_code = models.CharField(max_length=80, blank=True)
    reason_class = models.CharField(max_length=24, choices=ReasonClass.choices, blank=True)
    evidence_due_at = models.DateTimeField(null=True, blank=True)
    evidence = models.CharField(max_length=10, choices=EvidenceState.choices, blank=True)
    applied = models.BooleanField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dispute", "event_id"], name="dispute_notice_counts_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.state or 'not told'}"
