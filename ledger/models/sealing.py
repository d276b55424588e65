"""What is made of transitions in the background: the chain that seals them, and the balances folded from them.

The chain is written once and only grows. Movements, snapshots and folded balances are a projection: they can be
recomputed from transitions and lines at any time, and verification does so.
"""

from django.db import models
from django.db.models import Q

from ledger.models.entries import Account, EntryTransition, TransactionIdField


class ChainLink(models.Model):
    """The seal of one transition: its digest, and the hash that binds it to the link before.

    ``hash`` is SHA-256 over the hash of link ``seq - 1`` (32 zero bytes before the first), ``seq`` as eight bytes, most
    significant first, and ``digest``. The order is that of sealing, not that of the transitions' ids.
    """

    seq = models.BigIntegerField(primary_key=True)
    transition = models.OneToOneField(EntryTransition, on_delete=models.PROTECT, related_name="link")
    digest = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField()

    class Meta:
        db_table = "ledger_chain_link"
        ordering = ["seq"]
        constraints = [models.CheckConstraint(condition=Q(seq__gte=1), name="ledger_chain_link_from_one")]

    def __str__(self) -> str:
        return f"link {self.seq}"


class ChainHead(models.Model):
    """The single row that a sealer locks: the last link, and below which transition nothing can still appear.

    Every transition up to ``low_id`` is sealed and every transaction that could bring another one has ended.
    ``watch_id`` is the next candidate for it: once all transactions before ``watch_xid`` have ended, no transition up
    to ``watch_id`` can appear any more. See ``chain.Watch``.
    """

    id = models.SmallIntegerField(primary_key=True)
    seq = models.BigIntegerField(default=0)
    hash = models.BinaryField(max_length=32)
    low_id = models.BigIntegerField(default=0)
    watch_id = models.BigIntegerField(default=0)
    watch_xid = TransactionIdField(null=True)
    moved_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "ledger_chain_head"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="ledger_chain_head_single")]

    def __str__(self) -> str:
        return f"head at link {self.seq}"


class ChainRoot(models.Model):
    """The chain's last link when a day (UTC) was first looked at; it leaves the database as an event and as a file."""

    date = models.DateField(primary_key=True)
    seq = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)
    made_at = models.DateTimeField()
    exported_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "ledger_chain_root"
        ordering = ["date"]

    def __str__(self) -> str:
        return f"root of {self.date}"


class Movement(models.Model):
    """What one line of one sealed transition did to the balances of its account, in minor units.

    ``posted`` is signed, debit positive. Pending debits and credits grow by what an entry holds and shrink by what it
    lets go. The order of an account's movements is (``effective_at``, ``transition``, ``number``).
    ``lateness`` groups them by how long after they took effect they were recorded; the function ``ledger_lateness`` of
    migration 0006 says how.
    """

    pk = models.CompositePrimaryKey("transition_id", "number")
    transition = models.ForeignKey(
        EntryTransition, on_delete=models.PROTECT, related_name="movements", db_constraint=False, db_index=False
    )
    number = models.PositiveSmallIntegerField()
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="movements", db_constraint=False, db_index=False
    )
    effective_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    lateness = models.SmallIntegerField()
    posted = models.BigIntegerField()
    pending_debits = models.BigIntegerField()
    pending_credits = models.BigIntegerField()

    class Meta:
        db_table = "ledger_movement"
        indexes = [
            models.Index(
                fields=["account", "effective_at", "transition", "number"],
                include=["posted", "pending_debits", "pending_credits", "recorded_at"],
                name="ledger_movement_order",
            ),
            # A statement lists posted lines only; holds that were voided must not slow it down.
            models.Index(
                fields=["account", "effective_at", "transition", "number"],
                include=["posted"],
                condition=~Q(posted=0),
                name="ledger_movement_posted",
            ),
            # What was known at an earlier moment differs by these only.
            models.Index(
                fields=["account", "lateness", "effective_at"],
                include=["recorded_at", "posted", "pending_debits", "pending_credits"],
                condition=~Q(lateness=0),
                name="ledger_movement_unpunctual",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.posted} posted on account {self.account_id}"


class BalanceSnapshot(models.Model):
    """An account's balance after one of its movements and all before it; ``movements`` counts them.

    A movement that is folded later and comes earlier in the order is added to every snapshot behind it.
    """

    pk = models.CompositePrimaryKey("account_id", "effective_at", "transition_id", "number")
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="snapshots", db_constraint=False, db_index=False
    )
    effective_at = models.DateTimeField()
    transition = models.ForeignKey(
        EntryTransition, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    number = models.PositiveSmallIntegerField()
    posted = models.DecimalField(max_digits=38, decimal_places=0)
    pending_debits = models.DecimalField(max_digits=38, decimal_places=0)
    pending_credits = models.DecimalField(max_digits=38, decimal_places=0)
    movements = models.BigIntegerField()

    class Meta:
        db_table = "ledger_balance_snapshot"

    def __str__(self) -> str:
        return f"{self.posted} posted on account {self.account_id}"


class FoldedBalance(models.Model):
    """The sum of all movements of an account, and whether stored balances of it can be believed.

    While ``drifted_at`` is set, reads compute from the lines; ``operations.rebuild_balances`` clears it. ``drifts``
    counts how often that happened.
    """

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True, related_name="folded")
    posted = models.DecimalField(max_digits=38, decimal_places=0)
    pending_debits = models.DecimalField(max_digits=38, decimal_places=0)
    pending_credits = models.DecimalField(max_digits=38, decimal_places=0)
    movements = models.BigIntegerField()
    checked_at = models.DateTimeField(null=True)
    drifted_at = models.DateTimeField(null=True)
    drifts = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "ledger_folded_balance"

    def __str__(self) -> str:
        return f"{self.posted} posted on account {self.account_id}"
