from django.db import migrations

from paymentops.core.append_only import append_only_operations


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]
    operations = append_only_operations("access_auditentry")
