"""Recompute from the rows that nothing happened without a second person, and that no paper was changed afterwards.

Nothing here trusts a trigger or a stored hash: a superuser can switch triggers off.
"""

from collections.abc import Iterator
from typing import Any, Final

from django.db import connection, transaction

from paymentops.casework import facts, files, queries
from paymentops.casework.models import Attachment, Proposal
from paymentops.core.verification import Check

_STATES_FOLD: Final = """
SELECT CASE
    WHEN thing.id IS NULL
        THEN format('prp_%s: transitions without a proposal', replace(folded.proposal_id::text, '-', ''))
    WHEN folded.proposal_id IS NULL THEN format('prp_%s: no transition', replace(thing.id::text, '-', ''))
    WHEN NOT folded.legal
        THEN format('prp_%s: impossible transitions %s', replace(thing.id::text, '-', ''), folded.path)
    WHEN thing.version <> folded.last
        THEN format('prp_%s: version %s, its last transition has %s', replace(thing.id::text, '-', ''),
                    thing.version, folded.last)
    ELSE format('prp_%s: is %s, its transitions lead to %s', replace(thing.id::text, '-', ''), thing.state,
                folded.state)
END
FROM casework_proposal thing
FULL JOIN (
    SELECT proposal_id, max(sequence) AS last, (array_agg(to_state ORDER BY sequence DESC))[1] AS state,
           string_agg(to_state, ' > ' ORDER BY sequence) AS path,
           bool_and(from_state = previous_state AND sequence = previous_sequence + 1
                    AND (from_state, to_state) IN (
                        ('', 'PROPOSED'), ('PROPOSED', 'APPROVED'), ('PROPOSED', 'REJECTED'),
                        ('PROPOSED', 'WITHDRAWN'), ('PROPOSED', 'STALE'), ('APPROVED', 'CARRIED_OUT'),
                        ('APPROVED', 'REFUSED'))) AS legal
    FROM (
        SELECT proposal_id, sequence, from_state, to_state,
               lag(to_state, 1, '') OVER moves AS previous_state,
               lag(sequence, 1, 0) OVER moves AS previous_sequence
        FROM casework_proposaltransition WINDOW moves AS (PARTITION BY proposal_id ORDER BY sequence)
    ) step
    GROUP BY proposal_id
) folded ON folded.proposal_id = thing.id
WHERE thing.id IS NULL OR folded.proposal_id IS NULL OR NOT folded.legal
   OR thing.version <> folded.last OR thing.state <> folded.state
"""

# By the row, by the transitions and by the audit, which three different inserts have written.
_SECOND_PERSON: Final = """
SELECT format('prp_%s: %s', replace(id::text, '-', ''), wrong)
FROM (
    SELECT id, 'is ' || state || ' and nobody decided on it' AS wrong FROM casework_proposal
    WHERE state IN ('APPROVED', 'CARRIED_OUT', 'REFUSED', 'REJECTED') AND decided_by_id IS NULL
    UNION ALL
    SELECT id, 'was decided on by its proposer' FROM casework_proposal WHERE decided_by_id = proposed_by_id
    UNION ALL
    SELECT decided.proposal_id, decided.actor || ' proposed and decided'
    FROM casework_proposaltransition decided
    JOIN casework_proposaltransition first ON first.proposal_id = decided.proposal_id AND first.from_state = ''
    WHERE decided.to_state IN ('APPROVED', 'REJECTED') AND decided.actor = first.actor
    UNION ALL
    SELECT thing.id, 'its approval has no audit row of the person who gave it'
    FROM casework_proposal thing JOIN access_user person ON person.id = thing.decided_by_id
    WHERE thing.state IN ('APPROVED', 'CARRIED_OUT', 'REFUSED') AND NOT EXISTS (
        SELECT FROM access_auditentry
        WHERE object_type = 'proposal' AND object_id = 'prp_' || replace(thing.id::text, '-', '')
          AND action = 'proposal.approved' AND user_id = person.id)
) found
"""

_OWNERS_FOLD: Final = """
SELECT format('owner of %s %s: differs from its last change', thing.subject_type, thing.subject_id)
FROM casework_ownership thing
LEFT JOIN casework_ownershipchange last ON last.ownership_id = thing.id AND last.version = thing.version
WHERE last.id IS NULL
   OR (last.team_id, last.owner_id, last.offered_to_id)
      IS DISTINCT FROM (thing.team_id, thing.owner_id, thing.offered_to_id)
   OR (SELECT count(*) FROM casework_ownershipchange change WHERE change.ownership_id = thing.id) <> thing.version
"""

_BOUND_ARE_KEPT: Final = """
SELECT format('fil_%s: belongs to %s %s and is not kept', replace(file.id::text, '-', ''), bound.subject_type,
              bound.subject_id)
FROM casework_attachmentbinding bound JOIN casework_attachment file ON file.id = bound.attachment_id
WHERE file.stored_at IS NULL OR file.discarded_at IS NOT NULL
"""

_STATEMENTS: Final = {
    "casework.states_fold": _STATES_FOLD,
    "casework.second_person": _SECOND_PERSON,
    "casework.owners_fold": _OWNERS_FOLD,
    "casework.bound_files_kept": _BOUND_ARE_KEPT,
}


def checks() -> Iterator[Check]:
    """Run every check of the casework, one after the other."""
    for name, statement in _STATEMENTS.items():
        yield Check.of(name, (row[0] for row in _stream(statement)))
    yield Check.of("casework.proposals_as_hashed", _proposals_changed())
    yield Check.of("casework.files_as_uploaded", _files_changed())


def _proposals_changed() -> Iterator[str]:
    rows = Proposal.objects.order_by("id").only("payload", "payload_hash", "snapshot", "snapshot_hash")
    for proposal in rows.iterator(chunk_size=500):
        for what in ("payload", "snapshot"):
            if facts.digest(getattr(proposal, what)) != getattr(proposal, f"{what}_hash"):
                yield f"{proposal}: its {what} is not the one that was proposed"


def _files_changed() -> Iterator[str]:
    kept = Attachment.objects.filter(stored_at__isnull=False, discarded_at=None).order_by("id")
    for attachment in kept.iterator(chunk_size=500):
        try:
            with queries.content(attachment) as file:
                found = files.digest_of(file)
        except OSError:
            yield f"{attachment}: the bytes of {attachment.name} cannot be read"
            continue
        if found != attachment.sha256:
            yield f"{attachment}: {attachment.name} is not the file that was uploaded"


def _stream(statement: str) -> Iterator[tuple[Any, ...]]:
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(1000):
            yield from rows
