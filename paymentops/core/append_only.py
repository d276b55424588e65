"""Tables whose rows are written once: the database itself refuses UPDATE, DELETE and TRUNCATE, also to their owner.

Used in a migration after the one that creates the table::

    operations = append_only_operations("payments_transition")
    operations = append_only_operations("events_outbox", allow_update_of=("published_at",))

A refusal is SQLSTATE 23001 (``restrict_violation``), which Django raises as ``IntegrityError``. A superuser who sets
``session_replication_role = replica`` passes by every trigger; that is why ``manage.py verify`` recomputes the rows.
"""

import re
from typing import Final

from django.db import migrations

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,50}")

_REFUSE: Final = """
CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: its rows are written once and never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = '{table}_append_only';
END $$;
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_append_only();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only();
"""
_REFUSE_REVERSE: Final = """
DROP TRIGGER {table}_no_truncate ON {table};
DROP TRIGGER {table}_no_delete ON {table};
DROP FUNCTION {table}_append_only();
"""

_NO_UPDATE: Final = """
CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_append_only();
"""
_NO_UPDATE_REVERSE: Final = "DROP TRIGGER {table}_no_update ON {table};"

# The allowed columns are set back and the rest is compared as a whole, so a column added later is protected too. It
# runs AFTER, because only then are generated columns filled in and no other trigger can change the row any more.
_UPDATE_OF: Final = """
CREATE FUNCTION {table}_update_of() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept {table}%ROWTYPE := NEW;
BEGIN
    {restore}
    IF kept *<> OLD THEN
        RAISE EXCEPTION 'UPDATE of % is refused: only {columns} may change', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = '{table}_append_only';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER {table}_no_update AFTER UPDATE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_update_of();
"""
_UPDATE_OF_REVERSE: Final = """
DROP TRIGGER {table}_no_update ON {table};
DROP FUNCTION {table}_update_of();
"""


def append_only_operations(table: str, *, allow_update_of: tuple[str, ...] = ()) -> list[migrations.RunSQL]:
    """Return reversible migration operations after which rows of ``table`` can only be added.

    Args:
        table: the table's name in the database.
        allow_update_of: columns (not fields: ``payment_id``, not ``payment``) that may still change.

    Raises:
        ValueError: a name is not a plain lower-case identifier of at most 51 characters.
    """
    for name in (table, *allow_update_of):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a plain identifier.")
    operations = [_run(_REFUSE, _REFUSE_REVERSE, table=table)]
    if not allow_update_of:
        return [*operations, _run(_NO_UPDATE, _NO_UPDATE_REVERSE, table=table)]
    restore = " ".join(f"kept.{column} := OLD.{column};" for column in allow_update_of)
    columns = ", ".join(allow_update_of)
    return [*operations, _run(_UPDATE_OF, _UPDATE_OF_REVERSE, table=table, restore=restore, columns=columns)]


def _run(forward: str, backward: str, **names: str) -> migrations.RunSQL:
    return migrations.RunSQL(forward.format(**names), backward.format(**names))
