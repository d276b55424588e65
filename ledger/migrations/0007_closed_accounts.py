"""A closed account takes no lines. The few closed accounts are looked up first, so that open ones cost next to nothing.

The check runs after the foreign key's: a posting that met an account being closed has waited for that by then, and this
statement sees how it ended.
"""

from django.db import migrations, models

CLOSED = """
CREATE FUNCTION ledger_line_account_open() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed bigint[] := ARRAY(SELECT id FROM ledger_account WHERE closed_at IS NOT NULL);
    broken record;
BEGIN
    IF closed = '{}' THEN
        RETURN NULL;
    END IF;
    SELECT code, currency INTO broken FROM ledger_account
    WHERE id = ANY (closed) AND id IN (SELECT account_id FROM added) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the account % % is closed', broken.code, broken.currency
            USING ERRCODE = 'restrict_violation', TABLE = 'ledger_line', CONSTRAINT = 'ledger_line_account_open';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_line_account_open AFTER INSERT ON ledger_line
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_line_account_open();
"""
CLOSED_REVERSE = """
DROP TRIGGER ledger_line_account_open ON ledger_line;
DROP FUNCTION ledger_line_account_open();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_sealing_functions")]

    operations = [
        migrations.AlterModelOptions(
            name="account",
            options={
                "ordering": ["code", "currency"],
                "permissions": [("close_account", "Can close an account and open it again")],
            },
        ),
        migrations.AlterModelOptions(
            name="entry",
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("propose_journal", "Can propose manual journals and reversals"),
                    ("approve_journal", "Can approve manual journals and reversals"),
                ],
                "verbose_name_plural": "entries",
            },
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", False)), fields=["id"], name="ledger_account_closed"
            ),
        ),
        migrations.RunSQL(CLOSED, CLOSED_REVERSE),
    ]
