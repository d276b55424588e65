"""The proposal: what one person asks for and another decides on."""

from datetime import datetime
from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition

from paymentops.access.models import ActorKind, User
from paymentops.casework.models.subject import AboutSubject
from paymentops.core import ids


class ProposalState(models.TextChoices):
    """Where a proposal stands."""

    PROPOSED = "PROPOSED", "proposed"
    APPROVED = "APPROVED", "approved"
    CARRIED_OUT = "CARRIED_OUT", "carried out"
    REFUSED = "REFUSED", "refused"
    REJECTED = "REJECTED", "rejected"
    WITHDRAWN = "WITHDRAWN", "withdrawn"
    STALE = "STALE", "stale"


S = ProposalState
OPEN: Final = (S.PROPOSED, S.APPROVED)
# Whoever decided differs from whoever proposed; a withdrawn or stale proposal was decided by nobody.
DECIDED: Final = (S.APPROVED, S.CARRIED_OUT, S.REFUSED, S.REJECTED)


class ProposalQuerySet(models.QuerySet["Proposal"]):
    """Named filters."""

    def undecided(self) -> Self:
        """Keep those that wait for a second person."""
        return self.filter(state=S.PROPOSED)

    def about(self, subject_type: str, subject_id: str) -> Self:
        """Keep those about one thing."""
        return self.filter(subject_type=subject_type, subject_id=subject_id)


class Proposal(FSMModelMixin, AboutSubject):
    """Something that happens only if a second person agrees, while the facts are what the first person saw.

    ``payload`` says what would be done, ``snapshot`` which facts it was proposed on; both are JSON in RFC 8785 form
    under their SHA-256. Of a row only the state, the version and the decision ever change. ``proposed_by`` is empty
    where a service or the system proposed; ``proposer`` names it then.
    """

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=60)
    payload = models.JSONField()
    payload_hash = models.CharField(max_length=64)
    snapshot = models.JSONField()
    snapshot_hash = models.CharField(max_length=64)
    reason = models.TextField()
    state = FSMField(default=S.PROPOSED, choices=S.choices, protected=True, db_index=False, max_length=12)
    version = models.PositiveIntegerField(default=1)
    proposer_kind = models.CharField(max_length=8, choices=ActorKind.choices)
    proposer = models.CharField(max_length=150)
    proposed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    outcome = models.TextField(blank=True, help_text="What was made, or why it was refused or went stale.")

    objects = ProposalQuerySet.as_manager()

    class Meta(AboutSubject.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "subject_type", "subject_id"],
                condition=Q(state__in=OPEN),
                name="proposal_one_open_per_subject",
            ),
            models.CheckConstraint(condition=Q(state__in=S.values), name="proposal_known_state"),
            models.CheckConstraint(condition=~Q(reason=""), name="proposal_has_reason"),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | Q(proposed_by__isnull=True) | ~Q(decided_by=F("proposed_by")),
                name="proposal_decided_by_another",
            ),
            models.CheckConstraint(
                condition=Q(state__in=DECIDED, decided_by__isnull=False, decided_at__isnull=False)
                | Q(~Q(state__in=DECIDED), decided_by__isnull=True, decided_at__isnull=True),
                name="proposal_decided_has_its_person",
            ),
            # A person who proposes is named by key, so that the rule above can compare.
            models.CheckConstraint(
                condition=Q(proposer_kind=ActorKind.PERSON, proposed_by__isnull=False)
                | Q(~Q(proposer_kind=ActorKind.PERSON), proposed_by__isnull=True),
                name="proposal_person_is_named",
            ),
            models.CheckConstraint(
                condition=Q(payload_hash__regex="^[0-9a-f]{64}$", snapshot_hash__regex="^[0-9a-f]{64}$"),
                name="proposal_hashes_are_sha256",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["kind", "id"], name="proposal_undecided", condition=Q(state=S.PROPOSED)),
            models.Index(fields=["subject_type", "subject_id", "id"], name="proposal_by_subject"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``prp_…``."""
        return ids.public(ids.Prefix.PROPOSAL, self.id)

    @transition(field=state, source=S.PROPOSED, target=S.APPROVED)
    def approve(self, *, by: User, at: datetime) -> None:
        """A second person agrees."""
        self.decided_by, self.decided_at = by, at

    @transition(field=state, source=S.PROPOSED, target=S.REJECTED)
    def reject(self, *, by: User, at: datetime) -> None:
        """A second person does not agree."""
        self.decided_by, self.decided_at = by, at

    @transition(field=state, source=S.PROPOSED, target=S.WITHDRAWN)
    def withdraw(self) -> None:
        """Who proposed it no longer wants it."""

    @transition(field=state, source=S.PROPOSED, target=S.STALE)
    def go_stale(self, *, why: str) -> None:
        """The facts are no longer what it was proposed on."""
        self.outcome = why

    @transition(field=state, source=S.APPROVED, target=S.CARRIED_OUT)
    def carry_out(self, *, made: str) -> None:
        """It was done, in the transaction of the approval."""
        self.outcome = made

    @transition(field=state, source=S.APPROVED, target=S.REFUSED)
    def refuse(self, *, why: str) -> None:
        """It was agreed and could not be done; nothing of it happened."""
        self.outcome = why


class ProposalTransition(models.Model):
    """One move of a proposal; ``sequence`` is its version after it. Append-only."""

    id = models.UUIDField(primary_key=True)
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="transitions", db_index=False)
    sequence = models.PositiveIntegerField()
    from_state = models.CharField(max_length=12, blank=True)
    to_state = models.CharField(max_length=12)
    cause = models.CharField(max_length=160)
    actor = models.CharField(max_length=150)
    note = models.TextField(blank=True)
    recorded_at = models.DateTimeField()
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering: ClassVar = ["proposal", "sequence", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["proposal", "sequence"], name="proposal_moves_once_per_version"),
            models.UniqueConstraint(fields=["proposal", "cause"], name="proposal_moves_once_per_cause"),
        ]

    def __str__(self) -> str:
        return f"{self.from_state or '-'} -> {self.to_state}"
