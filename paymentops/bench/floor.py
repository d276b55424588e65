"""The floor of intake: what the database alone can take, with no product around it.

The rows that one payment is go straight into the product's own tables, with all keys, indexes, foreign keys and
triggers, pipelined with their commit, from two processes of eight psycopg connections, at the database's durability.
"""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from paymentops.bench import parallel
from paymentops.bench.measuring import Sample
from paymentops.bench.parallel import Lane
from paymentops.core import ids

_INSERTS: Final = (
    """INSERT INTO idempotency_idempotencykey (id, client_id, operation, key, fingerprint, request_digest,
        fingerprint_version, field_digests, contract_version, resource_type, resource_id, created_at, api_key_prefix,
        trace_id)
    VALUES (%(key_id)s, %(client)s, 'payments.create', %(key)s, %(fingerprint)s, %(fingerprint)s, 1, %(digests)s, 1,
        'payment', %(payment_id)s, %(now)s, 'po_floor', '')""",
    """INSERT INTO payments_payment (id, client_id, key_id, version, state, resume_state, currency, requested,
        authorized, captured, voided, reversed, refunded, refund_reserved, disputed, method, payment_token, reference,
        customer_reference, capture_mode, metadata, provider, policy_version, rollout_decision, failure_class,
        failure_code, failure_message, created_at, updated_at, expires_at)
    VALUES (%(payment_id)s, %(client)s, %(key_id)s, 1, 'CREATED', '', 'EUR', 12990, 0, 0, 0, 0, 0, 0, 0, 'card',
        'tok_approved', %(key)s, 'cust-77', 'automatic', %(metadata)s, 'sandbox', '2026-11-01', '{}', '', '', '',
        %(now)s, %(now)s, %(expires)s)""",
    """INSERT INTO payments_attempt (id, payment_id, operation, version, state, provider, provider_key, currency,
        amount, fence, next_action_at, schedule, dispatches, inquiries, was_unknown, provider_reference, result_code,
        result_class, result_message, created_at)
    VALUES (%(attempt_id)s, %(payment_id)s, 'AUTHORIZE', 1, 'PREPARED', 'sandbox', %(provider_key)s, 'EUR', 12990, 0,
        %(due)s, '{}', 0, 0, false, '', '', '', '', %(now)s)""",
    """INSERT INTO payments_paymenttransition (id, payment_id, sequence, from_state, to_state, cause, actor, reason,
        occurred_at, recorded_at, trace_id)
    VALUES (%(transition_id)s, %(payment_id)s, 1, '', 'CREATED', %(cause)s, 'floor', '', %(now)s, %(now)s, '')""",
    """INSERT INTO events_outboxevent (id, aggregate_type, aggregate_id, sequence, type, data, occurred_at,
        recorded_at, traceparent, delivery_pending, publication_pending, delivery_failures, last_error)
    VALUES (%(event_id)s, 'payment', %(payment_id)s, 1, 'payment.created', %(event)s, %(now)s, %(now)s, '', true,
        false, 0, '')""",
)


def run(*, conninfo: str, client_id: UUID, payments: int, processes: int, connections: int, due: datetime) -> Sample:
    """Write ``payments`` payments; ``due`` is when a worker may take them on.

    Raises:
        BenchFailed: the database refused a row.
    """
    share = payments // (processes * connections)
    prepare = partial(_open, conninfo, client_id, share=share, connections=connections, due=due)
    return parallel.measure([prepare] * processes)


def _open(conninfo: str, client_id: UUID, *, share: int, connections: int, due: datetime) -> list[Lane]:
    opened = [psycopg.connect(conninfo, prepare_threshold=0, autocommit=True) for _ in range(connections)]
    return [partial(_lane, connection, [_row(client_id, due) for _ in range(share)]) for connection in opened]


def _lane(connection: psycopg.Connection, rows: Sequence[dict[str, Any]]) -> list[float]:
    """Write one connection's payments one after the other; return the seconds each took."""
    latencies = []
    with connection.pipeline() as pipeline, connection.cursor() as cursor:
        for row in rows:
            started = time.perf_counter()
            with connection.transaction():
                for insert in _INSERTS:
                    cursor.execute(insert, row)
            pipeline.sync()
            latencies.append(time.perf_counter() - started)
    return latencies


def _row(client_id: UUID, due: datetime) -> dict[str, Any]:
    now = datetime.now(UTC)
    payment_id, attempt_id, key_id = ids.new(now), ids.new(now), ids.new(now)
    public_id = ids.public(ids.Prefix.PAYMENT, payment_id)
    names = ("amount", "capture", "currency", "customer_reference", "metadata", "method", "payment_token", "reference")
    return {
        "client": client_id,
        "now": now,
        "due": due,
        "expires": now + timedelta(hours=24),
        "key_id": key_id,
        "key": f"floor-{key_id.hex}",
        "fingerprint": key_id.bytes * 2,
        "digests": Jsonb(dict.fromkeys((*names, "provider"), key_id.hex[:12])),
        "payment_id": payment_id,
        "metadata": Jsonb({"basket": "B-1"}),
        "attempt_id": attempt_id,
        "provider_key": f"po-{attempt_id.hex}",
        "transition_id": ids.new(now),
        "cause": f"request:{key_id}",
        "event_id": ids.new(now),
        "event": Jsonb(json.loads(_EVENT % public_id)),
    }


_EVENT: Final = (
    '{"id": "%s", "state": "CREATED", "amount": "12990", "currency": "EUR", "reference": "order-10293-attempt",'
    ' "provider": "sandbox", "method": "card"}'
)
