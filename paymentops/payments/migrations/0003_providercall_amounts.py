from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_append_only")]

    operations = [
        migrations.AddField("providercall", "amount", models.BigIntegerField(null=True, blank=True)),
        migrations.AddField("providercall", "captured", models.BigIntegerField(null=True, blank=True)),
    ]
