"""Stored balances always say what the lines say, at any moment, whatever came late, early or twice at once."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from ledger import operations as ledger
from ledger import postings, queries, sealing_sql
from ledger.chart import Side
from ledger.models import Account, BalanceSnapshot, FoldedBalance, Movement, State
from ledger.postings import Posting
from ledger.queries import Balance
from ledger.verification import balances as stored
from paymentops.access.actors import Actor
from paymentops.access.models import AuditEntry
from paymentops.events.models import OutboxEvent
from tests.ledger.books import PARTIES, PAYABLE, RECEIVABLE, START, day, eur, post, without_triggers

EVERY = 3


def sell(minor: int = 100, *, occurred: datetime = START, recorded: datetime = START) -> UUID:
    posting = postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(minor))
    return ledger.post(posting, occurred_at=occurred, now=recorded, cause="test").pk


def hold(minor: int = 100, *, occurred: datetime = START, recorded: datetime = START) -> UUID:
    posting = postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(minor))
    return ledger.post(posting, occurred_at=occurred, now=recorded, cause="test").pk


def seal() -> None:
    ledger.seal(now=START, snapshot_every=EVERY)


def sums(found: list[Balance]) -> list[tuple[str, str, int, int, int]]:
    return [(each.code, each.currency, each.posted, each.pending_debits, each.pending_credits) for each in found]


def differences() -> dict[str, list[str]]:
    return {check.name: check.violations for check in stored.checks() if not check.ok}


def assert_same(effective_at: datetime | None, known_at: datetime | None) -> None:
    read = sums(queries.balances(effective_at=effective_at, known_at=known_at))
    recomputed = queries.recomputed_balances(effective_at=effective_at, known_at=known_at)
    assert read == [
        (each.code, each.currency, each.posted, each.pending_debits, each.pending_credits) for each in recomputed
    ]


# Few moments, so that many movements share one, at distances on both sides of each class of lateness.
MOMENTS = [
    START + timedelta(**{unit: number})
    for unit, number in (("seconds", 0), ("seconds", 30), ("seconds", 61), ("minutes", 11), ("hours", 2), ("hours", 25))
] + [day(number) for number in (4, 12, 40, 130, 1200)]
moments = st.sampled_from(MOMENTS)
# What is done, to which of the entries so far, when it happened, and when it was known.
steps = st.lists(
    st.tuples(
        st.sampled_from(["sell", "hold", "settle", "void", "reverse", "seal"]), st.integers(0, 50), moments, moments
    ),
    max_size=40,
)


class TestFolding(TestCase):
    """Hypothesis rolls each example back by itself."""

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(steps)
    def test_balances_on_both_axes_are_what_the_lines_say(self, taken) -> None:
        entries: list[UUID] = []
        for kind, number, occurred, recorded in taken:
            take(kind, number, occurred, recorded, entries)
        for effective_at in (None, *MOMENTS[::2]):
            for known_at in (None, *MOMENTS[1::2]):
                assert_same(effective_at, known_at)
        assert_statements_agree()
        assert differences() == {}


def take(kind: str, number: int, occurred: datetime, recorded: datetime, entries: list[UUID]) -> None:
    if kind == "seal":
        seal()
    elif kind == "sell":
        entries.append(sell(number + 1, occurred=occurred, recorded=recorded))
    elif kind == "hold":
        entries.append(hold(number + 1, occurred=occurred, recorded=recorded))
    elif entries:
        move = {"settle": ledger.settle, "void": ledger.void, "reverse": ledger.reverse}[kind]
        with suppress(ledger.EntryNotInState):
            move(entries[number % len(entries)], cause=kind, occurred_at=occurred, now=recorded)


def assert_statements_agree() -> None:
    """Read one account page by page in both directions and at the ends of a period."""
    if not Account.objects.filter(code=RECEIVABLE).exists():
        return
    whole = queries.statement(code=RECEIVABLE, currency="EUR", limit=1000)
    forwards, backwards = [], []
    page = queries.statement(code=RECEIVABLE, currency="EUR", limit=3)
    forwards += page.lines
    while page.more:
        page = queries.statement(code=RECEIVABLE, currency="EUR", limit=3, after=page.more)
        forwards += page.lines
    page = queries.statement_newest_first(code=RECEIVABLE, currency="EUR", limit=3)
    backwards += page.lines
    while page.more:
        page = queries.statement_newest_first(code=RECEIVABLE, currency="EUR", limit=3, before=page.more)
        backwards += page.lines
    assert tuple(forwards) == tuple(reversed(backwards)) == whole.lines
    assert [line.position for line in whole.lines] == sorted(line.position for line in whole.lines)
    since, until = MOMENTS[2], MOMENTS[6]
    part = queries.statement(code=RECEIVABLE, currency="EUR", since=since, until=until, limit=1000)
    assert part.lines == tuple(line for line in whole.lines if since <= line.effective_at <= until)
    assert part.closing == queries.balance_at(code=RECEIVABLE, currency="EUR", effective_at=until).posted
    assert part.opening + sum(line.amount for line in part.lines) == part.closing


@pytest.mark.django_db
def test_many_movements_at_one_moment_are_cut_into_snapshots_as_well() -> None:
    for number in range(4 * EVERY):
        sell(number + 1)
    seal()
    assert BalanceSnapshot.objects.filter(account__code=RECEIVABLE).count() == 3
    assert queries.balance_at(code=RECEIVABLE, currency="EUR", effective_at=START).posted == 78
    assert queries.balance_at(code=RECEIVABLE, currency="EUR", effective_at=START - timedelta.resolution).posted == 0
    assert differences() == {}


@pytest.mark.django_db
def test_a_stretch_is_cut_when_it_is_twice_as_long_and_never_into_crumbs() -> None:
    for number in range(6 * EVERY):
        sell(1, occurred=day(number), recorded=day(number))
    seal()
    for _ in range(40):
        sell(1, occurred=day(4), recorded=day(50))
        seal()
    counted = list(
        BalanceSnapshot.objects.filter(account__code=RECEIVABLE)
        .order_by("effective_at", "transition_id")
        .values_list("movements", flat=True)
    )
    stretches = [after - before for before, after in zip([0, *counted], [*counted, 58], strict=False)]
    assert sum(stretches) == 58
    assert all(EVERY <= stretch < 2 * EVERY for stretch in stretches)
    assert differences() == {}


@pytest.mark.django_db
def test_money_authorised_in_january_and_captured_in_february_leaves_january_as_it_was() -> None:
    entry = hold(occurred=day(1), recorded=day(1))
    seal()
    january = queries.balance_at(code=PAYABLE, currency="EUR", effective_at=day(26))
    ledger.settle(entry, cause="captured", occurred_at=day(30), now=day(30))
    seal()
    assert queries.balance_at(code=PAYABLE, currency="EUR", effective_at=day(26)) == january
    assert (january.posted, january.pending) == (0, -100)
    february = queries.balance_at(code=PAYABLE, currency="EUR", effective_at=day(30))
    assert (february.posted, february.pending) == (-100, 0)


@pytest.mark.django_db
def test_what_was_learnt_later_can_be_left_out() -> None:
    sell(100, occurred=day(1), recorded=day(1))
    sell(20, occurred=day(1), recorded=day(9))
    seal()
    assert queries.balance_at(code=RECEIVABLE, currency="EUR", effective_at=day(2)).posted == 120
    assert queries.balance_at(code=RECEIVABLE, currency="EUR", effective_at=day(2), known_at=day(2)).posted == 100
    assert queries.balance_at(code=RECEIVABLE, currency="EUR", known_at=day(8)).posted == 100


@pytest.mark.django_db
def test_available_is_posted_less_what_pending_lines_would_take_away() -> None:
    sell(100)
    refund = postings.refund_requested(refund_id=uuid4(), parties=PARTIES, amount=eur(30))
    pending_refund = Posting(refund.source, State.PENDING, refund.lines)
    post(pending_refund)
    hold(1000)
    payable = queries.balance_at(code=PAYABLE, currency="EUR")
    assert (payable.posted, payable.pending, payable.available) == (-100, -970, -70)
    receivable = queries.balance_at(code=RECEIVABLE, currency="EUR")
    assert (receivable.posted, receivable.pending, receivable.available) == (100, 1000, 100)


@pytest.mark.parametrize(
    ("side", "available"), [(Side.DEBIT, 500 - 40), (Side.CREDIT, 500 + 70), (Side.NONE, 500)], ids=str
)
def test_available_depends_on_the_normal_side(side: Side, available: int) -> None:
    balance = Balance("1", "EUR", "", "", side, posted=500, pending_debits=70, pending_credits=40)
    assert (balance.available, balance.pending) == (available, 30)


@pytest.mark.django_db
def test_trial_balances_of_two_dates_are_compared_account_by_account() -> None:
    sell(100)
    first = queries.trial_balance()
    post(postings.refund_requested(refund_id=uuid4(), parties=PARTIES, amount=eur(40)))
    changes = queries.compare_trial_balances(first=first, second=queries.trial_balance())
    assert [(change.code, change.first, change.second, change.difference) for change in changes] == [
        (RECEIVABLE, 100, 100, 0),
        (PAYABLE, -100, -60, 40),
        ("2020", 0, -40, -40),
    ]


@pytest.mark.django_db
def test_a_balance_at_a_date_takes_two_statements_however_many_accounts(django_assert_num_queries) -> None:
    sell()
    with django_assert_num_queries(2):
        queries.trial_balance(effective_at=day(1), known_at=day(1))


@pytest.mark.django_db
def test_an_account_that_nobody_opened_has_no_balance() -> None:
    with pytest.raises(queries.AccountNotFound, match="no account 2020 in JPY"):
        queries.balance_at(code="2020", currency="JPY")


@pytest.mark.django_db
def test_a_position_is_read_as_it_is_written_and_nothing_else_is() -> None:
    position = queries.Position(day(1) + timedelta(microseconds=1), 12, 3)
    assert queries.Position.parse(str(position)) == position
    assert queries.Position.parse(str(queries.Position(datetime(1960, 1, 1, tzinfo=START.tzinfo), 1, 1)))
    for text in ("", "1-2", "a-b-c", "1-2-99999", f"{10**30}-1-1", "1--2-3"):
        with pytest.raises(queries.UnreadablePosition):
            queries.Position.parse(text)


@pytest.mark.django_db
def test_a_balance_that_drifted_is_noticed_told_and_read_from_the_lines() -> None:
    for number in range(3 * EVERY):
        sell(occurred=day(number), recorded=day(number))
    seal()
    without_triggers("UPDATE ledger_balance_snapshot SET posted = posted + 1")
    without_triggers("UPDATE ledger_folded_balance SET posted = posted + 1")
    assert queries.balance_at(code=RECEIVABLE, currency="EUR").posted == 901
    check = ledger.check_balance(code=RECEIVABLE, currency="EUR", now=day(20))
    assert len(check.violations) == 3
    found = queries.balance_at(code=RECEIVABLE, currency="EUR")
    assert (found.posted, found.drifted_at) == (900, day(20))
    assert queries.balance_at(code=RECEIVABLE, currency="EUR", effective_at=day(2), known_at=day(9)).posted == 300
    page = queries.statement_newest_first(code=RECEIVABLE, currency="EUR", limit=2, until=day(5))
    assert [(line.amount, line.balance) for line in page.lines] == [(100, 600), (100, 500)]
    assert (page.opening, page.closing) == (0, 600)
    event = OutboxEvent.objects.get(type="ledger.balance_drifted")
    assert (event.data["account"], event.data["currency"], len(event.data["violations"])) == (RECEIVABLE, "EUR", 3)
    ledger.check_balance(code=RECEIVABLE, currency="EUR", now=day(21))
    assert OutboxEvent.objects.filter(type="ledger.balance_drifted").count() == 1
    assert differences()["ledger.no_account_drifted"] == [
        f"{RECEIVABLE} EUR: drifted since 2026-01-25 09:00:00Z; rebuild it with manage.py ledger rebuild",
    ]


@pytest.mark.django_db
def test_a_rebuilt_account_is_believed_again_and_the_rebuilding_is_audited() -> None:
    for number in range(3 * EVERY):
        sell(occurred=day(number), recorded=day(number))
    seal()
    without_triggers("DELETE FROM ledger_movement WHERE number = 1 AND posted > 0")
    without_triggers("UPDATE ledger_folded_balance SET posted = 0")
    assert ledger.check_balance(code=RECEIVABLE, currency="EUR", now=day(20)).violations
    actor = Actor.command("ledger")
    for code in (RECEIVABLE, PAYABLE):
        rebuilt = ledger.rebuild_balances(code=code, currency="EUR", reason="drill", by=actor, now=day(21))
        assert (abs(rebuilt.posted), rebuilt.movements, rebuilt.drifted_at) == (900, 9, None)
    assert differences() == {}
    assert Movement.objects.count() == 18
    audit = AuditEntry.objects.get(action="ledger.rebuild", object_id=f"{RECEIVABLE} EUR")
    assert (audit.reason, audit.before["posted"], audit.after["posted"]) == ("drill", "0", "900")


@pytest.mark.django_db(transaction=True)
def test_an_account_rebuilt_while_it_is_checked_is_not_marked_again() -> None:
    sell()
    seal()
    account = Account.objects.get(code=RECEIVABLE)
    with transaction.atomic():
        without_triggers("UPDATE ledger_folded_balance SET posted = 0 WHERE account_id = %s", account.pk)

    def check() -> ledger.BalanceCheck:
        try:
            return ledger.check_balance(code=RECEIVABLE, currency="EUR", now=day(1))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            FoldedBalance.objects.select_for_update().get(account=account)
            checking = pool.submit(check)
            wait_for_somebody_behind_us()
            sealing_sql.refold(account.pk, now=day(1))
        assert checking.result(timeout=20).violations == ()
    assert FoldedBalance.objects.get(account=account).drifted_at is None
    assert not OutboxEvent.objects.filter(type="ledger.balance_drifted").exists()


def wait_for_somebody_behind_us() -> None:
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            )
            if cursor.fetchall():
                return
        time.sleep(0.02)
    raise AssertionError("Nobody came to wait.")


@pytest.mark.django_db
def test_a_movement_under_another_account_is_taken_back() -> None:
    sell()
    seal()
    other = Account.objects.get(code=PAYABLE)
    without_triggers("UPDATE ledger_movement SET account_id = %s", other.pk)
    ledger.rebuild_balances(code=RECEIVABLE, currency="EUR", reason="drill", by=Actor.command("ledger"), now=day(1))
    assert differences() == {}


@pytest.mark.django_db
def test_accounts_are_checked_in_turn_until_none_is_due() -> None:
    sell()
    seal()
    checked = [ledger.check_next_balance(checked_before=day(1), now=day(1)) for _ in range(3)]
    assert [check and check.code for check in checked] == [RECEIVABLE, PAYABLE, None]
    assert [check.violations for check in checked if check] == [(), ()]
    assert FoldedBalance.objects.filter(checked_at=day(1)).count() == 2


@pytest.mark.django_db
def test_an_account_without_a_stored_sum_is_noticed() -> None:
    sell()
    seal()
    without_triggers("DELETE FROM ledger_folded_balance")
    check = ledger.check_balance(code=RECEIVABLE, currency="EUR", now=day(1))
    assert check.violations == (f"{RECEIVABLE} EUR: has no stored sum",)
    assert queries.balance_at(code=RECEIVABLE, currency="EUR").posted == 100
