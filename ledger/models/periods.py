"""The months of the books: whether they are open, how that changed, and what stood in them when they were closed.

A month without a row is open. What may happen to these rows is enforced by the constraints below and by the triggers of
migration ``0004``: a month moves only with its transition, closing waits for postings under way, a closed month takes
no entry's transition, and what was stored at a closing never changes.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition

from ledger.models.entries import Account


class PeriodState(models.TextChoices):
    """Where a month stands. CLOSING takes no entries already; its balances are being stored."""

    OPEN = "OPEN"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"


class Period(FSMModelMixin, models.Model):
    """One calendar month in UTC. ``version`` grows with every move, ``closings`` with every closing begun."""

    id = models.UUIDField(primary_key=True)
    start_date = models.DateField(unique=True)
    state = FSMField(max_length=7, choices=PeriodState.choices, default=PeriodState.OPEN, protected=True)
    version = models.PositiveIntegerField(default=1)
    closings = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "ledger_period"
        ordering = ["-start_date", "id"]
        permissions: ClassVar = [
            ("close_period", "Can close a month of the books"),
            ("propose_reopening", "Can propose to open a closed month again"),
            ("approve_reopening", "Can approve that a closed month is opened again"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(start_date__day=1), name="ledger_period_first_of_month"),
            models.CheckConstraint(condition=Q(state__in=PeriodState.values), name="ledger_period_known_state"),
            models.CheckConstraint(
                condition=Q(state=PeriodState.OPEN) | Q(closings__gte=1), name="ledger_period_closings_counted"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.start_date:%Y-%m}"

    @transition(field=state, source=PeriodState.OPEN, target=PeriodState.CLOSING)
    def begin_closing(self) -> None:
        """Take no more entries; the next step stores the balances."""
        self.closings += 1
        self.version += 1

    @transition(field=state, source=PeriodState.CLOSING, target=PeriodState.CLOSED)
    def finish_closing(self) -> None:
        """Stand closed; the balances are stored."""
        self.version += 1

    @transition(field=state, source=PeriodState.CLOSED, target=PeriodState.OPEN)
    def reopen(self) -> None:
        """Take entries again; what was stored at the closing stays."""
        self.version += 1


class PeriodTransition(models.Model):
    """One move of a month, for ever. ``sequence`` is the month's version after it.

    Reopening names two people, who are not the same, and a reason.
    """

    id = models.UUIDField(primary_key=True)
    period = models.ForeignKey(Period, on_delete=models.PROTECT, related_name="transitions", db_index=False)
    sequence = models.PositiveIntegerField()
    from_state = models.CharField(max_length=7)
    to_state = models.CharField(max_length=7)
    cause = models.CharField(max_length=160)
    actor = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    recorded_at = models.DateTimeField()
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        db_table = "ledger_period_transition"
        ordering = ["period_id", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["period", "sequence"], name="ledger_period_transition_sequence_once"),
            models.UniqueConstraint(fields=["period", "cause"], name="ledger_period_transition_cause_once"),
            # The state machine as the database knows it; a trigger ties ``Period.state`` to these rows.
            models.CheckConstraint(
                condition=Q(from_state=PeriodState.OPEN, to_state=PeriodState.CLOSING)
                | Q(from_state=PeriodState.CLOSING, to_state=PeriodState.CLOSED)
                | Q(from_state=PeriodState.CLOSED, to_state=PeriodState.OPEN),
                name="ledger_period_transition_along_fsm",
            ),
            models.CheckConstraint(condition=~Q(cause=""), name="ledger_period_transition_has_cause"),
            # Of a NULL a comparison is unknown, which a constraint lets pass: both must be said to be there.
            models.CheckConstraint(
                condition=~Q(to_state=PeriodState.OPEN)
                | (Q(proposed_by__isnull=False, approved_by__isnull=False) & ~Q(proposed_by=F("approved_by"))),
                name="ledger_period_reopened_by_two",
            ),
            models.CheckConstraint(
                condition=~Q(to_state=PeriodState.OPEN) | ~Q(reason=""), name="ledger_period_reopened_for_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_state} to {self.to_state}"


class PeriodSnapshot(models.Model):
    """What one closing of a month stored. ``hash`` is SHA-256 over the text described in ``ledger.period_sql``."""

    id = models.UUIDField(primary_key=True)
    period = models.ForeignKey(Period, on_delete=models.PROTECT, related_name="snapshots", db_index=False)
    number = models.PositiveIntegerField(help_text="Which closing of the month, from 1.")
    accounts = models.PositiveIntegerField()
    last_transition = models.BigIntegerField(help_text="No later transition of an entry takes effect in the month.")
    hash = models.BinaryField(max_length=32)
    closed_at = models.DateTimeField()
    closed_by = models.CharField(max_length=150)

    class Meta:
        db_table = "ledger_period_snapshot"
        ordering = ["period_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["period", "number"], name="ledger_period_snapshot_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="ledger_period_snapshot_from_one"),
        ]

    def __str__(self) -> str:
        return f"closing {self.number}"


class PeriodBalance(models.Model):
    """The balance of one account at the end of a closed month, in minor units, debit positive.

    Accounts that hold nothing and did not move in the month have no row.
    """

    snapshot = models.ForeignKey(PeriodSnapshot, on_delete=models.PROTECT, related_name="balances", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="period_balances", db_index=False)
    # Sums of 64-bit amounts can leave 64 bits.
    posted = models.DecimalField(max_digits=38, decimal_places=0)
    pending = models.DecimalField(max_digits=38, decimal_places=0)

    class Meta:
        db_table = "ledger_period_balance"
        constraints = [models.UniqueConstraint(fields=["snapshot", "account"], name="ledger_period_balance_once")]

    def __str__(self) -> str:
        return f"{self.posted} posted, {self.pending} pending on account {self.account_id}"


class PeriodTotal(models.Model):
    """The trial balance of one currency at the end of a closed month; debits and credits are positive and equal."""

    snapshot = models.ForeignKey(PeriodSnapshot, on_delete=models.PROTECT, related_name="totals", db_index=False)
    currency = models.CharField(max_length=3)
    accounts = models.PositiveIntegerField()
    debits = models.DecimalField(max_digits=38, decimal_places=0)
    credits = models.DecimalField(max_digits=38, decimal_places=0)
    pending_debits = models.DecimalField(max_digits=38, decimal_places=0)
    pending_credits = models.DecimalField(max_digits=38, decimal_places=0)

    class Meta:
        db_table = "ledger_period_total"
        ordering = ["snapshot_id", "currency"]
        constraints = [
            models.UniqueConstraint(fields=["snapshot", "currency"], name="ledger_period_total_once"),
            models.CheckConstraint(
                condition=Q(debits=F("credits"), pending_debits=F("pending_credits")),
                name="ledger_period_total_balanced",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency}: {self.debits}"
