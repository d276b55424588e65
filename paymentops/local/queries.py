"""Whether this process and the parts it needs can do their work."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from kombu.exceptions import OperationalError as BrokerError


@dataclass(frozen=True, slots=True)
class Check:
    """One part: its name and, when it fails, a sentence that says what is wrong (without addresses or secrets)."""

    name: str
    failure: str = ""


def readiness() -> list[Check]:
    """Check the database, the broker and that every migration is applied."""
    return [
        Check("database", database_failure()),
        Check("broker", broker_failure()),
        Check("migrations", migrations_failure()),
    ]


def database_failure() -> str:
    """Return why the database cannot be used, or an empty string."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "The database does not answer."
    return ""


def broker_failure() -> str:
    """Return why no message can be sent to the workers, or an empty string. Tries twice, briefly."""
    folder = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("data_folder_out")
    if folder is not None:
        return "" if os.access(Path(folder), os.W_OK | os.X_OK) else "The broker's folder cannot be written to."
    return _connection_failure()


def migrations_failure() -> str:
    """Return how many migrations of this code are not applied to the database, or an empty string."""
    try:
        applied = MigrationRecorder(connection).applied_migrations().keys()
    except DatabaseError:
        return "The database does not tell which migrations are applied."
    missing = sorted(_known_migrations() - applied)
    if missing:
        return f"{len(missing)} migrations are not applied, the first is {'.'.join(missing[0])}."
    return ""


def _connection_failure() -> str:
    try:
        with current_app.connection_for_write() as link:
            link.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    except BrokerError:
        return "The message broker does not answer."
    return ""


@lru_cache(maxsize=1)
def _known_migrations() -> frozenset[tuple[str, str]]:
    # Reading every migration module takes a while and the code does not change while it runs.
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
