"""Months close in order, keep what stood in them, and open again with two people."""

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from ledger import operations as ledger
from ledger import postings
from ledger.models import EntryTransition, Period, PeriodSnapshot, PeriodTransition
from ledger.operations import periods
from ledger.periods import Month, UnreadableMonth
from ledger.queries import periods as queries
from paymentops.access.models import AuditEntry
from paymentops.casework import operations as casework
from paymentops.events.models import OutboxEvent
from tests.ledger.books import PARTIES, PAYABLE, RECEIVABLE, as_if_committed, day, eur, pending, post, posted, run
from tests.ledger.months import (
    DECEMBER,
    FEBRUARY,
    IN_FEBRUARY,
    IN_JANUARY,
    IN_MARCH,
    JANUARY,
    MARCH,
    OPERATOR,
    after,
    close,
    hold,
    person,
    propose,
    reopen,
    sell,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def maker(db):
    return person("maker", "Finance")


@pytest.fixture
def checker(db):
    return person("checker", "Finance approver")


@pytest.fixture
def closed_january(db) -> Period:
    sell(100)
    return close(JANUARY)


def commit(*statements: tuple[str, list[object]]) -> None:
    """Run SQL up to what would be its commit."""
    with transaction.atomic():
        for sql, parameters in statements:
            run(sql, *parameters)
        as_if_committed()


def refused_by(*statements: tuple[str, list[object]]) -> str:
    """Return the name of the constraint by which the database refuses SQL."""
    with pytest.raises(IntegrityError) as refusal:
        commit(*statements)
    return refusal.value.__cause__.diag.constraint_name


def last_moment(month: Month) -> datetime:
    return month.ends_at - timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "ends_at"),
    [
        ("2025-12", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2027-02", datetime(2027, 3, 1, tzinfo=UTC)),
        ("2028-02", datetime(2028, 3, 1, tzinfo=UTC)),
        ("2026-11", datetime(2026, 12, 1, tzinfo=UTC)),
    ],
)
def test_a_month_ends_where_the_next_begins(text, ends_at) -> None:
    month = Month.parse(text)
    assert str(month) == text
    assert month.ends_at == month.next.starts_at == ends_at
    assert Month.of(ends_at - timedelta(microseconds=1)) == month
    assert Month.of(ends_at) == month.next


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-13", "2026-00", "2026-1", "26-01", "2026-01-01", "1969-12", "\uff12026-01"]
)
def test_what_is_no_month_is_refused(text) -> None:
    with pytest.raises(UnreadableMonth, match="2026-01"):
        Month.parse(text)


def test_a_month_begins_on_its_first_day() -> None:
    with pytest.raises(UnreadableMonth, match="2026-01-02"):
        Month(date(2026, 1, 2))


def test_money_authorised_in_january_and_captured_in_february_leaves_january_as_it_was() -> None:
    sale, held = sell(500), hold(100)
    close(JANUARY)
    before = posted(effective_at=last_moment(JANUARY)), pending(effective_at=last_moment(JANUARY))
    assert before == ({RECEIVABLE: 500, PAYABLE: -500}, {RECEIVABLE: 100, PAYABLE: -100})
    ledger.settle(held.pk, cause="captured", occurred_at=day(IN_FEBRUARY), now=day(IN_FEBRUARY))
    ledger.reverse(sale.pk, cause="taken back", occurred_at=day(IN_JANUARY), now=day(IN_FEBRUARY))
    assert (posted(effective_at=last_moment(JANUARY)), pending(effective_at=last_moment(JANUARY))) == before
    stored = queries.stored_balances(JANUARY, closing=1)
    assert [(row.code, row.posted, row.pending) for row in stored] == [(RECEIVABLE, 500, 100), (PAYABLE, -500, -100)]
    assert (posted(), pending()) == ({RECEIVABLE: 100, PAYABLE: -100}, {})


def test_what_happened_in_a_closed_month_takes_effect_where_the_open_books_begin(closed_january) -> None:
    late = sell(7)
    move = late.transitions.get()
    assert (move.effective_at, move.occurred_at) == (FEBRUARY.starts_at, day(IN_JANUARY))
    assert posted(effective_at=last_moment(JANUARY)) == {RECEIVABLE: 100, PAYABLE: -100}


def test_a_reversal_never_counts_before_the_entry_it_takes_back(closed_january, maker, checker) -> None:
    late = sell(7)
    reopen(JANUARY, maker=maker, checker=checker)
    back = ledger.reverse(late.pk, cause="taken back", occurred_at=day(IN_JANUARY), now=day(IN_MARCH))
    assert back.transitions.get().effective_at == FEBRUARY.starts_at


@pytest.mark.parametrize("move", [ledger.settle, ledger.void])
def test_a_hold_of_a_closed_month_moves_in_the_open_one(move) -> None:
    held = hold(100)
    close(JANUARY)
    move(held.pk, cause="late word", occurred_at=day(IN_JANUARY + 1), now=day(IN_FEBRUARY))
    assert held.transitions.order_by("id").last().effective_at == FEBRUARY.starts_at
    assert pending(effective_at=last_moment(JANUARY)) == {RECEIVABLE: 100, PAYABLE: -100}
    assert pending() == {}


@pytest.mark.parametrize("at", [JANUARY.starts_at, last_moment(JANUARY), DECEMBER.starts_at])
def test_the_database_refuses_what_would_take_effect_in_a_closed_month(closed_january, at) -> None:
    entry = hold(5, on=IN_FEBRUARY)
    move = ("UPDATE ledger_entry SET state = 'VOIDED' WHERE id = %s", [entry.pk])
    tell = (
        "INSERT INTO ledger_entry_transition (entry_id, from_state, to_state, cause, effective_at, occurred_at,"
        " recorded_at, actor, trace_id) VALUES (%s, 'PENDING', 'VOIDED', 'forged', %s, %s, %s, '', '')"
    )
    assert refused_by(move, (tell, [entry.pk, at, at, at])) == "ledger_period_closed"


def test_the_first_moment_of_the_next_month_is_open(closed_january) -> None:
    posting = postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(5))
    made = ledger.post(posting, occurred_at=JANUARY.ends_at, now=JANUARY.ends_at, cause="midnight")
    assert made.transitions.get().effective_at == JANUARY.ends_at


def test_closing_stores_balances_totals_and_a_hash_that_anyone_can_make_again() -> None:
    sell(100)
    hold(30)
    close(JANUARY)
    view = queries.period(JANUARY)
    assert (view.state, view.version, view.closing, view.accounts) == ("CLOSED", 3, 1, 2)
    assert (view.closed_at, view.closed_by) == (after(JANUARY), "ledger")
    (total,) = view.totals
    assert (total.currency, total.accounts, total.debits, total.credits) == ("EUR", 2, 100, 100)
    assert (total.pending_debits, total.pending_credits) == (30, 30)
    last = EntryTransition.objects.order_by("id").last()
    text = (
        f"paymentops ledger period 1\n2026-01|1|{last.pk}\n"
        "1110:sandbox|EUR|100|30\n2010:cli_shop|EUR|-100|-30\nEUR|2|100|100|30|30\n"
    )
    assert view.hash == sha256(text.encode()).hexdigest()


def test_the_next_month_adds_to_what_the_one_before_stored(closed_january) -> None:
    sell(20, on=IN_FEBRUARY)
    settled = post(postings.refund_requested(refund_id=uuid4(), parties=PARTIES, amount=eur(5)), on=IN_FEBRUARY)
    ledger.reverse(settled.pk, cause="rejected", occurred_at=day(IN_FEBRUARY), now=day(IN_FEBRUARY))
    close(FEBRUARY)
    stored = {row.code: row.posted for row in queries.stored_balances(FEBRUARY, closing=1)}
    assert stored == {RECEIVABLE: 120, PAYABLE: -120, "2020": 0}
    assert [str(view.month) for view in queries.periods()] == ["2026-02", "2026-01"]


def test_an_account_that_neither_holds_nor_moved_is_left_out(closed_january) -> None:
    entry = post(postings.refund_requested(refund_id=uuid4(), parties=PARTIES, amount=eur(5)), on=IN_FEBRUARY)
    ledger.reverse(entry.pk, cause="rejected", occurred_at=day(IN_FEBRUARY), now=day(IN_FEBRUARY))
    close(FEBRUARY)
    close(MARCH)
    assert {row.code for row in queries.stored_balances(MARCH, closing=1)} == {RECEIVABLE, PAYABLE}


def test_an_empty_month_can_be_closed() -> None:
    assert close(JANUARY).state == "CLOSED"
    assert queries.stored_balances(JANUARY, closing=1) == []
    assert queries.closed_until() == FEBRUARY.starts_at


def test_closing_leaves_moves_an_audit_row_and_an_event() -> None:
    close(JANUARY)
    moves = PeriodTransition.objects.order_by("sequence").values_list("sequence", "from_state", "to_state", "cause")
    assert list(moves) == [(2, "OPEN", "CLOSING", "closing:1"), (3, "CLOSING", "CLOSED", "closed:1")]
    rows = AuditEntry.objects.filter(object_type="period", object_id="2026-01")
    assert sorted(row.action for row in rows) == ["period.begin_closing", "period.close"]
    event = OutboxEvent.objects.get(type="ledger.period_closed")
    assert event.data["month"] == "2026-01"
    assert event.data["hash"] == queries.period(JANUARY).hash
    assert event.aggregate_id == Period.objects.get().pk


def test_a_closed_month_that_is_closed_again_stays_as_it_is(closed_january) -> None:
    before = queries.period(JANUARY)
    close(JANUARY, now=after(FEBRUARY))
    assert queries.period(JANUARY) == before


def test_a_month_that_is_not_over_stays_open() -> None:
    with pytest.raises(periods.MonthNotOver, match="lasts until 2026-02-01 00:00 UTC"):
        close(JANUARY, now=last_moment(JANUARY))
    assert close(JANUARY, now=JANUARY.ends_at).state == "CLOSED"


def test_an_earlier_month_with_entries_closes_first() -> None:
    sell()
    with pytest.raises(periods.MonthOutOfOrder, match="2026-01 is open and holds entries"):
        close(MARCH)
    assert not Period.objects.exists()
    close(JANUARY)
    assert close(MARCH).state == "CLOSED"
    with pytest.raises(periods.MonthOutOfOrder, match="up to the end of 2026-03"):
        close(FEBRUARY)


def test_pending_entries_are_listed_and_stay_pending() -> None:
    first, _, gone = hold(1, on=3), hold(2, on=4), hold(3, on=5)
    ledger.void(gone.pk, cause="expired", occurred_at=day(6), now=day(6))
    hold(4, on=IN_FEBRUARY)
    close(JANUARY)
    found = queries.pending_at_end(JANUARY, limit=1)
    assert (found.count, [entry.entry for entry in found.oldest]) == (2, [str(first)])
    assert first.transitions.count() == 1
    assert queries.pending_at_end(DECEMBER).count == 0


@pytest.mark.parametrize(
    ("role", "may"), [("Finance", False), ("Engineer", False), ("Finance approver", True), ("Admin", True)]
)
def test_closing_is_a_right_of_its_own(role, may) -> None:
    by = person("somebody", role)
    if may:
        assert close(JANUARY, by=by).state == "CLOSED"
        return
    with pytest.raises(casework.NotAllowed, match=r"ledger\.close_period"):
        close(JANUARY, by=by)


def test_two_people_open_a_month_again_and_its_next_closing_stores_anew(closed_january, maker, checker) -> None:
    first = queries.period(JANUARY)
    reopen(JANUARY, maker=maker, checker=checker)
    assert queries.closed_until() is None
    sell(11)
    again = close(JANUARY, now=datetime(2026, 6, 3, tzinfo=UTC))
    assert (again.state, again.closings, again.version) == ("CLOSED", 2, 6)
    assert {row.posted for row in queries.stored_balances(JANUARY, closing=1)} == {100, -100}
    assert {row.posted for row in queries.stored_balances(JANUARY, closing=2)} == {111, -111}
    assert queries.period(JANUARY).hash != first.hash
    move = queries.period(JANUARY).moves[2]
    assert (move.to_state, move.proposed_by, move.approved_by) == ("OPEN", "maker", "checker")
    assert move.reason == "An invoice was forgotten."
    assert OutboxEvent.objects.filter(type="ledger.period_reopened").count() == 1
    assert AuditEntry.objects.get(action="period.reopen").actor == "checker"


def test_nobody_opens_a_month_again_alone(closed_january, checker) -> None:
    proposal = propose(JANUARY, by=checker)
    with pytest.raises(casework.OwnProposal):
        periods.approve_reopening(proposal_id=proposal.pk, version=1, by=checker, now=day(90))
    assert queries.period(JANUARY).state == "CLOSED"


@pytest.mark.parametrize(
    ("people", "reason", "constraint"),
    [
        (("maker", "maker"), "x", "ledger_period_reopened_by_two"),
        (("maker", None), "x", "ledger_period_reopened_by_two"),
        ((None, None), "x", "ledger_period_reopened_by_two"),
        (("maker", "checker"), "", "ledger_period_reopened_for_reason"),
    ],
)
def test_the_database_refuses_one_person_and_no_reason(closed_january, people, reason, constraint) -> None:
    ids = {name: person(name, "Finance").user.pk for name in ("maker", "checker")}
    proposer, approver = (ids.get(name) for name in people)
    move = ("UPDATE ledger_period SET state = 'OPEN', version = 4", [])
    tell = (
        "INSERT INTO ledger_period_transition (id, period_id, sequence, from_state, to_state, cause, actor, reason,"
        " proposed_by_id, approved_by_id, recorded_at, trace_id)"
        " VALUES (%s, %s, 4, 'CLOSED', 'OPEN', 'forged', '', %s, %s, %s, now(), '')"
    )
    assert refused_by(move, (tell, [uuid4(), closed_january.pk, reason, proposer, approver])) == constraint


def test_months_open_again_in_reverse(closed_january, maker, checker) -> None:
    close(FEBRUARY)
    with pytest.raises(periods.MonthOutOfOrder, match="2026-02 is closed; open it again before 2026-01"):
        propose(JANUARY, by=maker)
    reopen(FEBRUARY, maker=maker, checker=checker)
    reopen(JANUARY, maker=maker, checker=checker)
    with pytest.raises(periods.MonthOutOfOrder, match="close it before 2026-02"):
        close(FEBRUARY)


def test_only_a_closed_month_can_be_opened_again(maker) -> None:
    with pytest.raises(periods.MonthNotClosed, match="2026-01 is open"):
        propose(JANUARY, by=maker)


def test_a_proposal_whose_month_moved_meanwhile_is_stale(closed_january, maker, checker) -> None:
    proposal = propose(JANUARY, by=maker)
    period = Period.objects.get()
    run("SET LOCAL session_replication_role = replica")
    Period.objects.filter(pk=period.pk).update(closings=2)
    run("SET LOCAL session_replication_role = origin")
    decision = periods.approve_reopening(proposal_id=proposal.pk, version=1, by=checker, now=day(90))
    with pytest.raises(casework.StaleFacts, match="closing was 1 and is 2"):
        decision.carried_out()


def test_a_proposal_of_another_kind_opens_nothing(checker) -> None:
    with pytest.raises(casework.ProposalNotFound):
        periods.approve_reopening(proposal_id=uuid4(), version=1, by=checker, now=day(90))


def test_books_that_do_not_balance_do_not_close(closed_january) -> None:
    sell(on=IN_FEBRUARY)
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run("SET LOCAL session_replication_role = replica")
    run("UPDATE ledger_line SET amount = amount + 1 WHERE amount > 0")
    run("SET LOCAL session_replication_role = origin")
    run("SET CONSTRAINTS ALL DEFERRED")
    with pytest.raises(periods.BooksUnbalanced, match=r"manage\.py verify"):
        close(FEBRUARY)
    assert queries.period(FEBRUARY).state == "CLOSING"


NEW_MONTH = "INSERT INTO ledger_period (id, start_date, state, version, closings, created_at)"
CLOSED_ROWS = {
    "a stored balance": "UPDATE ledger_period_balance SET posted = posted + 1",
    "a deleted balance": "DELETE FROM ledger_period_balance",
    "a snapshot": "UPDATE ledger_period_snapshot SET closed_by = 'x'",
    "a total": "DELETE FROM ledger_period_total",
    "a move": "UPDATE ledger_period_transition SET reason = 'x'",
    "a month's beginning": "UPDATE ledger_period SET start_date = '2026-05-01', version = version + 1, state = 'OPEN'",
    "a deleted month": "DELETE FROM ledger_period",
    "a month without a move": "UPDATE ledger_period SET state = 'OPEN', version = version + 1",
    "a version": "UPDATE ledger_period SET version = version + 1",
    "a balance more": "INSERT INTO ledger_period_balance (snapshot_id, account_id, posted, pending)"
    " SELECT snapshot_id, account_id + 1000, 1, 0 FROM ledger_period_balance LIMIT 1",
    "a total more": "INSERT INTO ledger_period_total"
    " (snapshot_id, currency, accounts, debits, credits, pending_debits, pending_credits)"
    " SELECT snapshot_id, 'JPY', 1, 1, 1, 0, 0 FROM ledger_period_total LIMIT 1",
    "a snapshot more": "INSERT INTO ledger_period_snapshot"
    " (id, period_id, number, accounts, last_transition, hash, closed_at, closed_by)"
    " SELECT gen_random_uuid(), period_id, 2, 0, 0, hash, now(), '' FROM ledger_period_snapshot",
    "a month born closed": f"{NEW_MONTH} VALUES (gen_random_uuid(), '2026-02-01', 'CLOSED', 1, 1, now())",
    "a month in its middle": f"{NEW_MONTH} VALUES (gen_random_uuid(), '2026-02-02', 'OPEN', 1, 0, now())",
}


@pytest.mark.parametrize("name", CLOSED_ROWS)
def test_the_database_keeps_what_a_closing_stored(closed_january, name) -> None:
    assert refused_by((CLOSED_ROWS[name], []))


def test_the_database_does_not_close_a_month_without_its_balances() -> None:
    period = uuid4()
    tell = (
        "INSERT INTO ledger_period_transition (id, period_id, sequence, from_state, to_state, cause, actor, reason,"
        " recorded_at, trace_id) VALUES (%s, %s, %s, %s, %s, %s, '', '', now(), '')"
    )
    statements: list[tuple[str, list[object]]] = [
        (f"{NEW_MONTH} VALUES (%s, '2026-01-01', 'OPEN', 1, 0, now())", [period])
    ]
    for version, (before, state) in enumerate([("OPEN", "CLOSING"), ("CLOSING", "CLOSED")], start=2):
        statements += [
            ("UPDATE ledger_period SET state = %s, version = %s, closings = 1", [state, version]),
            (tell, [uuid4(), period, version, before, state, state]),
        ]
    assert refused_by(*statements) == "ledger_period_has_snapshot"
    assert not PeriodSnapshot.objects.exists()


def test_the_operator_is_named_where_a_command_closes() -> None:
    close(JANUARY)
    assert {row.on_behalf_of for row in AuditEntry.objects.filter(object_type="period")} == {OPERATOR.on_behalf_of}
