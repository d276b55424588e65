"""Recompute payments from their evidence and name every row that does not agree (SEMANTICS section 9).

Nothing here trusts a trigger, a constraint or the code that wrote the rows. Each check is one statement that
PostgreSQL computes over whole tables and whose violations are streamed.
"""

from collections.abc import Iterator
from typing import Any, Final

from django.db import connection, transaction

from paymentops.core.verification import Check
from paymentops.payments.verification import amounts, commands, completeness, decisions, disputes, histories, retries

_TABLES: Final = (histories, amounts, completeness, disputes, decisions)


def checks() -> Iterator[Check]:
    """Run every check of the payments, one after the other."""
    for table in _TABLES:
        for name, statement in table.STATEMENTS.items():
            yield Check.of(name, (row[0] for row in _stream(statement)))
    for name, (statement, violations) in retries.CHECKS.items():
        yield Check.of(name, violations(_stream(statement)))
    yield Check.of(
        "payments.commands_as_fingerprinted",
        (
            violation
            for kind in commands.KINDS
            for row in _stream(kind.statement)
            for violation in commands.differing(kind, row)
        ),
    )


def _stream(statement: str) -> Iterator[tuple[Any, ...]]:
    """Read rows through a cursor of the server, a thousand at a time."""
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(1000):
            yield from rows
