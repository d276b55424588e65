"""Writes of the ledger: post entries, settle or void pending ones, reverse posted ones.

Everything runs in the caller's transaction, or in one of its own where there is none. A refused posting takes that
transaction with it; an entry that is missing or in another state is refused before anything is written. The same
business event is posted once: its source is unique. The same cause moves an entry once.

A closed month never refuses what happened: it takes effect where the open books begin, and ``occurred_at`` keeps when
it was. Every write holds, shared and until its transaction ends, the lock that closing a month takes for itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from itertools import chain
from typing import Final
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import DateTimeField, Func, Q, Value
from django_fsm import TransitionNotAllowed

from ledger import posting_sql, postings
from ledger.chart import AccountRef
from ledger.models import Entry, EntryTransition
from ledger.posting_sql import Circumstances, NewEntry
from ledger.postings import Posting, PostingLine, Source
from paymentops.core import ids
from paymentops.core.errors import Conflict, NotFound

_RIGHT_SIDE: Final = "ledger_guarded_balance_right_side"
_ACCOUNT_OPEN: Final = "ledger_line_account_open"


class SourceReused(Conflict):
    """The business event was posted before, with other lines."""

    code = "ledger.source_reused"
    title = "This event is in the books already, with other lines"


class AccountOnWrongSide(Conflict):
    """A posting would take an account to the side it must never stand on."""

    code = "ledger.account_on_wrong_side"
    title = "The posting would take an account to its wrong side"


class AccountClosed(Conflict):
    """A posting would use an account that was closed."""

    code = "ledger.account_closed"
    title = "The account is closed"


class EntryNotInState(Conflict):
    """An entry cannot be settled, voided or reversed from the state it is in."""

    code = "ledger.entry_not_in_state"
    title = "The entry is not in a state in which this can be done"


class EntryNotFound(NotFound):
    """There is no entry with this id or source."""

    code = "ledger.entry_not_found"


def post(
    posting: Posting, *, occurred_at: datetime, now: datetime, cause: str, actor: str = "system", trace_id: str = ""
) -> Entry:
    """Write one entry, or return the entry that its source already has.

    Args:
        posting: what to write.
        occurred_at: when it really happened.
        now: when we know of it.
        cause: the key of what caused it, for example an attempt's outcome; stands on the first transition.
        actor: who did it.
        trace_id: 32 hexadecimal digits, or empty.

    Raises:
        SourceReused: the source has an entry with other lines.
        AccountOnWrongSide, AccountClosed: see the classes.

    Locks the balance rows of guarded accounts it touches, in account order, until the transaction ends.
    """
    why = Circumstances(occurred_at=occurred_at, recorded_at=now, cause=cause, actor=actor, trace_id=trace_id)
    return _post_one(posting, why, effective_from=occurred_at)


def post_many(
    items: Sequence[Posting],
    *,
    occurred_at: datetime,
    now: datetime,
    cause: str,
    actor: str = "system",
    trace_id: str = "",
) -> list[UUID]:
    """Write many entries in one statement and return their ids in the order given; all or none, see ``post``."""
    if not items:
        return []
    why = Circumstances(occurred_at=occurred_at, recorded_at=now, cause=cause, actor=actor, trace_id=trace_id)
    wanted, earlier = _post(items, why, effective_from=occurred_at)
    return [earlier[new.posting.source].pk if new.posting.source in earlier else new.id for new in wanted]


def settle(
    entry: Source | UUID, *, cause: str, occurred_at: datetime, now: datetime, actor: str = "system", trace_id: str = ""
) -> Entry:
    """Let a pending entry count as posted; the same cause a second time changes nothing.

    Raises:
        EntryNotFound: there is no such entry.
        EntryNotInState: it is not pending.
        AccountOnWrongSide: see the class.

    Locks the entry.
    """
    why = Circumstances(occurred_at=occurred_at, recorded_at=now, cause=cause, actor=actor, trace_id=trace_id)
    with _transaction():
        found = _locked(entry)
        _move(found, found.settle, why)
        return found


def void(
    entry: Source | UUID, *, cause: str, occurred_at: datetime, now: datetime, actor: str = "system", trace_id: str = ""
) -> Entry:
    """Let a pending entry count as nothing; the same cause a second time changes nothing.

    Raises:
        EntryNotFound: there is no such entry.
        EntryNotInState: it is not pending.

    Locks the entry.
    """
    why = Circumstances(occurred_at=occurred_at, recorded_at=now, cause=cause, actor=actor, trace_id=trace_id)
    with _transaction():
        found = _locked(entry)
        _move(found, found.void, why)
        return found


def reverse(
    entry: Source | UUID, *, cause: str, occurred_at: datetime, now: datetime, actor: str = "system", trace_id: str = ""
) -> Entry:
    """Take a posted entry back by a new entry with the opposite lines, and return the new entry.

    The original becomes REVERSED; both stay in the posted balance, each at its own date, the new one never earlier than
    the original. The same cause a second time returns the reversing entry that is there.

    Raises:
        EntryNotFound: there is no such entry.
        EntryNotInState: it is not posted, or was reversed for another cause.
        AccountOnWrongSide, AccountClosed: see the classes.

    Locks the entry.
    """
    why = Circumstances(occurred_at=occurred_at, recorded_at=now, cause=cause, actor=actor, trace_id=trace_id)
    with _transaction():
        original = _locked(entry)
        move = _move(original, original.reverse, why)
        opposite = postings.reversal(original=original.pk, source=_source_of(original), lines=_lines_of(original))
        return _post_one(opposite, why, effective_from=move.effective_at)


class EffectiveAt(Func):
    """When a change counts: at the moment given, or where the open books begin if that is later.

    Takes the shared lock that closing a month waits for.
    """

    function = "ledger_effective_at"
    arity = 1
    output_field = DateTimeField()


def _post_one(item: Posting, why: Circumstances, *, effective_from: datetime) -> Entry:
    (new,), earlier = _post([item], why, effective_from=effective_from)
    return earlier.get(item.source) or _entry_of(new, why)


def _post(
    items: Sequence[Posting], why: Circumstances, *, effective_from: datetime
) -> tuple[list[NewEntry], dict[Source, Entry]]:
    """Write entries; return what was to be written, and the entries of those sources that had one before."""
    # Without a savepoint: a refusal may come after other entries were written, so it must undo the whole transaction.
    with transaction.atomic(savepoint=False), _explained_refusals():
        accounts = posting_sql.account_ids(_accounts(items), now=why.recorded_at)
        wanted = [
            posting_sql.new_entry(entry_id=ids.new(why.recorded_at), posting=item, account_ids=accounts)
            for item in items
        ]
        written = posting_sql.write(wanted, account_ids=accounts, effective_from=effective_from, circumstances=why)
        return wanted, _earlier([new for new in wanted if new.id not in written])


def _accounts(items: Iterable[Posting]) -> Iterable[AccountRef]:
    return (line.account for line in chain.from_iterable(item.lines for item in items))


def _transaction() -> AbstractContextManager[None]:
    """Use the caller's transaction, which a refusal before the first write leaves as it was, or open one."""
    return nullcontext() if connection.in_atomic_block else transaction.atomic()


@contextmanager
def _explained_refusals() -> Iterator[None]:
    """Name a refusal of the database that a caller can act on; any other passes as it is."""
    try:
        yield
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        broken = diagnosis.constraint_name if diagnosis is not None else ""
        if broken == _RIGHT_SIDE:
            raise AccountOnWrongSide("An account would stand on its wrong side; nothing was posted.") from error
        if diagnosis is not None and broken == _ACCOUNT_OPEN:
            raise AccountClosed(
                f"Nothing was posted: {diagnosis.message_primary}. Open it again or use another."
            ) from error
        raise


def _earlier(refused: Sequence[NewEntry]) -> dict[Source, Entry]:
    """Return the entries that hold the sources which could not be written anew.

    A fresh look, because the statement that lost to a twin does not see the twin's row.
    """
    if not refused:
        return {}
    matches = Q()
    for new in refused:
        matches |= _is_from(new.posting.source)
    found = {_source_of(entry): entry for entry in Entry.objects.filter(matches)}
    for new in refused:
        if bytes(found[new.posting.source].lines_digest) != new.digest:
            raise SourceReused(f"{new.posting.source} is posted as {found[new.posting.source]} with other lines.")
    return found


def _entry_of(new: NewEntry, why: Circumstances) -> Entry:
    """Build the entry just written, without reading it back."""
    values = {
        "id": new.id,
        "state": str(new.posting.state),
        "source_type": new.posting.source.type,
        "source_id": new.posting.source.id,
        "source_kind": new.posting.source.kind,
        "source_sequence": new.posting.source.sequence,
        "description": new.posting.description,
        "reverses_id": new.posting.reverses,
        "line_count": len(new.posting.lines),
        "lines_digest": new.digest,
        "occurred_at": why.occurred_at,
        "recorded_at": why.recorded_at,
        "trace_id": why.trace_id,
    }
    return Entry.from_db(connection.alias, list(values), list(values.values()))


def _locked(entry: Source | UUID) -> Entry:
    condition = _is_from(entry) if isinstance(entry, Source) else Q(pk=entry)
    found = Entry.objects.select_for_update(no_key=True).filter(condition).first()
    if found is None:
        raise EntryNotFound(f"There is no entry for {entry}.")
    return found


def _move(entry: Entry, move: Callable[[], None], why: Circumstances) -> EntryTransition:
    """Make one move of a locked entry and return its transition; that of an earlier move, if this cause made it.

    A move never counts before the one it follows. Clocks of providers differ, so a capture can carry an earlier time
    than its authorisation; a balance between the two moments would count the entry as posted and not yet pending.
    """
    first, *later = entry.transitions.order_by("id")
    for made in later:
        if made.cause == why.cause:
            return made
    if first.cause == why.cause:
        raise EntryNotInState(f"{entry} was posted for {why.cause}; the same cause cannot move it on.")
    before = entry.state
    try:
        move()
    except TransitionNotAllowed as error:
        raise EntryNotInState(f"{entry} is {before}.") from error
    previous = (later or [first])[-1].effective_at
    with transaction.atomic(savepoint=False), _explained_refusals():
        entry.save(update_fields=["state"])
        return EntryTransition.objects.create(
            entry=entry,
            from_state=before,
            to_state=entry.state,
            cause=why.cause,
            effective_at=EffectiveAt(Value(max(why.occurred_at, previous), output_field=DateTimeField())),
            occurred_at=why.occurred_at,
            recorded_at=why.recorded_at,
            actor=why.actor,
            trace_id=why.trace_id,
        )


def _source_of(entry: Entry) -> Source:
    return Source(entry.source_type, entry.source_id, entry.source_kind, entry.source_sequence)


def _is_from(source: Source) -> Q:
    return Q(source_type=source.type, source_id=source.id, source_kind=source.kind, source_sequence=source.sequence)


def _lines_of(entry: Entry) -> list[PostingLine]:
    return [
        PostingLine(AccountRef(line.account.code, line.currency, line.account.name), line.amount, line.method)
        for line in entry.lines.select_related("account")
    ]
