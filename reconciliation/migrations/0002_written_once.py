from django.db import migrations

from paymentops.core.append_only import append_only_operations

# Only rows of a run that was refused may go: they count for nothing, and its file may be read again.
REFUSED = """
CREATE FUNCTION reconciliation_is_refused(run uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM reconciliation_ingestrun WHERE id = run AND state = 'REFUSED')
$$;
"""
REFUSED_REVERSE = "DROP FUNCTION reconciliation_is_refused(uuid);"

KEEP = """
DROP TRIGGER {table}_no_delete ON {table};
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
    FOR EACH ROW WHEN (NOT reconciliation_is_refused(OLD.run_id)) EXECUTE FUNCTION {table}_append_only();
"""
KEEP_REVERSE = """
DROP TRIGGER {table}_no_delete ON {table};
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_append_only();
"""
ROWS = (
    "reconciliation_statementline",
    "reconciliation_rejectedrow",
    "reconciliation_statement",
    "reconciliation_statementtotal",
)


def _written_once(table):
    return [
        *append_only_operations(table),
        migrations.RunSQL(KEEP.format(table=table), KEEP_REVERSE.format(table=table)),
    ]


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0001_initial")]

    operations = [
        migrations.RunSQL(REFUSED, REFUSED_REVERSE),
        *(operation for table in ROWS for operation in _written_once(table)),
        *append_only_operations("reconciliation_ingesttransition"),
        *append_only_operations("reconciliation_tolerancerule"),
        *append_only_operations(
            "reconciliation_statementfile", allow_update_of=("stored_at", "identity", "version", "supersedes_id")
        ),
    ]
