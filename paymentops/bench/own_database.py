"""A database of the bench's own on the product's server: same durability, and the real books stay as they are."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connection


@contextmanager
def own_database() -> Iterator[None]:
    """Point Django at a fresh, migrated database of the same server while the block runs, then drop it."""
    kept = connection.settings_dict["NAME"]
    name = f"paymentops_bench_{secrets.token_hex(4)}"
    _execute(f'CREATE DATABASE "{name}"')
    try:
        _point_at(name)
        call_command("migrate", verbosity=0, interactive=False)
        yield
    finally:
        _point_at(kept)
        _execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _point_at(name: str) -> None:
    # Connections of other threads and of forked processes are made from the same settings.
    connection.close()
    connection.settings_dict["NAME"] = name


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
