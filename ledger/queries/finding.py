"""Accounts, entries and journals by what somebody looks for; a list costs the same few queries, however long it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import F, Prefetch, Q, QuerySet, Value
from django.db.models.functions import Concat

from ledger.journals import SOURCE_TYPE
from ledger.models import Account, Entry, EntryTransition, Line
from ledger.proposals import JOURNAL
from ledger.queries import folding
from ledger.queries.balances import AccountNotFound, Balance, balances
from paymentops.casework import queries as casework
from paymentops.casework.models import Proposal
from paymentops.core import ids
from paymentops.core.errors import NotFound


class EntryNotFound(NotFound):
    """There is no entry under this id."""

    code = "ledger.entry_not_found"


class JournalNotFound(NotFound):
    """There is no proposed journal under this id."""

    code = "ledger.journal_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsWanted:
    """Which accounts; what is ``None`` does not narrow them down. ``prefix`` is how the code begins."""

    prefix: str | None = None
    currency: str | None = None
    kind: str | None = None
    closed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesWanted:
    """Which entries; what is ``None`` does not narrow them down.

    Args:
        source_type: the kind of thing they are about, ``payment``.
        source_id: the thing itself.
        state: where they stand today.
        account: the code of an account that one of their lines is on.
        currency: the currency of one of their lines, on that account where one is named.
        effective_from: a move of theirs took effect at this moment or later.
        effective_until: and that move not after this one.
    """

    source_type: str | None = None
    source_id: UUID | None = None
    state: str | None = None
    account: str | None = None
    currency: str | None = None
    effective_from: datetime | None = None
    effective_until: datetime | None = None


_UNSEALED_LINES: Final = f"SELECT count(*) FROM ({folding.TAIL} WHERE line.account_id = %(account)s) fresh"  # noqa: S608


def accounts(wanted: AccountsWanted) -> QuerySet[Account]:
    """Return accounts with what is stored of their balances, by ``place``: code and currency, together unique."""
    place = Concat(F("code"), Value(" "), F("currency"))
    found = Account.objects.select_related("folded").annotate(place=place).order_by("place")
    if wanted.prefix is not None:
        found = found.filter(code__startswith=wanted.prefix)
    if wanted.currency is not None:
        found = found.filter(currency=wanted.currency)
    if wanted.kind is not None:
        found = found.filter(kind=wanted.kind)
    if wanted.closed is not None:
        found = found.filter(closed_at__isnull=not wanted.closed)
    return found


def account(*, code: str, currency: str) -> Account:
    """Return one account with what is stored of its balance.

    Raises:
        AccountNotFound: there is no such account.
    """
    found = Account.objects.select_related("folded").filter(code=code, currency=currency).first()
    if found is None:
        raise AccountNotFound(f"There is no account {code} in {currency}; it is opened by its first entry.")
    return found


def balances_of(found: Iterable[Account]) -> dict[tuple[str, str], Balance]:
    """Return what stands on some accounts now, by code and currency, in two queries."""
    codes = sorted({account.code for account in found})
    return {(balance.code, balance.currency): balance for balance in balances(codes=codes)} if codes else {}


def unsealed_lines(found: Account) -> int:
    """Return how many lines of an account wait for their transition's place in the chain."""
    with connection.cursor() as cursor:
        cursor.execute(_UNSEALED_LINES, {"low_id": folding.low_id(), "account": found.pk})
        return int(cursor.fetchone()[0])


def entries(wanted: EntriesWanted) -> QuerySet[Entry]:
    """Return entries with lines, moves, seals and what reverses them, the last recorded first."""
    found = _with_all(Entry.objects.order_by("-id"))
    if wanted.source_type is not None:
        found = found.filter(source_type=wanted.source_type)
    if wanted.source_id is not None:
        found = found.filter(source_id=wanted.source_id)
    if wanted.state is not None:
        found = found.filter(state=wanted.state)
    if wanted.account is not None or wanted.currency is not None:
        found = found.filter(pk__in=Line.objects.filter(account__in=_account_ids(wanted)).values("entry"))
    if wanted.effective_from is not None or wanted.effective_until is not None:
        found = found.filter(pk__in=_moves(wanted))
    return found


def entry(entry_id: UUID) -> Entry:
    """Return one entry with lines, moves, seals and what reverses it.

    Raises:
        EntryNotFound: there is no such entry.
    """
    found = _with_all(Entry.objects.all()).filter(pk=entry_id).first()
    if found is None:
        raise EntryNotFound(f"There is no entry {ids.public(ids.Prefix.ENTRY, entry_id)}.")
    return found


def journals(*, state: str | None = None) -> QuerySet[Proposal]:
    """Return proposed journals, newest first."""
    found = casework.proposals().filter(kind=JOURNAL.name)
    return found if state is None else found.filter(state=state)


def journal(proposal_id: UUID) -> Proposal:
    """Return one proposed journal.

    Raises:
        JournalNotFound: there is none.
    """
    found = journals().filter(pk=proposal_id).first()
    if found is None:
        raise JournalNotFound(f"There is no journal {ids.public(ids.Prefix.PROPOSAL, proposal_id)}.")
    return found


def entries_of_journals(found: Iterable[Proposal]) -> dict[UUID, Entry]:
    """Return the entries that journals became, by the journal's id, in one query."""
    posted = Entry.objects.filter(source_type=SOURCE_TYPE, source_id__in=[one.pk for one in found], reverses=None)
    return {entry.source_id: entry for entry in posted}


def _with_all(found: QuerySet[Entry]) -> QuerySet[Entry]:
    return found.prefetch_related(
        Prefetch("lines", Line.objects.select_related("account").order_by("number")),
        Prefetch("transitions", EntryTransition.objects.select_related("link").order_by("id")),
        "reversals",
    )


def _account_ids(wanted: EntriesWanted) -> list[int]:
    """Return the accounts asked for as numbers: the planner then knows whether they are hot, and walks no hot one."""
    found = Account.objects.all()
    if wanted.account is not None:
        found = found.filter(code=wanted.account)
    if wanted.currency is not None:
        found = found.filter(currency=wanted.currency)
    return list(found.values_list("pk", flat=True))


def _moves(wanted: EntriesWanted) -> QuerySet[EntryTransition, Any]:
    condition = Q()
    if wanted.effective_from is not None:
        condition &= Q(effective_at__gte=wanted.effective_from)
    if wanted.effective_until is not None:
        condition &= Q(effective_at__lte=wanted.effective_until)
    return EntryTransition.objects.filter(condition).values("entry")
