"""Reading violations as a stream, so that memory does not grow with the ledger."""

from collections.abc import Iterator
from typing import Any

from django.db import connection, transaction


def stream(statement: str) -> Iterator[tuple[Any, ...]]:
    """Read the rows of a statement through a cursor of the server, a thousand at a time."""
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(1000):
            yield from rows
