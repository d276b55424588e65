"""What stands in a statement file: its statements, their lines, the rows that cannot be read, and the totals.

All rows are written by ``ingest_sql`` and never changed. Those of a refused run can be deleted, and nothing else.
``file`` and ``source`` stand beside ``run`` for the unique key and the indexes of matching; only ``run`` is held by a
foreign key in the database, because each one costs a look-up per row; ``verification`` compares the others.
"""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q

from paymentops.core.money import Money
from reconciliation.formats.line_types import LineType
from reconciliation.models.files import StatementFile
from reconciliation.models.runs import IngestRun
from reconciliation.models.sources import Source
from reconciliation.states import RunState


def _beside(model: type[models.Model]) -> "models.ForeignKey[Any, Any]":
    return models.ForeignKey(model, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)


class Statement(models.Model):
    """The beginning of one statement of a file; see ``formats.contract.StatementHeader``."""

    run = models.ForeignKey(IngestRun, on_delete=models.PROTECT, related_name="statements", db_index=False)
    statement_id = models.TextField()
    line_number = models.PositiveBigIntegerField()
    account = models.TextField(blank=True)
    currency = models.CharField(max_length=3, blank=True)
    format_version = models.TextField(blank=True)
    reference = models.TextField(blank=True)
    sequence = models.TextField(blank=True)
    page = models.BigIntegerField(null=True, blank=True)
    last_page = models.BooleanField(null=True, blank=True)
    created_at = models.DateTimeField(null=True, blank=True)
    from_date = models.DateField(null=True, blank=True)
    to_date = models.DateField(null=True, blank=True)
    opening_minor = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["run", "line_number", "id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "statement_id"], name="statement_once_per_run")]

    def __str__(self) -> str:
        return self.statement_id


class StatementTotal(models.Model):
    """The control totals of one statement in one currency; see ``formats.contract.ControlTotals``."""

    run = models.ForeignKey(IngestRun, on_delete=models.PROTECT, related_name="totals", db_index=False)
    statement_id = models.TextField()
    currency = models.CharField(max_length=3, blank=True)
    line_number = models.PositiveBigIntegerField()
    lines = models.PositiveBigIntegerField()
    rejects = models.PositiveBigIntegerField()
    credit_minor = models.DecimalField()
    debit_minor = models.DecimalField()
    opening_minor = models.DecimalField(null=True, blank=True)
    closing_minor = models.DecimalField(null=True, blank=True)
    checked = models.JSONField(default=list)
    unproven = models.JSONField(default=list)
    unexplained_minor = models.DecimalField(default=0)

    class Meta:
        ordering: ClassVar = ["run", "line_number", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "statement_id", "currency"], name="statement_total_once_per_run")
        ]

    def __str__(self) -> str:
        return f"{self.statement_id} {self.currency}"


class RejectedRow(models.Model):
    """A row that cannot be read: where it stands, why, and what is written there."""

    run = models.ForeignKey(IngestRun, on_delete=models.PROTECT, related_name="rejected_rows", db_index=False)
    position = models.PositiveBigIntegerField()
    line_number = models.PositiveBigIntegerField()
    statement_id = models.TextField(blank=True)
    reason = models.TextField()
    excerpt = models.TextField(blank=True)
    amount_minor = models.BigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)

    class Meta:
        ordering: ClassVar = ["run", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "position"], name="rejected_row_once_per_run"),
            models.CheckConstraint(condition=~Q(reason=""), name="rejected_row_has_reason"),
        ]

    def __str__(self) -> str:
        return f"line {self.line_number}: {self.reason}"


class StatementLineQuerySet(models.QuerySet["StatementLine"]):
    """Named filters."""

    def visible(self) -> Self:
        """Keep lines that count: of a file that was read to its end and that no newer version supersedes."""
        return self.filter(run__state=RunState.PARSED, run__file__superseded_by=None)


class StatementLine(models.Model):
    """One movement; see ``formats.contract.StatementLine`` for each field, its sign and its unit.

    ``position`` is the row in the file. ``business_date`` is the day it counts for: booking date, else value date,
    else the day of ``moved_at`` in the source's zone.
    """

    source = _beside(Source)
    file = _beside(StatementFile)
    run = models.ForeignKey(IngestRun, on_delete=models.PROTECT, related_name="statement_lines", db_index=False)
    position = models.BigIntegerField()
    line_number = models.BigIntegerField()
    statement_id = models.TextField()
    type = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in LineType])
    currency = models.CharField(max_length=3)
    gross_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField()
    net_minor = models.BigIntegerField()
    booked = models.BooleanField()
    reversal = models.BooleanField()
    moved_at = models.DateTimeField(null=True, blank=True)
    booking_date = models.DateField(null=True, blank=True)
    value_date = models.DateField(null=True, blank=True)
    business_date = models.DateField(null=True, blank=True)
    provider_reference = models.TextField(blank=True)
    related_reference = models.TextField(blank=True)
    our_reference = models.TextField(blank=True)
    batch_id = models.TextField(blank=True)
    account = models.TextField(blank=True)
    original_minor = models.BigIntegerField(null=True, blank=True)
    original_currency = models.CharField(max_length=3, blank=True)
    exchange_rate = models.DecimalField(null=True, blank=True)
    fee_parts = models.JSONField(default=list)
    amounts = models.JSONField(default=list)
    other_references = models.JSONField(default=list)
    method = models.TextField(blank=True)
    provider_type = models.TextField(blank=True)
    description = models.TextField(blank=True)

    objects = StatementLineQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["file", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["file", "position"], name="statement_line_once_per_file"),
            models.CheckConstraint(
                condition=Q(net_minor=models.F("gross_minor") - models.F("fee_minor")), name="statement_line_net_agrees"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["source", "provider_reference"],
                name="statement_line_by_provider_ref",
                condition=~Q(provider_reference=""),
            ),
            models.Index(
                fields=["source", "our_reference"], name="statement_line_by_our_ref", condition=~Q(our_reference="")
            ),
            models.Index(fields=["source", "gross_minor", "currency", "value_date"], name="statement_line_by_amount"),
            models.Index(fields=["source", "batch_id"], name="statement_line_by_batch", condition=~Q(batch_id="")),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.gross_minor} {self.currency}"

    @property
    def gross(self) -> Money:
        """What moved before fees."""
        return Money(self.gross_minor, self.currency)

    @property
    def fee(self) -> Money:
        """What it cost us."""
        return Money(self.fee_minor, self.currency)

    @property
    def net(self) -> Money:
        """What reached the balance."""
        return Money(self.net_minor, self.currency)
