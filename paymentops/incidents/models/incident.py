"""The incident: one trouble, one team, one owner at a time."""

from datetime import datetime
from typing import ClassVar, Final, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition

from paymentops.access.models import User
from paymentops.casework.models import Ownership, Subject
from paymentops.core import ids
from paymentops.incidents.states import FINISHED, UNFINISHED, WORKED_ON, Severity, State

SUBJECT_TYPE: Final = "incident"
S = State


class IncidentQuerySet(models.QuerySet["Incident"]):
    """Named filters."""

    def unfinished(self) -> Self:
        """Keep those that what fires again is folded into."""
        return self.filter(state__in=UNFINISHED)

    def worked_on(self) -> Self:
        """Keep those that somebody has to work on."""
        return self.filter(state__in=WORKED_ON)

    def owned_by(self, user: User) -> Self:
        """Keep those that this person answers for, or was asked to take over."""
        return self.filter(Q(ownership__owner=user) | Q(ownership__offered_to=user))

    def of_teams_of(self, user: User) -> Self:
        """Keep those of this person's teams."""
        return self.filter(ownership__team__in=user.teams.filter(is_active=True))

    def unowned(self) -> Self:
        """Keep those that nobody answers for."""
        return self.filter(ownership__owner=None)

    def acknowledgement_expired(self, now: datetime) -> Self:
        """Keep those that were acknowledged too long ago without anything following."""
        return self.filter(state=S.ACKNOWLEDGED, expires_at__lte=now)

    def suppression_expired(self, now: datetime) -> Self:
        """Keep those that were suppressed until now."""
        return self.filter(state=S.SUPPRESSED, expires_at__lte=now)


class Incident(FSMModelMixin, models.Model):
    """One trouble, however often it fires.

    ``version`` grows with every move, never with a signal: people compare and set it. ``expires_at`` is when an
    acknowledgement or a suppression ends by itself. ``open_since`` is when it was opened, or opened again, last.
    """

    id = models.UUIDField(primary_key=True)
    fingerprint = models.CharField(max_length=64)
    rule = models.CharField(max_length=60)
    title = models.CharField(max_length=200)
    severity = models.CharField(max_length=4, choices=Severity.choices)
    provider = models.CharField(max_length=40, blank=True)
    method = models.CharField(max_length=40, blank=True)
    operation = models.CharField(max_length=40, blank=True)
    failure_class = models.CharField(max_length=60, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    state = FSMField(default=S.OPEN, choices=S.choices, protected=True, db_index=False, max_length=12)
    version = models.PositiveIntegerField(default=1)
    ownership = models.OneToOneField(Ownership, null=True, on_delete=models.PROTECT, related_name="+")
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged", db_index=False
    )
    signals = models.PositiveIntegerField(default=0)
    escalations = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField()
    open_since = models.DateTimeField()
    last_fired_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("work_incident", "Can acknowledge, take, hand over and resolve incidents")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["fingerprint"], condition=~Q(state__in=FINISHED), name="incident_one_unfinished_per_fingerprint"
            ),
            models.CheckConstraint(condition=Q(state__in=S.values), name="incident_known_state"),
            models.CheckConstraint(condition=Q(severity__in=Severity.values), name="incident_known_severity"),
            models.CheckConstraint(condition=Q(fingerprint__regex="^[0-9a-f]{64}$"), name="incident_print_is_sha256"),
            models.CheckConstraint(
                condition=Q(state=S.MERGED, merged_into__isnull=False)
                | Q(~Q(state=S.MERGED), merged_into__isnull=True),
                name="incident_merged_into_one",
            ),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=F("id")), name="incident_not_merged_into_itself"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[S.ACKNOWLEDGED, S.SUPPRESSED], expires_at__isnull=False)
                | Q(~Q(state__in=[S.ACKNOWLEDGED, S.SUPPRESSED]), expires_at__isnull=True),
                name="incident_expires_while_waiting",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["severity", "-id"], name="incident_unfinished", condition=~Q(state__in=FINISHED)),
            models.Index(fields=["expires_at"], name="incident_to_expire", condition=Q(expires_at__isnull=False)),
            models.Index(
                fields=["merged_into"], name="incident_by_merged_into", condition=Q(merged_into__isnull=False)
            ),
            models.Index(fields=["fingerprint", "-id"], name="incident_by_fingerprint"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``inc_…``."""
        return ids.public(ids.Prefix.INCIDENT, self.id)

    @property
    def subject(self) -> Subject:
        """What owners, comments and files are attached to."""
        return Subject(SUBJECT_TYPE, self.public_id)

    @classmethod
    def lock(cls, pk: UUID) -> "Incident":
        """Read the incident under its lock, inside the caller's transaction."""
        return cls.objects.select_for_update(of=("self",)).select_related("ownership").get(pk=pk)

    # --- moves ------------------------------------------------------------------------------------------------

    @transition(field=state, source=S.OPEN, target=S.ACKNOWLEDGED)
    def acknowledge(self, *, until: datetime) -> None:
        """Somebody has seen it and works on it; unless more follows, that counts until a moment."""
        self.expires_at = until

    @transition(field=state, source=S.ACKNOWLEDGED, target=S.OPEN)
    def let_acknowledgement_expire(self, *, at: datetime) -> None:
        """It was acknowledged and nothing followed."""
        self.expires_at, self.open_since = None, at

    @transition(field=state, source=[S.ACKNOWLEDGED, S.MONITORING], target=S.MITIGATING)
    def mitigate(self) -> None:
        """The harm is being limited, or has come back while it was watched."""
        self.expires_at = None

    @transition(field=state, source=S.MITIGATING, target=S.MONITORING)
    def monitor(self) -> None:
        """The harm has stopped; whether it stays so is watched."""

    @transition(field=state, source=S.MONITORING, target=S.RESOLVED)
    def resolve(self) -> None:
        """It is over and every affected payment is settled."""

    @transition(field=state, source=S.RESOLVED, target=S.CLOSED)
    def close(self) -> None:
        """Nothing is left to do; what fires now is another incident."""

    @transition(field=state, source=[S.RESOLVED, S.SUPPRESSED], target=S.OPEN)
    def reopen(self, *, at: datetime) -> None:
        """It fired again before it was closed, or its suppression is over."""
        self.expires_at, self.open_since = None, at

    @transition(field=state, source=list(WORKED_ON), target=S.SUPPRESSED)
    def suppress(self, *, until: datetime) -> None:
        """It is known and nobody need act on it until a moment; what fires is still counted."""
        self.expires_at = until

    @transition(field=state, source=list(UNFINISHED), target=S.MERGED)
    def merge(self, *, into: "Incident") -> None:
        """It is the same trouble as another; that one goes on."""
        self.expires_at, self.merged_into = None, into
