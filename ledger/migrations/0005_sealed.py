import django.db.models.deletion
from django.db import migrations, models

import ledger.models.entries


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0004_periods"),
    ]

    operations = [
        migrations.CreateModel(
            name="ChainRoot",
            fields=[
                ("date", models.DateField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField()),
                ("hash", models.BinaryField(max_length=32)),
                ("made_at", models.DateTimeField()),
                ("exported_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "ledger_chain_root",
                "ordering": ["date"],
            },
        ),
        migrations.CreateModel(
            name="BalanceSnapshot",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id",
                        "effective_at",
                        "transition_id",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("effective_at", models.DateTimeField()),
                ("number", models.PositiveSmallIntegerField()),
                ("posted", models.DecimalField(decimal_places=0, max_digits=38)),
                ("pending_debits", models.DecimalField(decimal_places=0, max_digits=38)),
                ("pending_credits", models.DecimalField(decimal_places=0, max_digits=38)),
                ("movements", models.BigIntegerField()),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="snapshots",
                        to="ledger.account",
                    ),
                ),
                (
                    "transition",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ledger.entrytransition",
                    ),
                ),
            ],
            options={
                "db_table": "ledger_balance_snapshot",
            },
        ),
        migrations.CreateModel(
            name="ChainHead",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField(default=0)),
                ("hash", models.BinaryField(max_length=32)),
                ("low_id", models.BigIntegerField(default=0)),
                ("watch_id", models.BigIntegerField(default=0)),
                ("watch_xid", ledger.models.entries.TransactionIdField(null=True)),
                ("moved_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "ledger_chain_head",
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="ledger_chain_head_single")],
            },
        ),
        migrations.CreateModel(
            name="FoldedBalance",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="folded",
                        serialize=False,
                        to="ledger.account",
                    ),
                ),
                ("posted", models.DecimalField(decimal_places=0, max_digits=38)),
                ("pending_debits", models.DecimalField(decimal_places=0, max_digits=38)),
                ("pending_credits", models.DecimalField(decimal_places=0, max_digits=38)),
                ("movements", models.BigIntegerField()),
                ("checked_at", models.DateTimeField(null=True)),
                ("drifted_at", models.DateTimeField(null=True)),
                ("drifts", models.PositiveIntegerField(default=0)),
            ],
            options={
                "db_table": "ledger_folded_balance",
            },
        ),
        migrations.CreateModel(
            name="ChainLink",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                ("digest", models.BinaryField(max_length=32)),
                ("hash", models.BinaryField(max_length=32)),
                ("sealed_at", models.DateTimeField()),
                (
                    "transition",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="link", to="ledger.entrytransition"
                    ),
                ),
            ],
            options={
                "db_table": "ledger_chain_link",
                "ordering": ["seq"],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("seq__gte", 1)), name="ledger_chain_link_from_one")
                ],
            },
        ),
        migrations.CreateModel(
            name="Movement",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "transition_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveSmallIntegerField()),
                ("effective_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                ("lateness", models.SmallIntegerField()),
                ("posted", models.BigIntegerField()),
                ("pending_debits", models.BigIntegerField()),
                ("pending_credits", models.BigIntegerField()),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="movements",
                        to="ledger.account",
                    ),
                ),
                (
                    "transition",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="movements",
                        to="ledger.entrytransition",
                    ),
                ),
            ],
            options={
                "db_table": "ledger_movement",
                "indexes": [
                    models.Index(
                        fields=["account", "effective_at", "transition", "number"],
                        include=("posted", "pending_debits", "pending_credits", "recorded_at"),
                        name="ledger_movement_order",
                    ),
                    models.Index(
                        condition=models.Q(("posted", 0), _negated=True),
                        fields=["account", "effective_at", "transition", "number"],
                        include=("posted",),
                        name="ledger_movement_posted",
                    ),
                    models.Index(
                        condition=models.Q(("lateness", 0), _negated=True),
                        fields=["account", "lateness", "effective_at"],
                        include=("recorded_at", "posted", "pending_debits", "pending_credits"),
                        name="ledger_movement_unpunctual",
                    ),
                ],
            },
        ),
    ]
