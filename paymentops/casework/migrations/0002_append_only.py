from django.db import migrations

from paymentops.core.append_only import append_only_operations

# What a second person decides on never changes: of a proposal only its state and the decision do.
DECISION = ("state", "version", "decided_by_id", "decided_at", "outcome")
# The owner of a thing changes; what it is the owner of does not.
OWNER = ("team_id", "owner_id", "offered_to_id", "version", "changed_at")


class Migration(migrations.Migration):
    dependencies = [("casework", "0001_initial")]
    operations = [
        *append_only_operations("casework_proposal", allow_update_of=DECISION),
        *append_only_operations("casework_proposaltransition"),
        *append_only_operations("casework_comment"),
        *append_only_operations("casework_attachment", allow_update_of=("stored_at", "discarded_at", "erased_at")),
        *append_only_operations("casework_attachmentbinding"),
        *append_only_operations("casework_ownership", allow_update_of=OWNER),
        *append_only_operations("casework_ownershipchange"),
    ]
