"""The reading of a statement file: where it stands, who is at it, and what it found."""

from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition

from paymentops.core import ids
from reconciliation.models.files import StatementFile
from reconciliation.states import FINISHED, RunState

S = RunState


class IngestRunQuerySet(models.QuerySet["IngestRun"]):
    """Named filters."""

    def due(self, now: datetime) -> Self:
        """Keep those that a worker should take: new, failed and waited long enough, or left behind by a dead worker."""
        return self.filter(
            Q(state__in=[S.RECEIVED, S.FAILED], next_attempt_at__lte=now) | Q(state=S.PARSING, lease_until__lte=now)
        )

    def to_clean(self) -> Self:
        """Keep the refused ones whose rows still lie about."""
        return self.filter(state=S.REFUSED, cleaned_at=None)


class IngestRun(FSMModelMixin, models.Model):
    """One reading of a file, resumed as often as it takes.

    ``format``, ``options`` and ``zone`` are those of the source when the run began, so that a resumed run reads as it
    began. ``rows`` counts lines and rejects that are committed: reading goes on after them. ``fence`` grows with every
    claim; a worker that lost its lease writes nothing more. ``attempts`` counts claims since the last progress.
    """

    id = models.UUIDField(primary_key=True)
    file = models.ForeignKey(StatementFile, on_delete=models.PROTECT, related_name="runs", db_index=False)
    number = models.PositiveIntegerField(default=1)
    state = FSMField(max_length=10, default=S.RECEIVED, choices=S.choices, protected=True)
    version = models.PositiveIntegerField(default=1)
    format = models.CharField(max_length=20)
    options = models.JSONField(default=dict)
    zone = models.CharField(max_length=60)
    rows = models.PositiveBigIntegerField(default=0)
    lines = models.PositiveBigIntegerField(default=0)
    rejects = models.PositiveBigIntegerField(default=0)
    bytes_read = models.PositiveBigIntegerField(default=0)
    reason = models.TextField(blank=True)
    reason_line = models.PositiveBigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=120, blank=True)
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    cleaned_at = models.DateTimeField(null=True, blank=True)

    objects = IngestRunQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["file", "number"], name="ingest_run_numbered_once"),
            # A file that was read is never read a second time beside it.
            models.UniqueConstraint(fields=["file"], name="ingest_run_one_at_a_time", condition=~Q(state=S.REFUSED)),
            models.CheckConstraint(condition=Q(rows=F("lines") + F("rejects")), name="ingest_run_counts_add_up"),
            models.CheckConstraint(
                condition=Q(state__in=FINISHED, finished_at__isnull=False)
                | Q(~Q(state__in=FINISHED), finished_at__isnull=True),
                name="ingest_run_finished_has_moment",
            ),
            models.CheckConstraint(
                condition=Q(~Q(state=S.PARSING), lease_until__isnull=True)
                | Q(state=S.PARSING, lease_until__isnull=False),
                name="ingest_run_parsing_is_leased",
            ),
            models.CheckConstraint(condition=Q(state__in=S.values), name="ingest_run_state_known"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_attempt_at"], name="ingest_run_waiting", condition=Q(state__in=[S.RECEIVED, S.FAILED])
            ),
            models.Index(fields=["lease_until"], name="ingest_run_leased", condition=Q(state=S.PARSING)),
            models.Index(
                fields=["id"], name="ingest_run_to_clean", condition=Q(state=S.REFUSED, cleaned_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``ing_…``."""
        return ids.public(ids.Prefix.INGEST_RUN, self.id)

    @transition(field=state, source=[S.RECEIVED, S.FAILED, S.PARSING], target=S.PARSING)
    def start(self, *, worker: str, lease_until: datetime) -> None:
        """A worker takes it; whoever had it before is fenced off."""
        self.worker, self.lease_until = worker, lease_until
        self.fence += 1
        self.attempts += 1
        self.next_attempt_at, self.reason, self.reason_line = None, "", 0

    @transition(field=state, source=S.PARSING, target=S.PARSED)
    def complete(self, *, now: datetime) -> None:
        """The whole file was read and its totals hold."""
        self._end()
        self.finished_at = now

    @transition(field=state, source=S.PARSING, target=S.REFUSED)
    def refuse(self, *, reason: str, line_number: int, now: datetime) -> None:
        """The file as a whole cannot be trusted; its rows count for nothing from now on."""
        self._end()
        self.reason, self.reason_line, self.finished_at = reason, line_number, now

    @transition(field=state, source=S.PARSING, target=S.FAILED)
    def fail(self, *, reason: str, next_attempt_at: datetime | None) -> None:
        """Something beside the file went wrong; without a next attempt a person has to resume it."""
        self._end()
        self.reason, self.next_attempt_at = reason, next_attempt_at

    @transition(field=state, source=S.FAILED, target=S.RECEIVED)
    def resume(self, *, now: datetime) -> None:
        """A person wants it tried again."""
        self.attempts, self.next_attempt_at = 0, now

    def _end(self) -> None:
        self.worker, self.lease_until = "", None


class IngestTransition(models.Model):
    """One move of a run. Append-only. ``sequence`` is the run's version after it."""

    id = models.UUIDField(primary_key=True)
    run = models.ForeignKey(IngestRun, on_delete=models.PROTECT, related_name="transitions", db_index=False)
    sequence = models.PositiveIntegerField()
    from_state = models.CharField(max_length=10, blank=True)
    to_state = models.CharField(max_length=10)
    cause = models.CharField(max_length=160)
    reason = models.TextField(blank=True)
    at = models.DateTimeField()
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering: ClassVar = ["run", "sequence"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "cause"], name="ingest_run_moves_once_per_cause"),
            models.UniqueConstraint(fields=["run", "sequence"], name="ingest_run_moves_once_per_version"),
        ]

    def __str__(self) -> str:
        return f"{self.from_state or '-'} -> {self.to_state}"
