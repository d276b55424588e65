import django.db.models.deletion
import django_fsm
from django.db import migrations, models

import ledger.chart
import ledger.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=120)),
                ("currency", models.CharField(max_length=3)),
                ("name", models.CharField(max_length=140)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("ASSET", "ASSET"),
                            ("LIABILITY", "LIABILITY"),
                            ("INCOME", "INCOME"),
                            ("EXPENSE", "EXPENSE"),
                            ("CLEARING", "CLEARING"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "normal_side",
                    models.CharField(
                        choices=[("DEBIT", "DEBIT"), ("CREDIT", "CREDIT"), ("NONE", "NONE")], max_length=6
                    ),
                ),
                ("guarded", models.BooleanField(help_text="The database refuses a balance on the wrong side.")),
                ("created_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "ledger_account",
                "ordering": ["code", "currency"],
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("PENDING", "Pending"),
                            ("POSTED", "Posted"),
                            ("VOIDED", "Voided"),
                            ("REVERSED", "Reversed"),
                        ],
                        max_length=8,
                        protected=True,
                    ),
                ),
                ("source_type", models.CharField(max_length=32)),
                ("source_id", models.UUIDField()),
                ("source_kind", models.CharField(max_length=48)),
                ("source_sequence", models.PositiveIntegerField(default=0)),
                ("description", models.CharField(blank=True, max_length=255)),
                ("line_count", models.PositiveIntegerField()),
                ("lines_digest", models.BinaryField(max_length=32)),
                (
                    "xact_id",
                    ledger.models.TransactionIdField(db_default=ledger.models.CurrentTransaction(), editable=False),
                ),
                ("occurred_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                ("trace_id", models.CharField(blank=True, max_length=32)),
            ],
            options={
                "verbose_name_plural": "entries",
                "db_table": "ledger_entry",
                "ordering": ["-id"],
            },
            bases=(django_fsm.FSMModelMixin, models.Model),
        ),
        migrations.CreateModel(
            name="EntryTransition",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("from_state", models.CharField(blank=True, max_length=8)),
                ("to_state", models.CharField(max_length=8)),
                ("cause", models.CharField(max_length=200)),
                ("effective_at", models.DateTimeField()),
                ("occurred_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                ("actor", models.CharField(max_length=120)),
                ("trace_id", models.CharField(blank=True, max_length=32)),
            ],
            options={
                "db_table": "ledger_entry_transition",
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("amount", models.BigIntegerField()),
                ("method", models.CharField(blank=True, max_length=32)),
            ],
            options={
                "db_table": "ledger_line",
                "ordering": ["entry_id", "number"],
            },
        ),
        migrations.CreateModel(
            name="GuardedBalance",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="guarded_balance",
                        serialize=False,
                        to="ledger.account",
                    ),
                ),
                ("side", models.SmallIntegerField()),
                ("balance", models.DecimalField(decimal_places=0, max_digits=38)),
            ],
            options={
                "db_table": "ledger_guarded_balance",
            },
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(fields=("code", "currency"), name="ledger_account_once"),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(fields=("id", "currency"), name="ledger_account_currency"),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")), name="ledger_account_currency_code"
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("guarded", False),
                    models.Q(("normal_side", ledger.chart.Side["NONE"]), _negated=True),
                    _connector="OR",
                ),
                name="ledger_account_guarded_has_side",
            ),
        ),
        migrations.AddField(
            model_name="entry",
            name="reverses",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reversals",
                to="ledger.entry",
            ),
        ),
        migrations.AddField(
            model_name="entrytransition",
            name="entry",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="transitions",
                to="ledger.entry",
            ),
        ),
        migrations.AddField(
            model_name="line",
            name="account",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="ledger.account",
            ),
        ),
        migrations.AddField(
            model_name="line",
            name="entry",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="ledger.entry"
            ),
        ),
        migrations.AddConstraint(
            model_name="guardedbalance",
            constraint=models.CheckConstraint(
                condition=models.Q(("side__in", [1, -1])), name="ledger_guarded_balance_side"
            ),
        ),
        migrations.AddConstraint(
            model_name="guardedbalance",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("balance__gte", 0), ("side", 1)),
                    models.Q(("balance__lte", 0), ("side", -1)),
                    _connector="OR",
                ),
                name="ledger_guarded_balance_right_side",
            ),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.UniqueConstraint(
                fields=("source_type", "source_id", "source_kind", "source_sequence"), name="ledger_entry_source_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("reverses__isnull", False)), fields=("reverses",), name="ledger_entry_reversed_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["PENDING", "POSTED", "VOIDED", "REVERSED"])),
                name="ledger_entry_known_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.CheckConstraint(
                condition=models.Q(("line_count__gte", 2)), name="ledger_entry_two_lines"
            ),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.CheckConstraint(
                condition=models.Q(("reverses", models.F("id")), _negated=True),
                name="ledger_entry_not_its_own_reversal",
            ),
        ),
        migrations.AddConstraint(
            model_name="entrytransition",
            constraint=models.UniqueConstraint(fields=("entry", "cause"), name="ledger_entry_transition_cause_once"),
        ),
        migrations.AddConstraint(
            model_name="entrytransition",
            constraint=models.UniqueConstraint(fields=("entry", "to_state"), name="ledger_entry_transition_state_once"),
        ),
        migrations.AddConstraint(
            model_name="entrytransition",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("from_state", ""), ("to_state__in", ["PENDING", "POSTED"])),
                    models.Q(("from_state", "PENDING"), ("to_state__in", ["POSTED", "VOIDED"])),
                    models.Q(("from_state", "POSTED"), ("to_state", "REVERSED")),
                    _connector="OR",
                ),
                name="ledger_entry_transition_along_fsm",
            ),
        ),
        migrations.AddConstraint(
            model_name="entrytransition",
            constraint=models.CheckConstraint(
                condition=models.Q(("cause", ""), _negated=True), name="ledger_entry_transition_has_cause"
            ),
        ),
        migrations.AddIndex(
            model_name="line",
            index=models.Index(fields=["account", "entry"], name="ledger_line_statement"),
        ),
        migrations.AddConstraint(
            model_name="line",
            constraint=models.UniqueConstraint(fields=("entry", "number"), name="ledger_line_number_once"),
        ),
        migrations.AddConstraint(
            model_name="line",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("amount", 0), _negated=True), ("amount__gte", -9223372036854775807)),
                name="ledger_line_amount_reversible",
            ),
        ),
        migrations.AddConstraint(
            model_name="line",
            constraint=models.CheckConstraint(
                condition=models.Q(("method__regex", "^[a-z0-9_]*$")), name="ledger_line_method_word"
            ),
        ),
    ]
