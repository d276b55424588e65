from django.db import migrations

from paymentops.core.append_only import append_only_operations

# Not deferrable: a line in another currency is refused at once, and no pending check stands in the way of DDL.
LINE_CURRENCY = """
ALTER TABLE ledger_line ADD CONSTRAINT ledger_line_currency_of_account
    FOREIGN KEY (account_id, currency) REFERENCES ledger_account (id, currency);
"""
LINE_CURRENCY_REVERSE = "ALTER TABLE ledger_line DROP CONSTRAINT ledger_line_currency_of_account;"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.RunSQL(LINE_CURRENCY, LINE_CURRENCY_REVERSE),
        *append_only_operations("ledger_line"),
        *append_only_operations("ledger_entry_transition"),
        *append_only_operations("ledger_entry", allow_update_of=("state",)),
        *append_only_operations("ledger_account", allow_update_of=("name", "closed_at")),
        *append_only_operations("ledger_guarded_balance", allow_update_of=("balance",)),
    ]
