"""A source: one account at a provider or bank that reports to us, and how its reports are to be read and judged."""

from datetime import time
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from paymentops.access.models import Team
from reconciliation.calendar import SettlementCalendar


class SourceKind(models.TextChoices):
    """Who reports."""

    PROVIDER = "PROVIDER", "provider account"
    BANK = "BANK", "bank account"


def monday_to_friday() -> list[int]:
    """Return the business days of most sources; Monday is 0."""
    return [0, 1, 2, 3, 4]


class Source(models.Model):
    """One reporting account.

    ``account`` is the account part of the ledger's codes (``sandbox`` of ``1110:sandbox``). ``options`` is what the
    format takes beside the zone (``formats.options.Options``). Days and times are read in ``zone``. Targets: the part
    of items matched, in basis points, within so many business days, and the same for value.
    """

    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    kind = models.CharField(max_length=8, choices=SourceKind.choices)
    account = models.CharField(max_length=80)
    format = models.CharField(max_length=20)
    options = models.JSONField(default=dict, blank=True)
    zone = models.CharField(max_length=60, default="UTC")
    currencies = ArrayField(models.CharField(max_length=3))
    settlement_days = models.PositiveSmallIntegerField(default=2)
    file_days = models.PositiveSmallIntegerField(default=1)
    cut_off = models.TimeField(default=time(0, 0))
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=monday_to_friday)
    holidays = ArrayField(models.DateField(), default=list, blank=True)
    owner = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    items_target_bp = models.PositiveSmallIntegerField(default=9500)
    items_target_days = models.PositiveSmallIntegerField(default=1)
    value_target_bp = models.PositiveSmallIntegerField(default=9950)
    value_target_days = models.PositiveSmallIntegerField(default=3)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(name__regex="^[a-z0-9][a-z0-9_-]*$"), name="source_name_is_slug"),
            models.CheckConstraint(condition=~Q(currencies=[]), name="source_has_currencies"),
            models.CheckConstraint(
                condition=~Q(weekdays=[]) & Q(weekdays__contained_by=[0, 1, 2, 3, 4, 5, 6]),
                name="source_has_business_days",
            ),
            models.CheckConstraint(
                condition=Q(settlement_days__lte=60, file_days__lte=60), name="source_days_within_sixty"
            ),
            models.CheckConstraint(
                condition=Q(items_target_bp__lte=10_000, value_target_bp__lte=10_000), name="source_targets_are_parts"
            ),
            models.CheckConstraint(condition=Q(kind__in=SourceKind.values), name="source_kind_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def calendar(self) -> SettlementCalendar:
        """Its settlement calendar."""
        return SettlementCalendar(
            zone=ZoneInfo(self.zone),
            settlement_days=self.settlement_days,
            file_days=self.file_days,
            cut_off=self.cut_off,
            weekdays=frozenset(self.weekdays),
            holidays=frozenset(self.holidays),
        )


class ToleranceKind(models.TextChoices):
    """What may differ. Principal never may."""

    FEE = "FEE", "fee"
    FX = "FX", "foreign exchange"


class ToleranceRule(models.Model):
    """How far a fee or an exchange may be off from a date on: the larger of the two. Append-only; the last one counts.

    ``absolute_minor`` is in minor units of the line's currency, ``basis_points`` of its gross amount.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="tolerances", db_index=False)
    kind = models.CharField(max_length=3, choices=ToleranceKind.choices)
    valid_from = models.DateField()
    absolute_minor = models.PositiveBigIntegerField()
    basis_points = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["source", "kind", "valid_from"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "kind", "valid_from"], name="tolerance_once_per_date"),
            models.CheckConstraint(condition=Q(basis_points__lte=10_000), name="tolerance_is_a_part"),
            models.CheckConstraint(condition=Q(kind__in=ToleranceKind.values), name="tolerance_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} from {self.valid_from}: {self.absolute_minor} or {self.basis_points} bp"
