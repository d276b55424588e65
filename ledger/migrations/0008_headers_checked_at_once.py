"""The check of a new header asks for its lines and its first transition in one query: half the cost in a batch."""

from django.db import migrations

HEADER_COMPLETE = """
CREATE OR REPLACE FUNCTION ledger_entry_complete() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    has_lines boolean;
    has_transition boolean;
BEGIN
    IF NEW.xact_id <> pg_current_xact_id() THEN
        RAISE EXCEPTION 'entry % names a transaction that did not write it', NEW.id
            USING ERRCODE = 'restrict_violation', TABLE = 'ledger_entry', CONSTRAINT = 'ledger_entry_sealed';
    END IF;
    SELECT EXISTS (SELECT FROM ledger_line WHERE entry_id = NEW.id),
           EXISTS (SELECT FROM ledger_entry_transition
                   WHERE entry_id = NEW.id AND to_state = NEW.state AND from_state = '')
    INTO has_lines, has_transition;
    IF NOT has_lines THEN
        RAISE EXCEPTION 'entry % has no lines', NEW.id
            USING ERRCODE = 'check_violation', TABLE = 'ledger_entry', CONSTRAINT = 'ledger_entry_has_lines';
    END IF;
    IF NOT has_transition THEN
        RAISE EXCEPTION 'entry % begins as % without a transition', NEW.id, NEW.state
            USING ERRCODE = 'check_violation', TABLE = 'ledger_entry', CONSTRAINT = 'ledger_entry_has_transition';
    END IF;
    RETURN NULL;
END $$;
"""
HEADER_COMPLETE_REVERSE = """
CREATE OR REPLACE FUNCTION ledger_entry_complete() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF NEW.xact_id <> pg_current_xact_id() THEN
        RAISE EXCEPTION 'entry % names a transaction that did not write it', NEW.id
            USING ERRCODE = 'restrict_violation', TABLE = 'ledger_entry', CONSTRAINT = 'ledger_entry_sealed';
    END IF;
    IF NOT EXISTS (SELECT FROM ledger_line WHERE entry_id = NEW.id) THEN
        RAISE EXCEPTION 'entry % has no lines', NEW.id
            USING ERRCODE = 'check_violation', TABLE = 'ledger_entry', CONSTRAINT = 'ledger_entry_has_lines';
    END IF;
    IF NOT EXISTS (SELECT FROM ledger_entry_transition
                   WHERE entry_id = NEW.id AND to_state = NEW.state AND from_state = '') THEN
        RAISE EXCEPTION 'entry % begins as % without a transition', NEW.id, NEW.state
            USING ERRCODE = 'check_violation', TABLE = 'ledger_entry', CONSTRAINT = 'ledger_entry_has_transition';
    END IF;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0007_closed_accounts")]

    operations = [migrations.RunSQL(HEADER_COMPLETE, HEADER_COMPLETE_REVERSE)]
