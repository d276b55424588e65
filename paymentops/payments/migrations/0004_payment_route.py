from django.db import migrations, models
from django.db.models import Value


class Migration(migrations.Migration):
    dependencies = [("payments", "0003_providercall_amounts")]

    operations = [
        migrations.AddField(
            "payment", "route", models.JSONField(db_default=Value({}, output_field=models.JSONField()))
        ),
    ]
