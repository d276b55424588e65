"""The months of the books, and the triggers that keep a closed one as it is.

Two advisory locks of transactions, class 1818584167 ("ledg"): number 1 is held shared by whoever writes a transition of
an entry and exclusive by whoever closes a month, so that every posting either ends before the month closes or sees it
closed; number 2 lets one month move at a time, because the order of months is a rule about several rows.
"""

import django.contrib.postgres.indexes
import django.db.models.deletion
import django_fsm
from django.conf import settings
from django.db import migrations, models

from paymentops.core.append_only import append_only_operations

# The lock comes first and lasts until the transaction ends; the query then sees what was committed before it was
# granted, because a volatile function looks anew with each of its queries (READ COMMITTED).
CLOSED_UNTIL = """
CREATE FUNCTION ledger_books_closed_until() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1818584167, 1);
    RETURN coalesce(
        (SELECT (start_date + interval '1 month') AT TIME ZONE 'UTC' FROM ledger_period
          WHERE state <> 'OPEN' ORDER BY start_date DESC LIMIT 1),
        '-infinity'
    );
END $$;

CREATE FUNCTION ledger_effective_at(occurred_at timestamptz) RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN greatest(occurred_at, ledger_books_closed_until());
END $$;
"""
CLOSED_UNTIL_REVERSE = """
DROP FUNCTION ledger_effective_at(timestamptz);
DROP FUNCTION ledger_books_closed_until();
"""

OPEN_PERIODS_ONLY = """
CREATE FUNCTION ledger_entry_transition_open_period() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed_until timestamptz := ledger_books_closed_until();
    broken record;
BEGIN
    SELECT entry_id, effective_at INTO broken FROM added WHERE effective_at < closed_until LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry %: the books are closed until %, so nothing can take effect at %',
                broken.entry_id, closed_until, broken.effective_at
            USING ERRCODE = 'restrict_violation', TABLE = 'ledger_entry_transition',
                  CONSTRAINT = 'ledger_period_closed';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_entry_transition_open_period AFTER INSERT ON ledger_entry_transition
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_transition_open_period();
"""
OPEN_PERIODS_ONLY_REVERSE = """
DROP TRIGGER ledger_entry_transition_open_period ON ledger_entry_transition;
DROP FUNCTION ledger_entry_transition_open_period();
"""

# Months close in order and open again in reverse, so that there is one moment until which the books are closed.
IN_ORDER = """
CREATE FUNCTION ledger_period_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'OPEN' OR NEW.version <> 1 OR NEW.closings <> 0 THEN
        RAISE EXCEPTION 'the month % begins open, as version 1', NEW.start_date
            USING ERRCODE = 'check_violation', TABLE = 'ledger_period', CONSTRAINT = 'ledger_period_begins_open';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION ledger_period_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    other date;
BEGIN
    IF NEW.state = OLD.state OR NEW.version <> OLD.version + 1
       OR NEW.closings <> OLD.closings + (NEW.state = 'CLOSING')::int THEN
        RAISE EXCEPTION 'the month % changes with a move only, which counts its version on', OLD.start_date
            USING ERRCODE = 'check_violation', TABLE = 'ledger_period', CONSTRAINT = 'ledger_period_counted';
    END IF;
    PERFORM pg_advisory_xact_lock(1818584167, 2);
    SELECT start_date INTO other FROM ledger_period
     WHERE (start_date > NEW.start_date AND state <> 'OPEN')
        OR (start_date < NEW.start_date AND state <> 'CLOSED' AND NEW.state = 'CLOSING')
     ORDER BY start_date LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the month % cannot become %: the month % comes first', NEW.start_date, NEW.state, other
            USING ERRCODE = 'restrict_violation', TABLE = 'ledger_period', CONSTRAINT = 'ledger_period_order';
    END IF;
    IF NEW.state = 'CLOSING' THEN
        PERFORM pg_advisory_xact_lock(1818584167, 1);
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER ledger_period_new BEFORE INSERT ON ledger_period
    FOR EACH ROW EXECUTE FUNCTION ledger_period_new();
CREATE TRIGGER ledger_period_in_order BEFORE UPDATE ON ledger_period
    FOR EACH ROW EXECUTE FUNCTION ledger_period_in_order();
"""
IN_ORDER_REVERSE = """
DROP TRIGGER ledger_period_in_order ON ledger_period;
DROP TRIGGER ledger_period_new ON ledger_period;
DROP FUNCTION ledger_period_in_order();
DROP FUNCTION ledger_period_new();
"""

# A move has its transition and a transition its move; a month ends closed only with its balances stored.
MOVED = """
CREATE FUNCTION ledger_period_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_period_transition WHERE period_id = NEW.id AND sequence = NEW.version
                      AND from_state = OLD.state AND to_state = NEW.state) THEN
        RAISE EXCEPTION 'the month % moved from % to % without a transition', NEW.start_date, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', TABLE = 'ledger_period', CONSTRAINT = 'ledger_period_has_transition';
    END IF;
    IF NEW.state = 'CLOSED' AND NOT EXISTS (
        SELECT FROM ledger_period_snapshot WHERE period_id = NEW.id AND number = NEW.closings
    ) THEN
        RAISE EXCEPTION 'the month % is closed without its balances stored', NEW.start_date
            USING ERRCODE = 'check_violation', TABLE = 'ledger_period', CONSTRAINT = 'ledger_period_has_snapshot';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_period_transition_true() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_period
                    WHERE id = NEW.period_id AND version = NEW.sequence AND state = NEW.to_state) THEN
        RAISE EXCEPTION 'the month of transition % is not %', NEW.id, NEW.to_state
            USING ERRCODE = 'check_violation', TABLE = 'ledger_period_transition',
                  CONSTRAINT = 'ledger_period_transition_true';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER ledger_period_moved AFTER UPDATE ON ledger_period
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_period_moved();
CREATE TRIGGER ledger_period_transition_true AFTER INSERT ON ledger_period_transition
    FOR EACH ROW EXECUTE FUNCTION ledger_period_transition_true();
"""
MOVED_REVERSE = """
DROP TRIGGER ledger_period_transition_true ON ledger_period_transition;
DROP TRIGGER ledger_period_moved ON ledger_period;
DROP FUNCTION ledger_period_transition_true();
DROP FUNCTION ledger_period_moved();
"""

# What a closing stores is sealed by the row of the snapshot, which comes last and only while the month is closing.
STORED = """
CREATE FUNCTION ledger_period_snapshot_closing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_period
                    WHERE id = NEW.period_id AND state = 'CLOSING' AND closings = NEW.number) THEN
        RAISE EXCEPTION 'balances are stored for the closing under way only'
            USING ERRCODE = 'restrict_violation', TABLE = 'ledger_period_snapshot',
                  CONSTRAINT = 'ledger_period_snapshot_closing';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_period_stored_before_snapshot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_period_snapshot WHERE id IN (SELECT snapshot_id FROM added)) THEN
        RAISE EXCEPTION 'the snapshot is sealed: its rows come before it'
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME,
                  CONSTRAINT = 'ledger_period_snapshot_sealed';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_period_snapshot_closing AFTER INSERT ON ledger_period_snapshot
    FOR EACH ROW EXECUTE FUNCTION ledger_period_snapshot_closing();
CREATE TRIGGER ledger_period_balance_sealed AFTER INSERT ON ledger_period_balance
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_period_stored_before_snapshot();
CREATE TRIGGER ledger_period_total_sealed AFTER INSERT ON ledger_period_total
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_period_stored_before_snapshot();
"""
STORED_REVERSE = """
DROP TRIGGER ledger_period_total_sealed ON ledger_period_total;
DROP TRIGGER ledger_period_balance_sealed ON ledger_period_balance;
DROP TRIGGER ledger_period_snapshot_closing ON ledger_period_snapshot;
DROP FUNCTION ledger_period_stored_before_snapshot();
DROP FUNCTION ledger_period_snapshot_closing();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0003_balanced_and_sealed"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Period",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("start_date", models.DateField(unique=True)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("OPEN", "Open"), ("CLOSING", "Closing"), ("CLOSED", "Closed")],
                        default="OPEN",
                        max_length=7,
                        protected=True,
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("closings", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "ledger_period",
                "ordering": ["-start_date", "id"],
                "permissions": [
                    ("close_period", "Can close a month of the books"),
                    ("propose_reopening", "Can propose to open a closed month again"),
                    ("approve_reopening", "Can approve that a closed month is opened again"),
                ],
            },
            bases=(django_fsm.FSMModelMixin, models.Model),
        ),
        migrations.CreateModel(
            name="PeriodBalance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("posted", models.DecimalField(decimal_places=0, max_digits=38)),
                ("pending", models.DecimalField(decimal_places=0, max_digits=38)),
            ],
            options={
                "db_table": "ledger_period_balance",
            },
        ),
        migrations.CreateModel(
            name="PeriodSnapshot",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField(help_text="Which closing of the month, from 1.")),
                ("accounts", models.PositiveIntegerField()),
                (
                    "last_transition",
                    models.BigIntegerField(help_text="No later transition of an entry takes effect in the month."),
                ),
                ("hash", models.BinaryField(max_length=32)),
                ("closed_at", models.DateTimeField()),
                ("closed_by", models.CharField(max_length=150)),
            ],
            options={
                "db_table": "ledger_period_snapshot",
                "ordering": ["period_id", "number"],
            },
        ),
        migrations.CreateModel(
            name="PeriodTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("currency", models.CharField(max_length=3)),
                ("accounts", models.PositiveIntegerField()),
                ("debits", models.DecimalField(decimal_places=0, max_digits=38)),
                ("credits", models.DecimalField(decimal_places=0, max_digits=38)),
                ("pending_debits", models.DecimalField(decimal_places=0, max_digits=38)),
                ("pending_credits", models.DecimalField(decimal_places=0, max_digits=38)),
            ],
            options={
                "db_table": "ledger_period_total",
                "ordering": ["snapshot_id", "currency"],
            },
        ),
        migrations.CreateModel(
            name="PeriodTransition",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("sequence", models.PositiveIntegerField()),
                ("from_state", models.CharField(max_length=7)),
                ("to_state", models.CharField(max_length=7)),
                ("cause", models.CharField(max_length=160)),
                ("actor", models.CharField(max_length=150)),
                ("reason", models.TextField(blank=True)),
                ("recorded_at", models.DateTimeField()),
                ("trace_id", models.CharField(blank=True, max_length=32)),
            ],
            options={
                "db_table": "ledger_period_transition",
                "ordering": ["period_id", "sequence"],
            },
        ),
        migrations.AddIndex(
            model_name="entrytransition",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["effective_at"], name="ledger_transition_effective"
            ),
        ),
        migrations.AddConstraint(
            model_name="period",
            constraint=models.CheckConstraint(
                condition=models.Q(("start_date__day", 1)), name="ledger_period_first_of_month"
            ),
        ),
        migrations.AddConstraint(
            model_name="period",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["OPEN", "CLOSING", "CLOSED"])), name="ledger_period_known_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="period",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "OPEN"), ("closings__gte", 1), _connector="OR"),
                name="ledger_period_closings_counted",
            ),
        ),
        migrations.AddField(
            model_name="periodbalance",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="period_balances",
                to="ledger.account",
            ),
        ),
        migrations.AddField(
            model_name="periodsnapshot",
            name="period",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="snapshots",
                to="ledger.period",
            ),
        ),
        migrations.AddField(
            model_name="periodbalance",
            name="snapshot",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="balances",
                to="ledger.periodsnapshot",
            ),
        ),
        migrations.AddField(
            model_name="periodtotal",
            name="snapshot",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="totals",
                to="ledger.periodsnapshot",
            ),
        ),
        migrations.AddField(
            model_name="periodtransition",
            name="approved_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="periodtransition",
            name="period",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="transitions",
                to="ledger.period",
            ),
        ),
        migrations.AddField(
            model_name="periodtransition",
            name="proposed_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="periodsnapshot",
            constraint=models.UniqueConstraint(fields=("period", "number"), name="ledger_period_snapshot_once"),
        ),
        migrations.AddConstraint(
            model_name="periodsnapshot",
            constraint=models.CheckConstraint(
                condition=models.Q(("number__gte", 1)), name="ledger_period_snapshot_from_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="periodbalance",
            constraint=models.UniqueConstraint(fields=("snapshot", "account"), name="ledger_period_balance_once"),
        ),
        migrations.AddConstraint(
            model_name="periodtotal",
            constraint=models.UniqueConstraint(fields=("snapshot", "currency"), name="ledger_period_total_once"),
        ),
        migrations.AddConstraint(
            model_name="periodtotal",
            constraint=models.CheckConstraint(
                condition=models.Q(("debits", models.F("credits")), ("pending_debits", models.F("pending_credits"))),
                name="ledger_period_total_balanced",
            ),
        ),
        migrations.AddConstraint(
            model_name="periodtransition",
            constraint=models.UniqueConstraint(
                fields=("period", "sequence"), name="ledger_period_transition_sequence_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="periodtransition",
            constraint=models.UniqueConstraint(fields=("period", "cause"), name="ledger_period_transition_cause_once"),
        ),
        migrations.AddConstraint(
            model_name="periodtransition",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("from_state", "OPEN"), ("to_state", "CLOSING")),
                    models.Q(("from_state", "CLOSING"), ("to_state", "CLOSED")),
                    models.Q(("from_state", "CLOSED"), ("to_state", "OPEN")),
                    _connector="OR",
                ),
                name="ledger_period_transition_along_fsm",
            ),
        ),
        migrations.AddConstraint(
            model_name="periodtransition",
            constraint=models.CheckConstraint(
                condition=models.Q(("cause", ""), _negated=True), name="ledger_period_transition_has_cause"
            ),
        ),
        migrations.AddConstraint(
            model_name="periodtransition",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("to_state", "OPEN"), _negated=True),
                    models.Q(
                        ("approved_by__isnull", False),
                        ("proposed_by__isnull", False),
                        models.Q(("proposed_by", models.F("approved_by")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="ledger_period_reopened_by_two",
            ),
        ),
        migrations.AddConstraint(
            model_name="periodtransition",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("to_state", "OPEN"), _negated=True),
                    models.Q(("reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="ledger_period_reopened_for_reason",
            ),
        ),
        *append_only_operations("ledger_period", allow_update_of=("state", "version", "closings")),
        *append_only_operations("ledger_period_transition"),
        *append_only_operations("ledger_period_snapshot"),
        *append_only_operations("ledger_period_balance"),
        *append_only_operations("ledger_period_total"),
        migrations.RunSQL(CLOSED_UNTIL, CLOSED_UNTIL_REVERSE),
        migrations.RunSQL(OPEN_PERIODS_ONLY, OPEN_PERIODS_ONLY_REVERSE),
        migrations.RunSQL(IN_ORDER, IN_ORDER_REVERSE),
        migrations.RunSQL(MOVED, MOVED_REVERSE),
        migrations.RunSQL(STORED, STORED_REVERSE),
    ]
