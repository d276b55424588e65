"""What people propose by hand: the facts an approval depends on, and the journals themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from ledger import journals
from ledger.chart import AccountRef
from ledger.journals import Journal
from ledger.models import Account, Entry, Line, Period, PeriodState
from ledger.proposals import JOURNAL, KINDS
from paymentops.casework import queries as casework
from paymentops.casework.models import Attachment, Proposal


@dataclass(frozen=True, slots=True)
class JournalView:
    """A proposed journal as people read it, with the entry it became, if it did, and the files beside it."""

    proposal: Proposal
    journal: Journal
    entry: Entry | None
    attachments: tuple[Attachment, ...]


def journal_facts(journal: Journal) -> dict[str, Any]:
    """Return what an approval depends on: whether the accounts and the month are open, and the entry to correct.

    Balances move all day and are no such fact.
    """
    facts: dict[str, Any] = {
        "accounts": account_states(line.account for line in journal.lines),
        "month": month_state(journal.occurred_at),
    }
    if journal.corrects is not None:
        facts["entry"] = entry_facts(journal.corrects)
    return facts


def reversal_facts(entry_id: UUID, *, occurred_at: datetime) -> dict[str, Any]:
    """Return what the approval of a reversal depends on: the entry itself, its accounts and the month."""
    lines = Line.objects.filter(entry_id=entry_id).select_related("account").order_by("number")
    accounts = [AccountRef(line.account.code, line.currency, line.account.name) for line in lines]
    return {
        "accounts": account_states(accounts),
        "month": month_state(occurred_at),
        "entry": entry_facts(entry_id),
    }


def account_states(accounts: Iterable[AccountRef]) -> dict[str, str]:
    """Return ``open`` or ``closed`` by code and currency; an account that is yet to be opened is open."""
    wanted = {(account.code, account.currency) for account in accounts}
    matches = Q(pk__in=[])
    for code, currency in wanted:
        matches |= Q(code=code, currency=currency)
    closed = set(Account.objects.filter(matches, closed_at__isnull=False).values_list("code", "currency"))
    return {f"{key[0]} {key[1]}": "closed" if key in closed else "open" for key in sorted(wanted)}


def month_state(moment: datetime) -> dict[str, str]:
    """Return the state of the month that a moment falls into, in UTC, by its name ``2026-01``."""
    start = moment.astimezone(UTC).date().replace(day=1)
    period = Period.objects.filter(start_date=start).first()
    state = PeriodState.OPEN if period is None else period.state
    return {f"{start:%Y-%m}": str(state).lower()}


def entry_facts(entry_id: UUID) -> dict[str, str]:
    """Return an entry's state and the digest of its lines; empty where there is none."""
    entry = Entry.objects.filter(pk=entry_id).first()
    if entry is None:
        return {}
    return {"id": str(entry), "state": str(entry.state), "lines": bytes(entry.lines_digest).hex()}


def journal_proposals() -> QuerySet[Proposal]:
    """Return every proposed journal and reversal with its people and moves, newest first."""
    return casework.proposals().filter(kind__in=[kind.name for kind in KINDS])


def journal(public_id: str) -> JournalView | None:
    """Return the proposed journal with this public id, ``prp_…``; nothing where it is another kind of proposal.

    Raises:
        UnreadableId: the text is not such an id.
    """
    proposal = casework.proposal(public_id)
    if proposal is None or proposal.kind != JOURNAL.name:
        return None
    return JournalView(
        proposal=proposal,
        journal=journals.from_payload(proposal.payload),
        entry=Entry.objects.filter(source_type=journals.SOURCE_TYPE, source_id=proposal.pk).first(),
        attachments=tuple(casework.attachments(proposal.subject)),
    )
