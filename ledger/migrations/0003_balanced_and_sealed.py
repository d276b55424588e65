"""The triggers that keep entries balanced, sealed, on their states and on the right side.

Statement triggers with transition tables check the lines, because a trigger per row costs more than the insert
itself. Sequential scans are switched off inside them: a plan made while a table was small would be kept while it grows.
"""

from django.db import migrations

# One INSERT brings all lines of an entry. It must bring exactly the lines that the header was written for, in the
# transaction that wrote the header, and they must balance per currency. Sums are numeric: they cannot overflow.
LINES_COMPLETE = """
CREATE FUNCTION ledger_line_complete() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    broken record;
BEGIN
    SELECT entry_id, currency, sum(amount) AS total INTO broken
    FROM added GROUP BY entry_id, currency HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % does not balance: its lines in % add up to %',
                broken.entry_id, broken.currency, broken.total
            USING ERRCODE = 'check_violation', TABLE = 'ledger_line', CONSTRAINT = 'ledger_line_balanced';
    END IF;

    SELECT brought.entry_id INTO broken
    FROM (
        SELECT entry_id, count(*) AS lines, ledger_lines_digest(
            string_agg(concat_ws('|', number, account_id, currency, amount, method), E'\\n' ORDER BY number)) AS digest
        FROM added GROUP BY entry_id
    ) brought
    WHERE NOT EXISTS (
        SELECT FROM ledger_entry header
        WHERE header.id = brought.entry_id AND header.xact_id = pg_current_xact_id()
          AND header.line_count = brought.lines AND header.lines_digest = brought.digest
        OFFSET 0
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % is sealed: its lines come in one statement, with its header, as the header says',
                broken.entry_id
            USING ERRCODE = 'restrict_violation', TABLE = 'ledger_line', CONSTRAINT = 'ledger_line_sealed';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_line_complete AFTER INSERT ON ledger_line
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_line_complete();
"""
LINES_COMPLETE_REVERSE = """
DROP TRIGGER ledger_line_complete ON ledger_line;
DROP FUNCTION ledger_line_complete();
"""

DIGEST = """
CREATE FUNCTION ledger_lines_digest(canonical text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
    $$ SELECT sha256(convert_to(canonical, 'UTF8')) $$;
"""
DIGEST_REVERSE = "DROP FUNCTION ledger_lines_digest(text);"

# At the end of the transaction a new header has lines (the trigger above saw to it that they are all of them) and its
# first transition, and every move of an entry has its transition. Which moves exist is said once, by the constraint
# ledger_entry_transition_along_fsm.
HEADER_COMPLETE = """
CREATE FUNCTION ledger_entry_complete() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
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

CREATE FUNCTION ledger_entry_moved() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_entry_transition
                   WHERE entry_id = NEW.id AND to_state = NEW.state AND from_state = OLD.state) THEN
        RAISE EXCEPTION 'entry % moved from % to % without a transition', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', TABLE = 'ledger_entry', CONSTRAINT = 'ledger_entry_has_transition';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER ledger_entry_complete AFTER INSERT ON ledger_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_entry_complete();
CREATE CONSTRAINT TRIGGER ledger_entry_moved AFTER UPDATE OF state ON ledger_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION ledger_entry_moved();
"""
HEADER_COMPLETE_REVERSE = """
DROP TRIGGER ledger_entry_moved ON ledger_entry;
DROP TRIGGER ledger_entry_complete ON ledger_entry;
DROP FUNCTION ledger_entry_moved();
DROP FUNCTION ledger_entry_complete();
"""

# The other direction: a transition is written together with the move it tells of.
TRANSITION_TRUE = """
CREATE FUNCTION ledger_entry_transition_true() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    broken record;
BEGIN
    SELECT entry_id, to_state INTO broken FROM added
    WHERE NOT EXISTS (
        SELECT FROM ledger_entry WHERE id = added.entry_id AND state = added.to_state OFFSET 0
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % is not %', broken.entry_id, broken.to_state
            USING ERRCODE = 'check_violation', TABLE = 'ledger_entry_transition',
                  CONSTRAINT = 'ledger_entry_transition_true';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_entry_transition_true AFTER INSERT ON ledger_entry_transition
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_transition_true();
"""
TRANSITION_TRUE_REVERSE = """
DROP TRIGGER ledger_entry_transition_true ON ledger_entry_transition;
DROP FUNCTION ledger_entry_transition_true();
"""

# Accounts that must not stand on the wrong side have a balance row of their own. It is locked in account order and
# moved by what was posted; its constraint ledger_guarded_balance_right_side refuses the wrong side. Other accounts have
# no such row, so nothing makes two posts on a hot account wait for each other.
RIGHT_SIDE = """
CREATE FUNCTION ledger_guarded_account_opened() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_guarded_balance (account_id, side, balance)
    VALUES (NEW.id, CASE NEW.normal_side WHEN 'DEBIT' THEN 1 ELSE -1 END, 0);
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_guarded_move(accounts bigint[], amounts numeric[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM ledger_guarded_balance WHERE account_id = ANY (accounts) ORDER BY account_id FOR NO KEY UPDATE;
    UPDATE ledger_guarded_balance guarded SET balance = guarded.balance + moved.amount
    FROM unnest(accounts, amounts) AS moved (account_id, amount) WHERE guarded.account_id = moved.account_id;
END $$;

CREATE FUNCTION ledger_line_right_side() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    accounts bigint[];
    amounts numeric[];
BEGIN
    SELECT array_agg(account_id), array_agg(total) INTO accounts, amounts
    FROM (
        SELECT account_id, sum(amount) AS total FROM added
        WHERE EXISTS (SELECT FROM ledger_guarded_balance WHERE account_id = added.account_id OFFSET 0)
          AND EXISTS (SELECT FROM ledger_entry WHERE id = added.entry_id AND state = 'POSTED' OFFSET 0)
        GROUP BY account_id
    ) moved;
    IF accounts IS NOT NULL THEN
        PERFORM ledger_guarded_move(accounts, amounts);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_entry_right_side() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    accounts bigint[];
    amounts numeric[];
BEGIN
    SELECT array_agg(account_id), array_agg(total) INTO accounts, amounts
    FROM (
        SELECT account_id, sum(amount) AS total FROM ledger_line
        WHERE entry_id = NEW.id
          AND EXISTS (SELECT FROM ledger_guarded_balance WHERE account_id = ledger_line.account_id OFFSET 0)
        GROUP BY account_id
    ) moved;
    IF accounts IS NOT NULL THEN
        PERFORM ledger_guarded_move(accounts, amounts);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_guarded_account_opened AFTER INSERT ON ledger_account
    FOR EACH ROW WHEN (NEW.guarded) EXECUTE FUNCTION ledger_guarded_account_opened();
CREATE TRIGGER ledger_line_right_side AFTER INSERT ON ledger_line
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_line_right_side();
CREATE TRIGGER ledger_entry_right_side AFTER UPDATE OF state ON ledger_entry
    FOR EACH ROW WHEN (OLD.state = 'PENDING' AND NEW.state = 'POSTED') EXECUTE FUNCTION ledger_entry_right_side();
"""
RIGHT_SIDE_REVERSE = """
DROP TRIGGER ledger_entry_right_side ON ledger_entry;
DROP TRIGGER ledger_line_right_side ON ledger_line;
DROP TRIGGER ledger_guarded_account_opened ON ledger_account;
DROP FUNCTION ledger_entry_right_side();
DROP FUNCTION ledger_line_right_side();
DROP FUNCTION ledger_guarded_move(bigint[], numeric[]);
DROP FUNCTION ledger_guarded_account_opened();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_written_once")]

    operations = [
        migrations.RunSQL(DIGEST, DIGEST_REVERSE),
        migrations.RunSQL(LINES_COMPLETE, LINES_COMPLETE_REVERSE),
        migrations.RunSQL(HEADER_COMPLETE, HEADER_COMPLETE_REVERSE),
        migrations.RunSQL(TRANSITION_TRUE, TRANSITION_TRUE_REVERSE),
        migrations.RunSQL(RIGHT_SIDE, RIGHT_SIDE_REVERSE),
    ]
