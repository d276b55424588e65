from django.db import migrations

from paymentops.core.append_only import append_only_operations


class Migration(migrations.Migration):
    dependencies = [("idempotency", "0001_initial")]

    operations = [
        *append_only_operations("idempotency_idempotencykey"),
        *append_only_operations("idempotency_keyuse"),
    ]
