"""Reading the system's own views of what happened: the database, the ledger and what is still on its way."""

from dataclasses import dataclass
from typing import Any, Final

from paymentops.chaos.system import System

_PAYMENTS: Final = """
SELECT 'pay_' || replace(p.id::text, '-', ''), c.name, k.key, p.requested, p.currency, p.state,
    p.authorized, p.captured, p.voided, p.refunded
FROM payments_payment p
JOIN idempotency_idempotencykey k ON k.id = p.key_id
JOIN access_apiclient c ON c.id = p.client_id
ORDER BY p.id
"""

# What waits for a later moment by plan is left out: an event that is put off, a notification that is tried again.
_UNFINISHED: Final = (
    """
    SELECT format('%s of pay_%s is %s at %s, next looked at %s', lower(operation), replace(payment_id::text, '-', ''),
                  state, provider, next_action_at)
    FROM payments_attempt WHERE state IN ('PREPARED', 'DISPATCHED', 'PENDING', 'ACTION_REQUIRED', 'UNKNOWN')
    """,
    """
    SELECT format('pay_%s is %s', replace(id::text, '-', ''), state) FROM payments_payment
    WHERE state IN ('CREATED', 'PROCESSING', 'REQUIRES_ACTION', 'UNKNOWN_OUTCOME')
    """,
    """
    SELECT format('ref_%s is %s', replace(id::text, '-', ''), state) FROM payments_refund
    WHERE state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELED', 'REJECTED', 'REVERSED')
    """,
    """
    SELECT format('the event %s of %s is not delivered: %s', type, aggregate_id, last_error)
    FROM events_outboxevent WHERE delivery_pending AND coalesce(next_delivery_at, now()) <= now()
    """,
    """
    SELECT format('the transition %s of the ledger is not sealed', t.id) FROM ledger_entry_transition t
    WHERE NOT EXISTS (SELECT FROM ledger_chain_link c WHERE c.transition_id = t.id)
    """,
    """
    SELECT format('the notification %s is %s: %s', id, state, last_error) FROM payments_webhookdelivery
    WHERE next_try_at <= now()
    """,
)
_AMOUNTS: Final = ("authorized", "captured", "voided", "refunded")


@dataclass(frozen=True, slots=True)
class Amounts:
    """The sums of one payment in minor units, as one view has them."""

    authorized: int = 0
    captured: int = 0
    voided: int = 0
    refunded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A payment as the database has it."""

    id: str
    service: str
    key: str
    requested: int
    currency: str
    state: str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Booked:
    """What the books say of one payment: receivable posted, and held."""

    posted: int = 0
    pending: int = 0


def payments(system: System) -> list[Row]:
    """Return every payment of the database."""
    return [
        Row(
            id=public_id,
            service=service,
            key=key,
            requested=requested,
            currency=currency,
            state=state,
            amounts=Amounts(*sums),
        )
        for public_id, service, key, requested, currency, state, *sums in system.rows(_PAYMENTS)
    ]


def requests(system: System) -> dict[tuple[str, str, str], int]:
    """Count the captures, cancels and refunds of the database by service, kind and key."""
    found = system.rows(
        "SELECT c.name, r.what, k.key, count(*) FROM ("
        " SELECT 'captures' AS what, key_id FROM payments_capture"
        " UNION ALL SELECT 'cancel', key_id FROM payments_cancellation"
        " UNION ALL SELECT 'refunds', key_id FROM payments_refund) r"
        " JOIN idempotency_idempotencykey k ON k.id = r.key_id JOIN access_apiclient c ON c.id = k.client_id"
        " GROUP BY 1, 2, 3"
    )
    return {(service, what, key): int(count) for service, what, key, count in found}


def books(system: System) -> dict[str, Booked]:
    """Return what the ledger's lines say of each payment, from its entries and those of its captures and refunds."""
    found = system.rows(
        "SELECT 'pay_' || replace(s.payment_id::text, '-', ''),"
        " coalesce(sum(l.amount) FILTER (WHERE e.state IN ('POSTED', 'REVERSED')), 0),"
        " coalesce(sum(l.amount) FILTER (WHERE e.state = 'PENDING'), 0)"
        " FROM (SELECT id AS payment_id, id AS source_id FROM payments_payment"
        "  UNION ALL SELECT payment_id, id FROM payments_capture"
        "  UNION ALL SELECT payment_id, id FROM payments_refund) s"
        " JOIN ledger_entry e ON e.source_id = s.source_id"
        " JOIN ledger_line l ON l.entry_id = e.id JOIN ledger_account a ON a.id = l.account_id"
        " WHERE a.code LIKE '1110%' GROUP BY 1"
    )
    return {payment: Booked(int(posted), int(pending)) for payment, posted, pending in found}


def unfinished(system: System) -> list[str]:
    """Name what has not come to its end, one sentence each; what waits for a later moment by plan is left out."""
    with system.database() as database:
        return [str(row[0]) for statement in _UNFINISHED for row in database.execute(statement.encode()).fetchall()]


def found_only_later(system: System) -> int:
    """Count the inquiries that were told "not found" about something that had happened after all."""
    [(count,)] = system.rows(
        "SELECT count(*) FROM payments_providercall c JOIN payments_attempt a ON a.id = c.attempt_id"
        " WHERE c.kind = 'INQUIRY' AND c.outcome = 'NotFound' AND a.state = 'SUCCEEDED' AND a.dispatches = 1"
    )
    return int(count)


def refused_connections(system: System) -> int:
    """Count the calls that found nobody listening."""
    [(count,)] = system.rows(
        "SELECT count(*) FROM payments_providercall WHERE outcome = 'NotSent' AND message LIKE 'not_connected%'"
    )
    return int(count)


def amounts_of(charge: dict[str, Any]) -> Amounts:
    """Return the sums of a charge in the provider's own truth."""
    return Amounts(*(int(charge[name]) for name in _AMOUNTS))
