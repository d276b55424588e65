"""Accounts, entries, lines and the transitions of entries.

What a row may look like is enforced by the constraints below and by the triggers of the migrations ``0002`` (written
once) and ``0003`` (balanced, sealed, on the right side).
"""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, Q
from django_fsm import FSMField, FSMModelMixin, transition

from ledger.chart import Kind, Side

LARGEST_AMOUNT = 2**63 - 1


class State(models.TextChoices):
    """Where an entry stands. PENDING counts as pending; POSTED and REVERSED as posted; VOIDED as nothing."""

    PENDING = "PENDING"
    POSTED = "POSTED"
    VOIDED = "VOIDED"
    REVERSED = "REVERSED"


class CurrentTransaction(Func):
    """The id of the present top-level transaction, ``pg_current_xact_id()``."""

    function = "pg_current_xact_id"
    arity = 0


class TransactionIdField(models.Field):  # type: ignore[type-arg] # generic for the type checker only
    """A column of PostgreSQL's 64-bit transaction id type, read as decimal digits."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:  # noqa: ARG002 - Django passes it
        """Return the type's name in PostgreSQL."""
        return "xid8"


class Account(models.Model):
    """One account of the chart in one currency, made on first use. The balance is never stored here."""

    code = models.CharField(max_length=120)
    currency = models.CharField(max_length=3)
    name = models.CharField(max_length=140)
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in Kind])
    normal_side = models.CharField(max_length=6, choices=[(side.value, side.value) for side in Side])
    guarded = models.BooleanField(help_text="The database refuses a balance on the wrong side.")
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "ledger_account"
        ordering = ["code", "currency"]
        permissions = [("close_account", "Can close an account and open it again")]
        # Every posting looks for closed accounts; there are few.
        indexes = [models.Index(fields=["id"], condition=Q(closed_at__isnull=False), name="ledger_account_closed")]
        constraints = [
            models.UniqueConstraint(fields=["code", "currency"], name="ledger_account_once"),
            # What the composite foreign key of a line refers to.
            models.UniqueConstraint(fields=["id", "currency"], name="ledger_account_currency"),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="ledger_account_currency_code"),
            models.CheckConstraint(
                condition=Q(guarded=False) | ~Q(normal_side=Side.NONE), name="ledger_account_guarded_has_side"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.currency}"


class GuardedBalance(models.Model):
    """The posted balance of an account that must never stand on the wrong side; kept by triggers under its lock.

    ``side`` is 1 for a debit account and -1 for a credit account, so that one constraint serves both.
    """

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True, related_name="guarded_balance")
    side = models.SmallIntegerField()
    balance = models.DecimalField(max_digits=38, decimal_places=0)

    class Meta:
        db_table = "ledger_guarded_balance"
        constraints = [
            models.CheckConstraint(condition=Q(side__in=[1, -1]), name="ledger_guarded_balance_side"),
            models.CheckConstraint(
                condition=Q(side=1, balance__gte=0) | Q(side=-1, balance__lte=0),
                name="ledger_guarded_balance_right_side",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.balance} on account {self.account_id}"


class Entry(FSMModelMixin, models.Model):
    """One balanced set of lines for one business event. Of an entry only ``state`` ever changes.

    ``source_*`` names the business event and is unique. ``xact_id`` is the transaction that wrote the header: lines
    from any other transaction are refused. Transaction ids do not survive a logical restore, so ``line_count`` and
    ``lines_digest`` (see ``postings.lines_digest``) prove the same for ever.
    """

    id = models.UUIDField(primary_key=True)
    state = FSMField(max_length=8, choices=State.choices, protected=True)
    source_type = models.CharField(max_length=32)
    source_id = models.UUIDField()
    source_kind = models.CharField(max_length=48)
    source_sequence = models.PositiveIntegerField(default=0)
    description = models.CharField(max_length=255, blank=True)
    reverses = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversals", db_index=False
    )
    line_count = models.PositiveIntegerField()
    lines_digest = models.BinaryField(max_length=32)
    xact_id = TransactionIdField(db_default=CurrentTransaction(), editable=False)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        db_table = "ledger_entry"
        ordering = ["-id"]
        verbose_name_plural = "entries"
        permissions = [
            ("propose_journal", "Can propose manual journals and reversals"),
            ("approve_journal", "Can approve manual journals and reversals"),
        ]
        constraints = [
            # Also the index by which the entries of a payment are found.
            models.UniqueConstraint(
                fields=["source_type", "source_id", "source_kind", "source_sequence"], name="ledger_entry_source_once"
            ),
            models.UniqueConstraint(
                fields=["reverses"], condition=Q(reverses__isnull=False), name="ledger_entry_reversed_once"
            ),
            models.CheckConstraint(condition=Q(state__in=State.values), name="ledger_entry_known_state"),
            models.CheckConstraint(condition=Q(line_count__gte=2), name="ledger_entry_two_lines"),
            models.CheckConstraint(condition=~Q(reverses=F("id")), name="ledger_entry_not_its_own_reversal"),
        ]

    def __str__(self) -> str:
        return f"ent_{self.id.hex}"

    @transition(field=state, source=State.PENDING, target=State.POSTED)
    def settle(self) -> None:
        """Let the lines count as posted."""

    @transition(field=state, source=State.PENDING, target=State.VOIDED)
    def void(self) -> None:
        """Let the lines count as nothing."""

    @transition(field=state, source=State.POSTED, target=State.REVERSED)
    def reverse(self) -> None:
        """Note that another entry takes this one back; both stay posted."""


class Line(models.Model):
    """One signed amount on one account, in minor units, debit positive."""

    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="lines", db_index=False)
    number = models.PositiveSmallIntegerField()
    # The database's foreign key covers (account, currency); migration 0002 adds it.
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="lines", db_constraint=False, db_index=False
    )
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    method = models.CharField(max_length=32, blank=True)

    class Meta:
        db_table = "ledger_line"
        ordering = ["entry_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["entry", "number"], name="ledger_line_number_once"),
            # The smallest bigint has no opposite, so it could not be reversed.
            models.CheckConstraint(
                condition=~Q(amount=0) & Q(amount__gte=-LARGEST_AMOUNT), name="ledger_line_amount_reversible"
            ),
            models.CheckConstraint(condition=Q(method__regex="^[a-z0-9_]*$"), name="ledger_line_method_word"),
        ]
        indexes = [models.Index(fields=["account", "entry"], name="ledger_line_statement")]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} on account {self.account_id}"


class EntryTransition(models.Model):
    """One change of an entry's state, for ever: when it counts, when it happened, when we knew, and why."""

    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="transitions", db_index=False)
    from_state = models.CharField(max_length=8, blank=True)
    to_state = models.CharField(max_length=8)
    cause = models.CharField(max_length=200)
    effective_at = models.DateTimeField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    actor = models.CharField(max_length=120)
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        db_table = "ledger_entry_transition"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["entry", "cause"], name="ledger_entry_transition_cause_once"),
            # No state of an entry is ever entered twice.
            models.UniqueConstraint(fields=["entry", "to_state"], name="ledger_entry_transition_state_once"),
            # The state machine as the database knows it; migration 0003 ties ``Entry.state`` to these rows.
            models.CheckConstraint(
                condition=Q(from_state="", to_state__in=[State.PENDING, State.POSTED])
                | Q(from_state=State.PENDING, to_state__in=[State.POSTED, State.VOIDED])
                | Q(from_state=State.POSTED, to_state=State.REVERSED),
                name="ledger_entry_transition_along_fsm",
            ),
            models.CheckConstraint(condition=~Q(cause=""), name="ledger_entry_transition_has_cause"),
        ]
        # What took effect in a month, found without a scan and at no cost per row: rows come almost in this order.
        indexes = [BrinIndex(fields=["effective_at"], autosummarize=True, name="ledger_transition_effective")]

    def __str__(self) -> str:
        return f"{self.from_state or 'new'} to {self.to_state}"
