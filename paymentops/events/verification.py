"""Recompute from the rows that no event was lost, doubled or turned round (SEMANTICS, invariant 9)."""

from collections.abc import Iterator
from typing import Any, Final

from django.db import connection, transaction

from paymentops.core.verification import Check

_ONE_PER_VERSION: Final = """
SELECT format('%s %s: %s events of sequence %s', aggregate_type, aggregate_id, count(*), sequence)
FROM events_outboxevent GROUP BY aggregate_type, aggregate_id, sequence HAVING count(*) > 1 OR sequence < 1
"""

# The inbox numbers its rows in the order of handling. What was a dead letter was handled late by a person's decision.
_HANDLED_IN_ORDER: Final = """
SELECT format('%s handled %s before an earlier event of %s %s', consumer, event_id, aggregate_type, aggregate_id)
FROM (
    SELECT i.consumer, i.event_id, i.id, o.aggregate_type, o.aggregate_id,
           max(i.id) OVER (PARTITION BY i.consumer, o.aggregate_id ORDER BY o.sequence
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM events_inboxentry i JOIN events_outboxevent o ON 'evt_' || replace(o.id::text, '-', '') = i.event_id
    WHERE NOT EXISTS (SELECT 1 FROM events_deadletter d
                      WHERE d.source = 'subscriber:' || i.consumer AND d.reference = i.event_id)
) AS handled
WHERE id < before
"""

_NOTHING_OVERTAKES: Final = """
SELECT format('%s was handled while evt_%s of the same %s still waits', i.event_id,
              replace(o.id::text, '-', ''), o.aggregate_type)
FROM events_outboxevent o
JOIN events_outboxevent later ON later.aggregate_id = o.aggregate_id AND later.sequence > o.sequence
JOIN events_inboxentry i ON i.event_id = 'evt_' || replace(later.id::text, '-', '')
WHERE o.delivery_pending
"""

_PUBLISHED_IN_ORDER: Final = """
SELECT format('evt_%s was published while evt_%s of the same %s still waits',
              replace(later.id::text, '-', ''), replace(o.id::text, '-', ''), o.aggregate_type)
FROM events_outboxevent o
JOIN events_outboxevent later ON later.aggregate_id = o.aggregate_id AND later.sequence > o.sequence
WHERE o.publication_pending AND later.published_at IS NOT NULL
"""

_NONE_OVERDUE: Final = """
SELECT format('evt_%s (%s) waits since %s%s', replace(id::text, '-', ''), type, recorded_at,
              CASE WHEN last_error = '' THEN '' ELSE ': ' || last_error END)
FROM events_outboxevent
WHERE (delivery_pending OR publication_pending) AND recorded_at < now() - interval '1 hour'
"""

# What the payments gave up in good order is nothing that anybody failed to handle.
_NO_DEAD_LETTERS: Final = """
SELECT format('%s %s, owner %s, since %s: %s', source, reference, owner, created_at, reason)
FROM events_deadletter WHERE resolved_at IS NULL AND source NOT LIKE 'attempt:%'
"""

_STATEMENTS: Final = {
    "events.one_per_version": _ONE_PER_VERSION,
    "events.handled_in_order": _HANDLED_IN_ORDER,
    "events.nothing_overtakes": _NOTHING_OVERTAKES,
    "events.published_in_order": _PUBLISHED_IN_ORDER,
    "events.none_overdue": _NONE_OVERDUE,
    "events.no_dead_letters": _NO_DEAD_LETTERS,
}


def checks() -> Iterator[Check]:
    """Run every check of the events, one after the other."""
    for name, statement in _STATEMENTS.items():
        yield Check.of(name, (row[0] for row in _stream(statement)))


def _stream(statement: str) -> Iterator[tuple[Any, ...]]:
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(1000):
            yield from rows
