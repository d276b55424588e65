"""The hot path of acceptance: one prepared statement writes everything that a new payment is.

Key, payment, first attempt, first transition and outbox event go in with one round trip and one commit, for one
payment or for a thousand. Rows come as one JSON array; the database orders them by key, so that two batches that share
keys wait for each other and never deadlock.

``ON CONFLICT DO NOTHING`` returns no row to the loser of a race: a row that is missing from the answer calls for a
fresh statement, never for the belief that it was written.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from django.db import connection

_ACCEPT: Final = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS g(
        key_id uuid, payment_id uuid, attempt_id uuid, transition_id uuid, event_id uuid,
        key text, fingerprint text, request_digest text, field_digests jsonb,
        amount bigint, currency text, method text, payment_token text, reference text, customer_reference text,
        capture_mode text, metadata jsonb, provider text, provider_key text, rollout_decision jsonb, route jsonb,
        event_data jsonb)
), claimed AS (
    INSERT INTO idempotency_idempotencykey (
        id, client_id, operation, key, fingerprint, request_digest, fingerprint_version, field_digests,
        contract_version, resource_type, resource_id, created_at, api_key_prefix, trace_id)
    SELECT key_id, %(client)s, 'payments.create', key, decode(fingerprint, 'hex'), decode(request_digest, 'hex'),
        %(fingerprint_version)s, field_digests, %(contract_version)s, 'payment', payment_id, %(now)s,
        %(api_key_prefix)s, %(trace_id)s
    FROM given ORDER BY key COLLATE "C"
    ON CONFLICT (key, operation, client_id) DO NOTHING
    RETURNING id
), accepted AS (
    INSERT INTO payments_payment (
        id, client_id, key_id, version, state, resume_state, currency, requested, authorized, captured, voided,
        reversed, refunded, refund_reserved, disputed, method, payment_token, reference, customer_reference,
        capture_mode, metadata, provider, policy_version, rollout_decision, route, failure_class,
        failure_code, failure_message, created_at, updated_at, expires_at)
    SELECT payment_id, %(client)s, key_id, 1, 'CREATED', '', currency, amount, 0, 0, 0,
        0, 0, 0, 0, method, payment_token, reference, customer_reference,
        capture_mode, metadata, provider, %(policy_version)s, rollout_decision, route, '', '',
        '', %(now)s, %(now)s, %(expires_at)s
    FROM given WHERE key_id IN (SELECT id FROM claimed)
), prepared AS (
    INSERT INTO payments_attempt (
        id, payment_id, operation, version, state, provider, provider_key, currency, amount, fence, next_action_at,
        schedule, dispatches, inquiries, was_unknown, provider_reference, result_code, result_class, result_message,
        created_at)
    SELECT attempt_id, payment_id, 'AUTHORIZE', 1, 'PREPARED', provider, provider_key, currency, amount, 0, %(now)s,
        '{}', 0, 0, false, '', '', '', '', %(now)s
    FROM given WHERE key_id IN (SELECT id FROM claimed)
), moved AS (
    INSERT INTO payments_paymenttransition (
        id, payment_id, sequence, from_state, to_state, cause, actor, reason, occurred_at, recorded_at, trace_id)
    SELECT transition_id, payment_id, 1, '', 'CREATED', 'request:' || key_id, %(actor)s, '', %(now)s, %(now)s,
        %(trace_id)s
    FROM given WHERE key_id IN (SELECT id FROM claimed)
), told AS (
    INSERT INTO events_outboxevent (
        id, aggregate_type, aggregate_id, sequence, type, data, occurred_at, recorded_at, traceparent,
        delivery_pending, publication_pending, delivery_failures, last_error)
    SELECT event_id, 'payment', payment_id, 1, 'payment.created', event_data, %(now)s, %(now)s, %(traceparent)s,
        true, %(publish)s, 0, ''
    FROM given WHERE key_id IN (SELECT id FROM claimed)
)
SELECT id FROM claimed
"""

_OWNER_COLUMNS: Final = """
    k.id AS key_id, k.key, k.fingerprint, k.field_digests::text, p.id AS payment_id, p.requested, p.currency, p.method,
    p.provider, p.reference, p.customer_reference, p.capture_mode, p.metadata::text, p.created_at
"""

_OWNERS: Final = f"""
SELECT {_OWNER_COLUMNS}
FROM idempotency_idempotencykey k JOIN payments_payment p ON p.key_id = k.id
WHERE k.key = ANY(%(keys)s) AND k.operation = 'payments.create' AND k.client_id = %(client)s
"""  # noqa: S608 - only our own column list is put in

# Finds the owner and notes the replay in one round trip; without an owner it writes nothing. The note does not wait
# for the disk: losing the last few in a crash loses no money.
_REPLAY: Final = f"""
WITH quick AS (
    SELECT set_config('synchronous_commit', 'off', true)
), owner AS (
    SELECT {_OWNER_COLUMNS}
    FROM quick, idempotency_idempotencykey k JOIN payments_payment p ON p.key_id = k.id
    WHERE k.key = %(key)s AND k.operation = 'payments.create' AND k.client_id = %(client)s
        AND k.request_digest = %(request_digest)s
), noted AS (
    INSERT INTO idempotency_keyuse (id, key_id, at, outcome, api_key_prefix, trace_id)
    SELECT %(id)s, owner.key_id, %(now)s, 'REPLAYED', %(api_key_prefix)s, %(trace_id)s FROM owner
)
SELECT * FROM owner
"""  # noqa: S608 - only our own column list is put in

# Positions in the answer of ``_OWNERS`` that need reading.
_FINGERPRINT, _FIELD_DIGESTS, _METADATA = 2, 3, 12

_NOTE_USES: Final = """
WITH quick AS (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO idempotency_keyuse (id, key_id, at, outcome, api_key_prefix, fields, trace_id)
SELECT n.id, n.key_id, %(now)s, n.outcome, %(api_key_prefix)s, n.fields, %(trace_id)s
FROM quick, jsonb_to_recordset(%(rows)s::jsonb) AS n(id uuid, key_id uuid, outcome text, fields jsonb)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What all rows of one statement have in common."""

    client_id: UUID
    actor: str
    api_key_prefix: str
    fingerprint_version: int
    contract_version: int
    policy_version: str
    now: datetime
    expires_at: datetime
    trace_id: str
    traceparent: str
    publish: bool


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns a key: the stored fingerprint and the payment's columns that never change."""

    key_id: UUID
    key: str
    fingerprint: bytes
    field_digests: dict[str, str]
    payment_id: UUID
    requested: int
    currency: str
    method: str
    provider: str
    reference: str
    customer_reference: str
    capture_mode: str
    metadata: dict[str, str]
    created_at: datetime


def accept(*, intake: Intake, rows: Sequence[dict[str, Any]]) -> set[UUID]:
    """Write all rows whose key is free and commit; return the ids of the keys that were taken now.

    Outside a transaction the statement is its own. A row whose key is taken is left out of the answer.
    """
    with _cursor() as cursor:
        cursor.execute(
            _ACCEPT,
            {
                "rows": json.dumps(rows),
                "client": intake.client_id,
                "actor": intake.actor,
                "api_key_prefix": intake.api_key_prefix,
                "fingerprint_version": intake.fingerprint_version,
                "contract_version": intake.contract_version,
                "policy_version": intake.policy_version,
                "now": intake.now,
                "expires_at": intake.expires_at,
                "trace_id": intake.trace_id,
                "traceparent": intake.traceparent,
                "publish": intake.publish,
            },
            prepare=True,
        )
        return {row[0] for row in cursor.fetchall()}


def replay(
    *, client_id: UUID, key: str, request_digest: bytes, use_id: UUID, api_key_prefix: str, now: datetime, trace_id: str
) -> Owner | None:
    """Return the owner of a key whose first request had these very bytes, noting the replay; ``None`` for any other."""
    with _cursor() as cursor:
        cursor.execute(
            _REPLAY,
            {
                "key": key,
                "client": client_id,
                "request_digest": request_digest,
                "id": use_id,
                "now": now,
                "api_key_prefix": api_key_prefix,
                "trace_id": trace_id,
            },
            prepare=True,
        )
        row = cursor.fetchone()
        return _owner(row) if row else None


def owners(*, client_id: UUID, keys: Sequence[str]) -> dict[str, Owner]:
    """Return the owner of each key that this client used to create a payment."""
    with _cursor() as cursor:
        cursor.execute(_OWNERS, {"keys": list(keys), "client": client_id}, prepare=True)
        return {row[1]: _owner(row) for row in cursor.fetchall()}


def note_uses(*, rows: Sequence[dict[str, Any]], api_key_prefix: str, now: datetime, trace_id: str) -> None:
    """Remember later uses of keys: ``id``, ``key_id``, ``outcome`` and the differing ``fields`` of each.

    The notes are for people; losing the last few in a crash loses no money, so they do not wait for the disk.
    """
    with _cursor() as cursor:
        cursor.execute(
            _NOTE_USES,
            {"rows": json.dumps(rows), "now": now, "api_key_prefix": api_key_prefix, "trace_id": trace_id},
            prepare=True,
        )


def _owner(row: tuple[Any, ...]) -> Owner:
    columns = list(row)
    columns[_FINGERPRINT] = bytes(row[_FINGERPRINT])
    columns[_FIELD_DIGESTS] = json.loads(row[_FIELD_DIGESTS])
    columns[_METADATA] = json.loads(row[_METADATA])
    return Owner(*columns)


@contextmanager
def _cursor() -> Iterator[psycopg.Cursor[Any]]:
    """Open a plain psycopg cursor: Django's own binds in the client and cannot use prepared statements."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        yield cursor
