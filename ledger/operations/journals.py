"""Journals and reversals by hand: one person proposes, another approves, and the entry is posted in the approval.

A proposal that is approved twice, or by two people at once, is posted once: the proposal moves once, and the entry's
source is the proposal. An approval is refused when an account or the month was closed, or the entry moved, meanwhile.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from ledger import journals
from ledger.journals import Journal, JournalNotUsable
from ledger.models import Entry, State
from ledger.operations import posting
from ledger.operations.posting import EntryNotFound, EntryNotInState
from ledger.proposals import JOURNAL, REVERSAL
from ledger.queries import journals as queries
from paymentops.access.actors import Actor
from paymentops.casework import operations as casework
from paymentops.casework.models import Attachment, Proposal, Subject
from paymentops.casework.operations import Decision, Draft
from paymentops.core import ids, tracing
from paymentops.core.errors import Conflict

# These follow a payment, which would contradict the books if its entry were taken back behind its back.
FOLLOWS_ITS_THING: Final = frozenset({"payment", "capture", "refund", "dispute"})


class NotReversedByHand(Conflict):
    """The entry belongs to a payment; only what happens to the payment takes it back."""

    code = "ledger.not_reversed_by_hand"
    title = "This entry is not reversed by hand"


@transaction.atomic
def propose_journal(
    journal: Journal, *, reason: str, attachment_ids: Sequence[UUID] = (), by: Actor, now: datetime
) -> Proposal:
    """Propose a journal; a second person posts it by approving. Emits ``casework.proposed``.

    Args:
        journal: template, lines, description and moment.
        reason: why it is needed.
        attachment_ids: files that ``by`` uploaded; they are bound to the proposal.
        by: a person with ``ledger.propose_journal``, or a service.
        now: when.

    Raises:
        UnbalancedPosting, UnknownTemplate, UnknownAccount, JournalNotUsable: see ``journals.check``.
        AccountClosed, EntryNotFound, EntryNotInState: an account is closed; the entry to correct is not posted.
        NotAllowed, InvalidInput, AttachmentNotUsable: see ``casework.propose`` and ``casework.bind``.
    """
    journals.check(journal, now=now)
    if journals.template(journal.template).needs_attachment and not attachment_ids:
        raise JournalNotUsable("This kind of journal needs a file that proves it; attach one.")
    _require_open(queries.account_states(line.account for line in journal.lines))
    if journal.corrects is not None:
        _require_posted(journal.corrects)
    proposal_id = ids.new(now)
    subject = Subject(journals.SOURCE_TYPE, ids.public(ids.Prefix.PROPOSAL, proposal_id))
    payload = journals.as_payload(journal)
    return _propose(
        JOURNAL.name,
        subject,
        payload=payload,
        snapshot=queries.journal_facts(journal),
        reason=reason,
        attachment_ids=attachment_ids,
        proposal_id=proposal_id,
        by=by,
        now=now,
    )


def approve_journal(*, proposal_id: UUID, version: int, by: Actor, note: str = "", now: datetime) -> Decision[Entry]:
    """Approve a journal and post it, in one transaction. Locks the proposal and what ``post`` locks.

    The decision says whether it was posted, went stale or was refused by the books; ``carried_out()`` returns the entry
    or raises why there is none. See ``casework.approve`` for what is raised.
    """
    return casework.approve(
        proposal_id=_of_kind(proposal_id, JOURNAL.name),
        version=version,
        by=by,
        look=lambda proposal: queries.journal_facts(journals.from_payload(proposal.payload)),
        carry_out=lambda proposal: _post(proposal, by=by, now=now),
        note=note,
        now=now,
    )


@transaction.atomic
def propose_reversal(
    entry_id: UUID,
    *,
    occurred_at: datetime,
    reason: str,
    attachment_ids: Sequence[UUID] = (),
    by: Actor,
    now: datetime,
) -> Proposal:
    """Propose to take a posted entry back by its opposite. Emits ``casework.proposed``.

    Raises:
        EntryNotFound, EntryNotInState: there is no such entry, or it is not posted.
        NotReversedByHand: it belongs to a payment; propose a correction instead.
        AccountClosed: one of its accounts is closed.
        JournalNotUsable: the moment lies in the future.
        AlreadyProposed, NotAllowed, InvalidInput, AttachmentNotUsable: see the casework.
    """
    if occurred_at.tzinfo is None or occurred_at > now:
        raise JournalNotUsable("A reversal cannot happen in the future; give a moment that has passed, with its zone.")
    entry = _require_posted(entry_id)
    if entry.source_type in FOLLOWS_ITS_THING:
        raise NotReversedByHand(
            f"{entry} belongs to a {entry.source_type}, which would contradict the books; propose a correction of it."
        )
    facts = queries.reversal_facts(entry_id, occurred_at=occurred_at)
    _require_open(facts["accounts"])
    return _propose(
        REVERSAL.name,
        Subject("entry", str(entry)),
        payload={"entry": str(entry), "occurred_at": occurred_at.isoformat()},
        snapshot=facts,
        reason=reason,
        attachment_ids=attachment_ids,
        proposal_id=ids.new(now),
        by=by,
        now=now,
    )


def approve_reversal(*, proposal_id: UUID, version: int, by: Actor, note: str = "", now: datetime) -> Decision[Entry]:
    """Approve a reversal and post it, in one transaction; see ``approve_journal``."""
    return casework.approve(
        proposal_id=_of_kind(proposal_id, REVERSAL.name),
        version=version,
        by=by,
        look=lambda proposal: queries.reversal_facts(
            _entry_id(proposal), occurred_at=datetime.fromisoformat(proposal.payload["occurred_at"])
        ),
        carry_out=lambda proposal: _reverse(proposal, by=by, now=now),
        note=note,
        now=now,
    )


def _propose(
    kind: str,
    subject: Subject,
    *,
    payload: Mapping[str, Any],
    snapshot: Mapping[str, Any],
    reason: str,
    attachment_ids: Sequence[UUID],
    proposal_id: UUID,
    by: Actor,
    now: datetime,
) -> Proposal:
    files = casework.bind(attachment_ids, subject=subject, by=by, now=now)
    draft = Draft(
        kind=kind,
        subject=subject,
        payload={**payload, "attachments": [_named(file) for file in files]},
        snapshot=snapshot,
        reason=reason,
        id=proposal_id,
    )
    return casework.propose(draft, by=by, now=now)


def _post(proposal: Proposal, *, by: Actor, now: datetime) -> Entry:
    journal = journals.from_payload(proposal.payload)
    return posting.post(
        journals.posting(journal, proposal_id=proposal.pk),
        occurred_at=journal.occurred_at,
        now=now,
        cause=_cause(proposal),
        actor=by.name,
        trace_id=tracing.current_trace_id(),
    )


def _reverse(proposal: Proposal, *, by: Actor, now: datetime) -> Entry:
    return posting.reverse(
        _entry_id(proposal),
        cause=_cause(proposal),
        occurred_at=datetime.fromisoformat(proposal.payload["occurred_at"]),
        now=now,
        actor=by.name,
        trace_id=tracing.current_trace_id(),
    )


def _cause(proposal: Proposal) -> str:
    """Return the cause that stands on the entry's transition; ``verification.journals`` reads it back."""
    return f"proposal:{proposal.public_id}"


def _entry_id(proposal: Proposal) -> UUID:
    return ids.parse(ids.Prefix.ENTRY, proposal.payload["entry"])


def _named(file: Attachment) -> dict[str, str]:
    return {"id": file.public_id, "name": file.name, "sha256": file.sha256}


def _of_kind(proposal_id: UUID, kind: str) -> UUID:
    """Return the id of a proposal if it is of a kind; what another kind carries out is not ours."""
    if not Proposal.objects.filter(pk=proposal_id, kind=kind).exists():
        raise casework.ProposalNotFound("There is no such proposal to the ledger under this id.")
    return proposal_id


def _require_posted(entry_id: UUID) -> Entry:
    entry = Entry.objects.filter(pk=entry_id).first()
    if entry is None:
        raise EntryNotFound(f"There is no entry {ids.public(ids.Prefix.ENTRY, entry_id)}.")
    if entry.state != State.POSTED:
        raise EntryNotInState(f"{entry} is {entry.state}; only what is posted can be corrected or reversed.")
    return entry


def _require_open(states: Mapping[str, str]) -> None:
    if closed := [account for account, state in states.items() if state == "closed"]:
        raise posting.AccountClosed(f"{closed[0]} is closed; open it again or use another account.")
