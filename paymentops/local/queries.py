"""Whether this process and the parts it needs can do their work."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from celery import Celery, current_app
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from kombu.exceptions import OperationalError as BrokerError


@dataclass(frozen=True, slots=True)
class Check:
    """One part: its name and, when it fails, a sentence that says what is wrong (without addresses or secrets)."""

    name: str
    failure: str = ""


def readiness(database: BaseDatabaseWrapper, broker_options: Mapping[str, Any]) -> list[Check]:
    """Check the database, the broker and that every migration is applied."""
    failure = database_failure(database)
    return [
        Check("database", failure),
        Check("broker", broker_failure(broker_options)),
        # A database that does not answer is waited for once only.
        Check("migrations", failure or migrations_failure(database)),
    ]


def database_failure(database: BaseDatabaseWrapper) -> str:
    """Return why the database cannot be used, or an empty string."""
    try:
        with database.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "The database does not answer."
    return ""


def broker_failure(options: Mapping[str, Any]) -> str:
    """Return why no message can be sent to the workers, or an empty string.

    Args:
        options: of the broker's transport; a broker made of files names its folders there.
    """
    folder = options.get("data_folder_out")
    if folder is not None:
        return "" if os.access(Path(folder), os.W_OK | os.X_OK) else "The broker's folder cannot be written to."
    return link_failure(current_app)


def link_failure(app: Celery) -> str:
    """Return why an application's broker on the network cannot be reached, or an empty string."""
    try:
        with app.connection_for_write() as link:
            link.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    except BrokerError:
        return "The message broker does not answer."
    return ""


def migrations_failure(database: BaseDatabaseWrapper) -> str:
    """Return how many migrations of this code are not applied to the database, or an empty string."""
    try:
        applied = MigrationRecorder(database).applied_migrations().keys()
    except DatabaseError:
        return "The database does not tell which migrations are applied."
    missing = sorted(_known_migrations() - applied)
    if missing:
        return f"{len(missing)} migrations are not applied, the first is {'.'.join(missing[0])}."
    return ""


@lru_cache(maxsize=1)
def _known_migrations() -> frozenset[tuple[str, str]]:
    # Reading every migration module takes a while and the code does not change while it runs.
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
