from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_webhook_deliveries")]

    operations = [
        migrations.AlterModelOptions(
            name="attempt",
            options={
                "ordering": ["id"],
                "permissions": [
                    ("ask_provider", "Can ask a provider at once what became of an attempt"),
                    ("propose_outcome", "Can propose what became of an attempt"),
                    ("approve_outcome", "Can approve what became of an attempt"),
                ],
            },
        ),
        migrations.AddField("attempt", "alarms", models.PositiveSmallIntegerField(default=0, db_default=0)),
        migrations.AlterField(
            "providercall",
            "kind",
            models.CharField(
                choices=[
                    ("DISPATCH", "sent"),
                    ("INQUIRY", "asked"),
                    ("NOTIFICATION", "told by the provider"),
                    ("DECISION", "decided by two people"),
                ],
                max_length=12,
            ),
        ),
        migrations.AddIndex(
            "attempt",
            models.Index(
                fields=["first_dispatched_at", "id"],
                name="attempt_in_doubt",
                condition=Q(state__in=["DISPATCHED", "UNKNOWN", "PENDING", "ACTION_REQUIRED"]),
            ),
        ),
    ]
