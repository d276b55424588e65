"""The posted lines of one account in the order in which they took effect, each with the balance after it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, Final, Self
from uuid import UUID

from django.db import connection

from ledger.queries import folding
from ledger.queries.balances import AccountNotFound
from paymentops.core.errors import InvalidInput

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST: Final = (2**63 - 1, 2**15 - 1)


class UnreadablePosition(InvalidInput):
    """A cursor was not made by a statement."""

    code = "ledger.position_unreadable"
    title = "This is not a place in a statement"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The place of a line in its account's order: when it took effect, by which transition, and its number."""

    effective_at: datetime
    transition_id: int
    number: int

    def __str__(self) -> str:
        return f"{(self.effective_at - _EPOCH) // timedelta(microseconds=1)}-{self.transition_id}-{self.number}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a position as ``str`` writes it.

        Raises:
            UnreadablePosition: the text is something else.
        """
        try:
            microseconds, transition_id, number = (int(part) for part in text.rsplit("-", 2))
            found = cls(_EPOCH + timedelta(microseconds=microseconds), transition_id, number)
        except (ValueError, OverflowError) as error:
            raise UnreadablePosition(f"{text[:80]!r} is not a place in a statement; take it from a page.") from error
        if not (0 <= transition_id <= _LARGEST[0] and 0 <= number <= _LARGEST[1]):
            raise UnreadablePosition(f"{text[:80]!r} is not a place in a statement; take it from a page.")
        return found


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One posted line, with the account's posted balance after it; amounts in minor units, debit positive.

    ``state`` is where the entry stands today, ``sealed`` whether the line's transition has its link in the chain.
    """

    position: Position
    entry: str
    state: str
    description: str
    source_type: str
    source_id: UUID
    source_kind: str
    effective_at: datetime
    occurred_at: datetime
    recorded_at: datetime
    amount: int
    method: str
    sealed: bool
    balance: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A page of an account's statement.

    Args:
        code: the account.
        currency: its ISO 4217 code.
        opening: the posted balance before the whole period, in minor units, debit positive.
        closing: the posted balance at its end.
        lines: the page.
        more: continue behind this position; ``None`` when the page is the last.
    """

    code: str
    currency: str
    opening: int
    closing: int
    lines: tuple[StatementLine, ...]
    more: Position | None


_ACCOUNT: Final = """
SELECT account.id, folded.drifted_at IS NOT NULL, coalesce((SELECT low_id FROM ledger_chain_head), 0)
FROM ledger_account account LEFT JOIN ledger_folded_balance folded ON folded.account_id = account.id
WHERE account.code = %(code)s AND account.currency = %(currency)s
"""

_STORED_LINES: Final = """
SELECT effective_at, transition_id, number, posted FROM ledger_movement movement
WHERE account_id = %(account)s AND posted <> 0
"""
_STORED_THROUGH: Final = """
SELECT coalesce(base.posted, 0) + coalesce(since.posted, 0) AS posted
FROM (SELECT) AS one
LEFT JOIN LATERAL (
    SELECT * FROM ledger_balance_snapshot snapshot
    WHERE account_id = %(account)s AND (effective_at, transition_id, number) <= (place.at, place.transition, place.line)
    ORDER BY effective_at DESC, transition_id DESC, number DESC LIMIT 1
) base ON true
CROSS JOIN LATERAL (
    SELECT sum(posted) AS posted FROM ledger_movement movement
    WHERE account_id = %(account)s AND (effective_at, transition_id, number) <= (place.at, place.transition, place.line)
      AND (effective_at, transition_id, number)
          > (coalesce(base.effective_at, '-infinity'), coalesce(base.transition_id, 0), coalesce(base.number, 0))
) since
"""
_UNSEALED: Final = f"""
SELECT effective_at, transition_id, number, posted FROM ({folding.TAIL} WHERE line.account_id = %(account)s) fresh
WHERE posted <> 0
"""  # noqa: S608 - constants only

# The same from the lines, where what is stored cannot be believed.
_COMPUTED_LINES: Final = f"""
SELECT effective_at, transition_id, number, posted
FROM ({folding.LINES} WHERE line.account_id = %(account)s OFFSET 0) computed WHERE posted <> 0
"""  # noqa: S608 - constants only
_COMPUTED_THROUGH: Final = f"""
SELECT coalesce(sum(posted), 0) AS posted FROM ({_COMPUTED_LINES}) computed
WHERE (effective_at, transition_id, number) <= (place.at, place.transition, place.line)
"""  # noqa: S608 - constants only
_NOTHING: Final = "SELECT NULL::timestamptz, NULL::bigint, NULL::int, NULL::bigint WHERE false"

# The balances at three places (before the period, at its end, where the page begins), each with the page's lines.
_PAGE: Final = """
WITH tail (effective_at, transition_id, number, posted) AS MATERIALIZED ({tail}),
balance AS MATERIALIZED (
    SELECT place.name, stored.posted + coalesce((
        SELECT sum(posted) FROM tail
        WHERE (effective_at, transition_id, number) <= (place.at, place.transition, place.line)), 0) AS posted
    FROM (VALUES
        ('opening', %(from_at)s::timestamptz, %(from_transition)s::bigint, %(from_number)s::int),
        ('closing', %(to_at)s::timestamptz, %(to_transition)s::bigint, %(to_number)s::int),
        ('start', %(start_at)s::timestamptz, %(start_transition)s::bigint, %(start_number)s::int)
    ) AS place (name, at, transition, line)
    CROSS JOIN LATERAL ({through}) stored
), page AS MATERIALIZED (
    SELECT * FROM (
        (SELECT * FROM ({lines}) stored
         WHERE (effective_at, transition_id, number) > (%(low_at)s::timestamptz, %(low_transition)s, %(low_number)s)
           AND (effective_at, transition_id, number) <= (%(high_at)s::timestamptz, %(high_transition)s, %(high_number)s)
         ORDER BY effective_at {way}, transition_id {way}, number {way} LIMIT %(limit)s)
        UNION ALL
        SELECT * FROM tail
        WHERE (effective_at, transition_id, number) > (%(low_at)s::timestamptz, %(low_transition)s, %(low_number)s)
          AND (effective_at, transition_id, number) <= (%(high_at)s::timestamptz, %(high_transition)s, %(high_number)s)
    ) together
    ORDER BY effective_at {way}, transition_id {way}, number {way} LIMIT %(limit)s
)
SELECT (SELECT posted FROM balance WHERE name = 'opening'), (SELECT posted FROM balance WHERE name = 'closing'),
       (SELECT posted FROM balance WHERE name = 'start'),
       page.effective_at, page.transition_id, page.number, page.posted, header.id, header.state, header.description,
       header.source_type, header.source_id, header.source_kind, move.occurred_at, move.recorded_at, line.method,
       EXISTS (SELECT FROM ledger_chain_link link WHERE link.transition_id = page.transition_id)
FROM (SELECT) AS one
LEFT JOIN page ON true
LEFT JOIN ledger_entry_transition move ON move.id = page.transition_id
LEFT JOIN ledger_entry header ON header.id = move.entry_id
LEFT JOIN ledger_line line ON line.entry_id = move.entry_id AND line.number = page.number
ORDER BY page.effective_at {way}, page.transition_id {way}, page.number {way}
"""

# The balance at each of any number of moments, everything that takes effect at one included.
_AT_MOMENTS: Final = """
WITH tail (effective_at, transition_id, number, posted) AS MATERIALIZED ({tail})
SELECT stored.posted + coalesce((SELECT sum(posted) FROM tail WHERE tail.effective_at <= place.at), 0)
FROM (SELECT at, 9223372036854775807::bigint AS transition, 32767 AS line, place_number
      FROM unnest(%(moments)s::timestamptz[]) WITH ORDINALITY AS moment (at, place_number)) AS place
CROSS JOIN LATERAL ({through}) stored
ORDER BY place.place_number
"""

type _Place = tuple[datetime | str, int, int]
# Before everything that takes effect at a moment, and behind it. Transitions and lines are numbered from 1.
_START: Final[_Place] = ("-infinity", 0, 0)
_END: Final[_Place] = ("infinity", *_LARGEST)


@dataclass(frozen=True, slots=True)
class _Way:
    """Which lines a page may hold (behind ``low``, up to ``high``), in which order, and where its balance begins."""

    low: _Place
    high: _Place
    start: _Place
    order: str


def statement(
    *,
    code: str,
    currency: str,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    after: Position | None = None,
) -> Statement:
    """Return posted lines of an account, the one that took effect first at the top.

    Args:
        code: the account, for example ``2020``.
        currency: its ISO 4217 code.
        since: the first moment of the period; ``None`` from the beginning.
        until: its last moment, which belongs to it; ``None`` to the end.
        limit: the most lines to return.
        after: continue behind this position of an earlier page.

    Raises:
        AccountNotFound: there is no such account.
    """
    first, last = _period(since, until)
    begin = max(_place(after), first, key=_sortable) if after else first
    way = _Way(low=begin, high=last, start=begin, order="ASC")

    def running(start: int, amounts: list[int]) -> list[int]:
        return list(accumulate(amounts, initial=start))[1:]

    return _statement(code=code, currency=currency, first=first, last=last, way=way, limit=limit, running=running)


def statement_newest_first(
    *,
    code: str,
    currency: str,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    before: Position | None = None,
) -> Statement:
    """Return posted lines of an account, the one that took effect last at the top.

    ``before`` continues behind a position of an earlier page, with older lines; for the rest see ``statement``.
    """
    first, last = _period(since, until)
    end = min((before.effective_at, before.transition_id, before.number - 1), last, key=_sortable) if before else last
    way = _Way(low=first, high=end, start=end, order="DESC")

    def running(start: int, amounts: list[int]) -> list[int]:
        return list(accumulate((-amount for amount in amounts), initial=start))[:-1]

    return _statement(code=code, currency=currency, first=first, last=last, way=way, limit=limit, running=running)


def posted_at(*, code: str, currency: str, moments: Sequence[datetime]) -> list[int]:
    """Return the posted balance of an account at each of some moments, in minor units, debit positive.

    Each costs a look at the last snapshot before it and what follows, so a chart of months is as quick as one of days.

    Raises:
        AccountNotFound: there is no such account.
    """
    account, drifted, low_id = _account(code, currency)
    statement_sql = _AT_MOMENTS.format(
        tail=_NOTHING if drifted else _UNSEALED, through=_COMPUTED_THROUGH if drifted else _STORED_THROUGH
    )
    with connection.cursor() as cursor:
        cursor.execute(statement_sql, {"account": account, "low_id": low_id, "moments": list(moments)})
        return [int(posted) for (posted,) in cursor.fetchall()]


def _statement(
    *,
    code: str,
    currency: str,
    first: _Place,
    last: _Place,
    way: _Way,
    limit: int,
    running: Callable[[int, list[int]], list[int]],
) -> Statement:
    account, drifted, low_id = _account(code, currency)
    statement_sql = _PAGE.format(
        tail=_NOTHING if drifted else _UNSEALED,
        lines=_COMPUTED_LINES if drifted else _STORED_LINES,
        through=_COMPUTED_THROUGH if drifted else _STORED_THROUGH,
        way=way.order,
    )
    places = {"from": first, "to": last, "start": way.start, "low": way.low, "high": way.high}
    parameters: dict[str, Any] = {"account": account, "low_id": low_id, "limit": limit + 1}
    for name, (at, transition_id, number) in places.items():
        parameters |= {f"{name}_at": at, f"{name}_transition": transition_id, f"{name}_number": number}
    with connection.cursor() as cursor:
        cursor.execute(statement_sql, parameters)
        rows = cursor.fetchall()
    opening, closing, start = (int(value) for value in rows[0][:3])
    found = [row[3:] for row in rows if row[4] is not None]
    balances = running(start, [row[3] for row in found])
    lines = tuple(_line(row, balance) for row, balance in zip(found[:limit], balances, strict=False))
    return Statement(code, currency, opening, closing, lines, lines[-1].position if len(found) > limit else None)


def _account(code: str, currency: str) -> tuple[int, bool, int]:
    with connection.cursor() as cursor:
        cursor.execute(_ACCOUNT, {"code": code, "currency": currency})
        found = cursor.fetchone()
    if found is None:
        raise AccountNotFound(f"There is no account {code} in {currency}; it is opened by its first entry.")
    account, drifted, low_id = found
    return account, drifted, low_id


def _period(since: datetime | None, until: datetime | None) -> tuple[_Place, _Place]:
    return (since, 0, 0) if since else _START, (until, *_LARGEST) if until else _END


def _place(position: Position) -> _Place:
    return position.effective_at, position.transition_id, position.number


def _sortable(place: _Place) -> tuple[int, Any, int, int]:
    """Let the ends of time stand before and behind every moment."""
    at, transition_id, number = place
    if isinstance(at, str):
        return (-1 if at == "-infinity" else 1), 0, transition_id, number
    return 0, at, transition_id, number


def _line(row: tuple[Any, ...], balance: int) -> StatementLine:
    effective_at, transition_id, number, amount, entry_id, state, description, *rest = row
    source_type, source_id, source_kind, occurred_at, recorded_at, method, sealed = rest
    return StatementLine(
        position=Position(effective_at, transition_id, number),
        entry=f"ent_{entry_id.hex}",
        state=state,
        description=description,
        source_type=source_type,
        source_id=source_id,
        source_kind=source_kind,
        effective_at=effective_at,
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        amount=amount,
        method=method,
        sealed=sealed,
        balance=balance,
    )
