"""Recompute from the rows that every incident stands where its moves lead, once per trouble, with one owner."""

from collections.abc import Iterator
from typing import Any, Final

from django.db import connection, transaction

from paymentops.core.verification import Check
from paymentops.incidents.states import FINISHED, MOVES

_STATES_FOLD: Final = """
SELECT CASE
    WHEN folded.incident_id IS NULL THEN format('inc_%%s: no transition', replace(thing.id::text, '-', ''))
    WHEN NOT folded.legal
        THEN format('inc_%%s: impossible transitions %%s', replace(thing.id::text, '-', ''), folded.path)
    WHEN thing.version <> folded.last
        THEN format('inc_%%s: version %%s, its last transition has %%s', replace(thing.id::text, '-', ''),
                    thing.version, folded.last)
    ELSE format('inc_%%s: is %%s, its transitions lead to %%s', replace(thing.id::text, '-', ''), thing.state,
                folded.state)
END
FROM incidents_incident thing
LEFT JOIN (
    SELECT incident_id, max(sequence) AS last, (array_agg(to_state ORDER BY sequence DESC))[1] AS state,
           string_agg(to_state, ' > ' ORDER BY sequence) AS path,
           bool_and(from_state = previous_state AND sequence = previous_sequence + 1
                    AND from_state || '>' || to_state = ANY(%(moves)s)) AS legal
    FROM (
        SELECT incident_id, sequence, from_state, to_state,
               lag(to_state, 1, '') OVER moves AS previous_state,
               lag(sequence, 1, 0) OVER moves AS previous_sequence
        FROM incidents_incidenttransition WINDOW moves AS (PARTITION BY incident_id ORDER BY sequence)
    ) step
    GROUP BY incident_id
) folded ON folded.incident_id = thing.id
WHERE folded.incident_id IS NULL OR NOT folded.legal OR thing.version <> folded.last OR thing.state <> folded.state
"""

_ONE_PER_FINGERPRINT: Final = """
SELECT format('%%s incidents of the rule %%s are unfinished under one fingerprint', count(*), min(rule))
FROM incidents_incident WHERE NOT state = ANY(%(finished)s) GROUP BY fingerprint HAVING count(*) > 1
"""

# Nothing trusts the unique keys: the one row of the owner is found by what it says it is about.
_ONE_OWNER: Final = """
SELECT format('inc_%%s: %%s', replace(thing.id::text, '-', ''),
              CASE WHEN owner.id IS NULL THEN 'belongs to no team and nobody'
                   WHEN NOT about.its THEN 'its owner belongs to another thing'
                   WHEN about.rows > 1 THEN 'has ' || about.rows || ' owners'
                   ELSE 'belongs to no team' END)
FROM incidents_incident thing
LEFT JOIN casework_ownership owner ON owner.id = thing.ownership_id
CROSS JOIN LATERAL (
    SELECT count(*) AS rows, coalesce(bool_or(row.id = thing.ownership_id), false) AS its
    FROM casework_ownership row
    WHERE row.subject_type = 'incident' AND row.subject_id = 'inc_' || replace(thing.id::text, '-', '')
) about
WHERE owner.id IS NULL OR NOT about.its OR about.rows > 1 OR owner.team_id IS NULL
"""

# Signals stay with the incident they were counted on, also when that one was merged later.
_SIGNALS_COUNTED: Final = """
SELECT format('inc_%%s: counts %%s signals and has %%s', replace(thing.id::text, '-', ''), thing.signals, found.number)
FROM incidents_incident thing
CROSS JOIN LATERAL (SELECT count(*) AS number FROM incidents_signal s WHERE s.incident_id = thing.id) found
WHERE thing.signals <> found.number
"""

_RESOLVED_ARE_SETTLED: Final = """
SELECT format('inc_%%s: is %%s with %%s payments at risk', replace(thing.id::text, '-', ''), thing.state, count(*))
FROM incidents_incident thing JOIN incidents_incidentpayment link ON link.incident_id = thing.id
WHERE thing.state IN ('RESOLVED', 'CLOSED', 'MERGED') AND link.resolved_at IS NULL
GROUP BY thing.id, thing.state
"""

_STATEMENTS: Final = {
    "incidents.states_fold": _STATES_FOLD,
    "incidents.one_unfinished_per_fingerprint": _ONE_PER_FINGERPRINT,
    "incidents.one_team_one_owner": _ONE_OWNER,
    "incidents.signals_counted": _SIGNALS_COUNTED,
    "incidents.resolved_are_settled": _RESOLVED_ARE_SETTLED,
}


def checks() -> Iterator[Check]:
    """Run every check of the incidents, one after the other."""
    for name, statement in _STATEMENTS.items():
        yield Check.of(name, (row[0] for row in _stream(statement)))


def _stream(statement: str) -> Iterator[tuple[Any, ...]]:
    values = {
        "moves": [f"{source}>{target}" for source, target in MOVES],
        "finished": [str(state) for state in FINISHED],
    }
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(statement, values)
        while rows := cursor.fetchmany(1000):
            yield from rows
