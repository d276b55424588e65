"""Let transactional tests empty append-only tables.

Django ends such a test with TRUNCATE, which the product's triggers refuse, as they must. Only inside that one flush,
and only in tests, the session acts as a replica, for which triggers do not fire.
"""

from collections.abc import Sequence

from django.db.backends.postgresql.operations import DatabaseOperations

_flush = DatabaseOperations.execute_sql_flush


def _flush_without_triggers(self: DatabaseOperations, sql_list: Sequence[str]) -> None:
    # Django runs the list inside one transaction, so SET LOCAL ends with it.
    _flush(self, ["SET LOCAL session_replication_role = replica;", *sql_list] if sql_list else sql_list)


DatabaseOperations.execute_sql_flush = _flush_without_triggers  # type: ignore[method-assign]
