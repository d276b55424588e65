from django.db import migrations

from paymentops.core.append_only import append_only_operations

# What the relay writes about an event; what happened never changes.
BOOKKEEPING = (
    "delivery_pending",
    "publication_pending",
    "delivered_at",
    "published_at",
    "delivery_failures",
    "next_delivery_at",
    "last_error",
)


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]
    operations = [
        *append_only_operations("events_outboxevent", allow_update_of=BOOKKEEPING),
        *append_only_operations("events_inboxentry"),
    ]
