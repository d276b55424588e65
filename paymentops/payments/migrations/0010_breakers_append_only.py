from django.db import migrations

from paymentops.core.append_only import append_only_operations


class Migration(migrations.Migration):
    dependencies = [("payments", "0009_breakers")]

    operations = append_only_operations("payments_breakertransition")
