"""Looking for payments that look alike: set-based, each by an index that was there already."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from paymentops.core import ids
from paymentops.payments.models.duplicates import MOVED_NOTHING

_HOLD: Final = "SELECT pg_advisory_xact_lock(number) FROM unnest(%(numbers)s::bigint[]) AS number"

# The newest payment with this reference, or of this payer; what moved no money may be tried again. A maximum and no
# "first of a sorted list": for that the planner may walk all payments backwards instead of using the reference's index.
_LIKE: Final = """
    SELECT max(id) AS id FROM (
        SELECT p.id::text FROM payments_payment p
        WHERE p.reference = {later}.reference AND p.client_id = {client} AND p.requested = {amount}
          AND p.currency = {later}.currency AND p.created_at > {since} AND {is_earlier}
          AND NOT p.state = ANY(%(moved_nothing)s)
        UNION ALL
        SELECT p.id::text FROM payments_payment p
        WHERE p.customer_reference = {later}.customer_reference AND p.customer_reference <> ''
          AND p.client_id = {client} AND p.requested = {amount}
          AND p.currency = {later}.currency AND p.created_at > {since} AND {is_earlier}
          AND NOT p.state = ANY(%(moved_nothing)s)
    ) AS alike
"""

_BEFORE_ACCEPTING: Final = f"""
SELECT g.number, k.id IS NOT NULL, earlier.id::uuid
FROM jsonb_to_recordset(%(rows)s::jsonb)
     AS g(number int, key text, amount bigint, currency text, reference text, customer_reference text)
LEFT JOIN idempotency_idempotencykey k
     ON k.key = g.key AND k.operation = 'payments.create' AND k.client_id = %(client)s
CROSS JOIN LATERAL (
    {_LIKE.format(later="g", client="%(client)s", amount="g.amount", since="%(since)s", is_earlier="true")}
) earlier
"""  # noqa: S608 - only our own text is put in
_AFTER_ACCEPTING: Final = f"""
SELECT g.number, earlier.id::uuid
FROM jsonb_to_recordset(%(rows)s::jsonb)
     AS g(number int, payment_id uuid, amount bigint, currency text, reference text, customer_reference text)
CROSS JOIN LATERAL ({
    _LIKE.format(
        later="g", client="%(client)s", amount="g.amount", since="%(since)s", is_earlier="p.id <> g.payment_id"
    )
}) earlier
WHERE earlier.id IS NOT NULL
"""  # noqa: S608 - only our own text is put in
_AMONG_ACCEPTED: Final = f"""
SELECT later.id, earlier.id::uuid
FROM payments_payment later JOIN access_apiclient c ON c.id = later.client_id
CROSS JOIN LATERAL ({
    _LIKE.format(
        later="later",
        client="later.client_id",
        amount="later.requested",
        since="later.created_at - coalesce(c.duplicate_window_seconds, %(window)s) * interval '1 second'",
        is_earlier="p.id < later.id",
    )
}) earlier
WHERE later.id >= %(first)s AND later.id < %(last)s AND earlier.id IS NOT NULL
ORDER BY later.id
"""  # noqa: S608 - only our own text is put in
_USED_AGAIN: Final = """
SELECT k.id, k.client_id, k.key, k.operation, k.resource_type, k.resource_id, u.outcome, count(*), min(u.at),
    max(u.at), jsonb_path_query_array(jsonb_agg(u.fields), '$[*][*]')::text
FROM idempotency_keyuse u JOIN idempotency_idempotencykey k ON k.id = u.key_id
WHERE (u.key_id, u.outcome) IN (SELECT r.key_id, r.outcome FROM idempotency_keyuse r
                                WHERE r.id >= %(first)s AND r.id < %(last)s)
GROUP BY k.id, u.outcome ORDER BY k.id
"""


def hold(numbers: Sequence[int]) -> None:
    """Wait until nobody else holds one of these locks and hold them until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, {"numbers": list(numbers)})


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands beside one wanted payment: whether its key was used already, and the newest payment it looks like."""

    key_used: bool
    earlier: UUID | None


def before_accepting(*, client_id: UUID, rows: list[dict[str, Any]], since: datetime) -> dict[int, Seen]:
    """Return what stands beside each row, by its ``number``, counting payments since ``since``."""
    return {number: Seen(used, earlier) for number, used, earlier in _asked(_BEFORE_ACCEPTING, client_id, rows, since)}


def after_accepting(*, client_id: UUID, rows: list[dict[str, Any]], since: datetime) -> dict[int, UUID]:
    """Return the newest other payment since ``since`` that each accepted row, by its ``number``, looks like."""
    return dict(_asked(_AFTER_ACCEPTING, client_id, rows, since))


def among_accepted(*, since: datetime, until: datetime, window: timedelta) -> list[tuple[UUID, UUID]]:
    """Return each payment created in a period with the newest earlier one it looks like, within its client's window."""
    with connection.cursor() as cursor:
        cursor.execute(
            _AMONG_ACCEPTED,
            {
                "first": ids.first_at(since),
                "last": ids.first_at(until),
                "window": window.total_seconds(),
                "moved_nothing": [*MOVED_NOTHING],
            },
        )
        return [(later, earlier) for later, earlier in cursor.fetchall()]


def used_again(*, since: datetime, until: datetime) -> list[tuple[Any, ...]]:
    """Return every key that was used again in a period, with all its uses: how often, from when to when, and how."""
    with connection.cursor() as cursor:
        cursor.execute(_USED_AGAIN, {"first": ids.first_at(since), "last": ids.first_at(until)})
        return list(cursor.fetchall())


def _asked(statement: str, client_id: UUID, rows: list[dict[str, Any]], since: datetime) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {"rows": json.dumps(rows), "client": client_id, "since": since, "moved_nothing": [*MOVED_NOTHING]},
        )
        return list(cursor.fetchall())
