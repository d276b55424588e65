"""Claiming keys, and remembering later uses of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import OperationalError, connection, transaction

from paymentops.core import ids, tracing
from paymentops.idempotency import fingerprint as fingerprints
from paymentops.idempotency import keys
from paymentops.idempotency.fingerprint import Fingerprint
from paymentops.idempotency.models import IdempotencyKey, KeyUse, Operation, UseOutcome

CONTRACT_VERSION = 1
_LOCK_NOT_AVAILABLE = "55P03"
_DEADLOCK = "40P01"


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a key at the door: whose, for what, with which command."""

    client_id: UUID
    api_key_prefix: str
    operation: Operation
    key: str
    fingerprint: Fingerprint


def claim(*, use: Use, resource_type: str, resource_id: UUID, now: datetime) -> IdempotencyKey | None:
    """Take a key inside the caller's transaction; ``None`` when it was taken before.

    A concurrent twin waits here for the first to commit, at most ``lock_timeout``. ``None`` calls for a fresh look-up
    by :func:`find`: the row that won may not be visible to the statement that lost.
    """
    claimed = IdempotencyKey(
        id=ids.new(now),
        client_id=use.client_id,
        operation=use.operation,
        key=use.key,
        fingerprint=use.fingerprint.digest,
        fingerprint_version=fingerprints.VERSION,
        field_digests=dict(use.fingerprint.fields),
        contract_version=CONTRACT_VERSION,
        resource_type=resource_type,
        resource_id=resource_id,
        created_at=now,
        api_key_prefix=use.api_key_prefix,
        trace_id=tracing.current_trace_id(),
    )
    IdempotencyKey.objects.bulk_create([claimed], ignore_conflicts=True)
    won = IdempotencyKey.objects.filter(pk=claimed.pk).exists()
    return claimed if won else None


def find(*, use: Use) -> IdempotencyKey | None:
    """Return the row that owns this use's key, if the key was used before."""
    return IdempotencyKey.objects.filter(key=use.key, operation=use.operation, client_id=use.client_id).first()


def note_replay(*, key_id: UUID, api_key_prefix: str, now: datetime) -> None:
    """Remember that a request was answered with the first result.

    The note is for people; losing the last few in a crash loses no money, so it does not wait for the disk.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
        _note(key_id=key_id, outcome=UseOutcome.REPLAYED, api_key_prefix=api_key_prefix, now=now)


def note_refusal(*, key_id: UUID, api_key_prefix: str, fields: Sequence[str] = (), now: datetime) -> None:
    """Remember that another command came under a used key and was refused; ``fields`` are those that differ."""
    _note(key_id=key_id, outcome=UseOutcome.REFUSED, api_key_prefix=api_key_prefix, fields=fields, now=now)


def _note(*, key_id: UUID, outcome: UseOutcome, api_key_prefix: str, fields: Sequence[str] = (), now: datetime) -> None:
    KeyUse.objects.create(
        id=ids.new(now),
        key_id=key_id,
        at=now,
        outcome=outcome,
        api_key_prefix=api_key_prefix,
        fields=list(fields),
        trace_id=tracing.current_trace_id(),
    )


@contextmanager
def refusing_twins() -> Iterator[None]:
    """Turn a wait that lasted too long for a concurrent twin into the refusal a caller can act on.

    Raises:
        KeyInFlight: the lock was not free in time, or two requests waited for each other.
    """
    try:
        yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) in (_LOCK_NOT_AVAILABLE, _DEADLOCK):
            raise keys.in_flight() from error
        raise
