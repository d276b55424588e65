from django.db import migrations

from paymentops.core.append_only import append_only_operations

# What an incident is about never changes; where it stands, who owns it and how often it fired do.
STANDING = (
    "state",
    "version",
    "severity",
    "ownership_id",
    "merged_into_id",
    "signals",
    "escalations",
    "open_since",
    "last_fired_at",
    "expires_at",
    "escalated_at",
    "updated_at",
)
AT_RISK = ("amount", "currency", "reason", "resolved_at", "resolution")


class Migration(migrations.Migration):
    dependencies = [("incidents", "0001_initial")]
    operations = [
        *append_only_operations("incidents_incident", allow_update_of=STANDING),
        *append_only_operations("incidents_incidenttransition"),
        *append_only_operations("incidents_signal"),
        *append_only_operations("incidents_escalation"),
        *append_only_operations("incidents_incidentpayment", allow_update_of=AT_RISK),
    ]
