"""Making the tables large: finished payments, written by COPY, consistent in every respect that is verified.

Each was accepted and expired unsent, so it has a key, an attempt, two transitions and two told events, and neither a
provider nor the ledger knows of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from django.db import connection
from psycopg.types.json import Jsonb
from rich.console import Console
from rich.progress import Progress

from paymentops.access.models import ApiClient
from paymentops.core import ids
from paymentops.core.money import Money
from paymentops.idempotency import fingerprint as fingerprints
from paymentops.payments import event_data
from paymentops.payments.commands import CreatePayment
from paymentops.payments.states import CaptureMode
from paymentops.providers.contract import Method

_CHUNK: Final = 20_000
_AGE: Final = timedelta(days=60)

_COLUMNS: Final = {
    "idempotency_idempotencykey": "id, client_id, operation, key, fingerprint, request_digest, fingerprint_version,"
    " field_digests, contract_version, resource_type, resource_id, created_at, api_key_prefix, trace_id",
    "payments_payment": "id, client_id, key_id, version, state, resume_state, currency, requested, authorized,"
    " captured, voided, reversed, refunded, refund_reserved, disputed, method, payment_token, reference,"
    " customer_reference, capture_mode, metadata, provider, policy_version, rollout_decision, failure_class,"
    " failure_code, failure_message, created_at, updated_at, expires_at",
    "payments_attempt": "id, payment_id, operation, version, state, provider, provider_key, currency, amount, fence,"
    " schedule, dispatches, inquiries, was_unknown, provider_reference, result_code, result_class, result_message,"
    " created_at",
    "payments_paymenttransition": "id, payment_id, sequence, from_state, to_state, cause, actor, reason, occurred_at,"
    " recorded_at, trace_id",
    "payments_attempttransition": "id, attempt_id, sequence, from_state, to_state, cause, actor, reason, occurred_at,"
    " recorded_at, trace_id",
    "events_outboxevent": "id, aggregate_type, aggregate_id, sequence, type, data, occurred_at, recorded_at,"
    " traceparent, delivery_pending, publication_pending, delivered_at, delivery_failures, last_error",
}

type Rows = dict[str, list[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class _Filler:
    """Builds the rows of one finished payment."""

    client_id: UUID

    def add(self, rows: Rows, *, at: datetime) -> None:
        """Append all rows of a payment accepted at ``at`` and expired a day later."""
        key_id, payment_id, attempt_id = ids.new(at), ids.new(at), ids.new(at)
        public_id = ids.public(ids.Prefix.PAYMENT, payment_id)
        reference = f"fill-{key_id.hex}"
        command = CreatePayment(
            amount=Money(12990, "EUR"),
            method=Method.CARD,
            payment_token="tok_approved",  # noqa: S106 - the sandbox's name for an instrument
            reference=reference,
            customer_reference="cust-77",
            capture=CaptureMode.AUTOMATIC,
            provider="sandbox",
            metadata={"basket": "B-1"},
        )
        fingerprint = fingerprints.of(command.business_fields())
        end = at + timedelta(hours=24)
        expiry = f"expiry:{ids.public(ids.Prefix.ATTEMPT, attempt_id)}"
        rows["idempotency_idempotencykey"].append(
            (key_id, self.client_id, "payments.create", reference, fingerprint.digest, fingerprint.digest,
             fingerprints.VERSION, Jsonb(dict(fingerprint.fields)), 1, "payment", payment_id, at, "po_fill", "")
        )  # fmt: skip
        rows["payments_payment"].append(
            (payment_id, self.client_id, key_id, 2, "EXPIRED", "", "EUR", 12990, 0, 0, 0, 0, 0, 0, 0, "card",
             "tok_approved", reference, "cust-77", "automatic", Jsonb({"basket": "B-1"}), "sandbox", "2026-11-01",
             Jsonb({}), "", "", "", at, end, end)
        )  # fmt: skip
        rows["payments_attempt"].append(
            (attempt_id, payment_id, "AUTHORIZE", 2, "CANCELED", "sandbox", f"po-{attempt_id.hex}", "EUR", 12990, 1,
             Jsonb({}), 0, 0, False, "", "", "", "", at)
        )  # fmt: skip
        rows["payments_paymenttransition"] += [
            (ids.new(at), payment_id, 1, "", "CREATED", f"request:{key_id}", "system", "", at, at, ""),
            (ids.new(end), payment_id, 2, "CREATED", "EXPIRED", expiry, "system", "", end, end, ""),
        ]
        rows["payments_attempttransition"].append(
            (ids.new(end), attempt_id, 2, "PREPARED", "CANCELED", expiry, "system", "", end, end, "")
        )
        data = event_data.created(
            public_id=public_id,
            amount=12990,
            currency="EUR",
            reference=reference,
            provider="sandbox",
            method="card",
        )
        rows["events_outboxevent"] += [
            _event(payment_id, 1, "payment.created", data, at),
            _event(payment_id, 2, "payment.expired", data | {"state": "EXPIRED"}, end),
        ]


def fill(*, payments: int, client: ApiClient, now: datetime, console: Console) -> None:
    """Add finished payments spread over the sixty days before ``now``; commits every 20,000."""
    filler = _Filler(client.pk)
    step = _AGE / max(1, payments)
    connection.ensure_connection()
    with Progress(console=console) as progress:
        task = progress.add_task("payments", total=payments)
        for moments in _chunks(now - _AGE - timedelta(days=1) + step * n for n in range(payments)):
            rows: Rows = {table: [] for table in _COLUMNS}
            for at in moments:
                filler.add(rows, at=at)
            _copy(rows)
            progress.advance(task, len(moments))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _copy(rows: Rows) -> None:
    with connection.connection.transaction(), psycopg.Cursor(connection.connection) as cursor:
        for table, columns in _COLUMNS.items():
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows[table]:
                    copy.write_row(row)


def _event(payment_id: UUID, sequence: int, kind: str, data: dict[str, Any], at: datetime) -> Sequence[Any]:
    return (ids.new(at), "payment", payment_id, sequence, kind, Jsonb(data), at, at, "", False, False, at, 0, "")


def _chunks(moments: Iterable[datetime]) -> Iterator[list[datetime]]:
    chunk: list[datetime] = []
    for moment in moments:
        chunk.append(moment)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
