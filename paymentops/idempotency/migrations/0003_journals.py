from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("idempotency", "0002_append_only"),
    ]

    operations = [
        migrations.AlterField(
            model_name="idempotencykey",
            name="operation",
            field=models.CharField(
                choices=[
                    ("payments.create", "create a payment"),
                    ("payments.capture", "capture"),
                    ("payments.cancel", "cancel"),
                    ("payments.refund", "refund"),
                    ("journals.propose", "propose a journal"),
                ],
                max_length=20,
            ),
        ),
    ]
