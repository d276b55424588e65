from django.db import migrations

from paymentops.core.append_only import append_only_operations


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]

    operations = [
        *append_only_operations("payments_paymenttransition"),
        *append_only_operations("payments_attempttransition"),
        *append_only_operations("payments_refundtransition"),
        *append_only_operations("payments_providercall"),
        *append_only_operations("payments_capture"),
        *append_only_operations("payments_cancellation"),
    ]
