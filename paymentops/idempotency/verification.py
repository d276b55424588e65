"""Recompute from the rows that every key stands for one command of one client (SEMANTICS section 9, invariant 6)."""

from collections.abc import Iterator
from typing import Any, Final

from django.db import connection, transaction

from paymentops.core.verification import Check

_USED_ONCE: Final = """
SELECT format('the key %s of client cli_%s owns %s results of %s', key, replace(client_id::text, '-', ''), count(*),
              operation)
FROM idempotency_idempotencykey GROUP BY client_id, operation, key HAVING count(*) > 1
"""

_WELL_FORMED: Final = """
SELECT format('the key %s of %s: %s', left(key, 80), operation, broken)
FROM idempotency_idempotencykey, LATERAL (VALUES
    (key !~ '^[A-Za-z0-9_:.-]{16,255}$', 'not a key that the door lets in'),
    (length(fingerprint) <> 32, 'its fingerprint is not a SHA-256'),
    (field_digests = '{}'::jsonb, 'no digests of its fields')
) AS rules (is_broken, broken)
WHERE is_broken
"""

_OF_A_CLIENT: Final = """
SELECT format('the key %s of %s: its client does not exist', k.key, k.operation)
FROM idempotency_idempotencykey k LEFT JOIN access_apiclient c ON c.id = k.client_id
WHERE c.id IS NULL
"""

_USES_OF_KEYS: Final = """
SELECT format('%s at %s: its key does not exist or is younger', u.outcome, u.at)
FROM idempotency_keyuse u LEFT JOIN idempotency_idempotencykey k ON k.id = u.key_id
WHERE k.id IS NULL OR u.at < k.created_at - interval '1 minute'
"""

_STATEMENTS: Final = {
    "idempotency.keys_used_once": _USED_ONCE,
    "idempotency.keys_well_formed": _WELL_FORMED,
    "idempotency.keys_of_a_client": _OF_A_CLIENT,
    "idempotency.uses_of_keys": _USES_OF_KEYS,
}


def checks() -> Iterator[Check]:
    """Run every check of the idempotency keys, one after the other."""
    for name, statement in _STATEMENTS.items():
        yield Check.of(name, (row[0] for row in _stream(statement)))


def _stream(statement: str) -> Iterator[tuple[Any, ...]]:
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(1000):
            yield from rows
