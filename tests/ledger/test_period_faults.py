"""Closing races with postings and with itself, and dies halfway: nothing is lost, nothing lands in a closed month."""

import os
import subprocess
import sys
from datetime import timedelta
from threading import Event
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from ledger import operations as ledger
from ledger import postings, verification
from ledger.models import Entry, EntryTransition, Period, PeriodSnapshot
from ledger.operations import periods
from ledger.queries import periods as queries
from tests.ledger.books import PARTIES, PAYABLE, RECEIVABLE, day, eur, posted
from tests.ledger.months import (
    FEBRUARY,
    IN_JANUARY,
    JANUARY,
    OPERATOR,
    after,
    close,
    hold,
    person,
    propose,
    reopen,
    sell,
)
from tests.ledger.test_faults import at_once, database_address

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 8


def violations() -> dict[str, list[str]]:
    return {check.name: check.violations for check in verification.checks() if not check.ok}


def in_closed_january() -> int:
    return EntryTransition.objects.filter(effective_at__lt=JANUARY.ends_at).count()


def test_no_posting_is_lost_or_lands_in_a_month_that_closes_meanwhile() -> None:
    closed = Event()

    def write() -> int:
        """Post until the month is closed, and once more."""
        made, last = 0, False
        while not last:
            last = closed.is_set()
            sell(1, on=IN_JANUARY)
            made += 1
        return made

    def shut() -> Period:
        try:
            return close(JANUARY)
        finally:
            closed.set()

    *made, period = at_once(*[write] * WRITERS, shut)
    assert isinstance(period, Period), period
    assert sum(made) == Entry.objects.count()
    (total,) = queries.period(JANUARY).totals or (None,)
    stored = int(total.debits) if total else 0
    assert stored == in_closed_january()
    late = EntryTransition.objects.filter(effective_at__gte=JANUARY.ends_at)
    assert late.count() >= WRITERS
    assert set(late.values_list("effective_at", flat=True)) == {FEBRUARY.starts_at}
    assert posted()[RECEIVABLE] == sum(made)
    assert violations() == {}


def test_holds_settled_while_their_month_closes_are_stored_as_they_stood() -> None:
    holds = [hold(1) for _ in range(40)]
    share = len(holds) // 4

    def settle(mine: list[Entry]) -> None:
        for entry in mine:
            ledger.settle(entry.pk, cause="captured", occurred_at=day(IN_JANUARY), now=day(IN_JANUARY))

    works = [lambda part=part: settle(holds[part * share : (part + 1) * share]) for part in range(4)]
    *done, period = at_once(*works, lambda: close(JANUARY))
    assert done == [None] * 4
    assert isinstance(period, Period), period
    (total,) = queries.period(JANUARY).totals
    assert total.debits + total.pending_debits == len(holds)
    assert posted()[PAYABLE] == -len(holds)
    assert violations() == {}


def test_closing_waits_for_a_posting_under_way_and_gives_up_in_time(settings) -> None:
    settings.LOCK_TIMEOUT_MS = 400
    posting_made, closing_done = Event(), Event()

    def write() -> None:
        with transaction.atomic():
            sell(5)
            posting_made.set()
            closing_done.wait(timeout=20)

    def shut() -> Period:
        posting_made.wait(timeout=20)
        try:
            return close(JANUARY)
        finally:
            closing_done.set()

    _, refusal = at_once(write, shut)
    assert isinstance(refusal, periods.BooksBusy)
    assert queries.period(JANUARY).state == "OPEN"
    assert close(JANUARY).state == "CLOSED"
    assert queries.period(JANUARY).totals[0].debits == 5


def test_a_month_closed_from_everywhere_at_once_is_closed_once() -> None:
    sell(5)
    made = at_once(*[lambda: close(JANUARY)] * WRITERS)
    assert {outcome.state for outcome in made} == {"CLOSED"}
    assert PeriodSnapshot.objects.count() == 1
    assert Period.objects.get().version == 3
    assert violations() == {}


def test_a_month_opened_again_from_everywhere_at_once_is_opened_once() -> None:
    close(JANUARY)
    maker, checker = person("maker", "Finance"), person("checker", "Finance approver")
    proposal = propose(JANUARY, by=maker)
    made = at_once(
        *[
            lambda: periods.approve_reopening(
                proposal_id=proposal.pk, version=1, by=checker, now=after(FEBRUARY)
            ).carried_out()
        ]
        * 4
    )
    assert sorted(type(outcome).__name__ for outcome in made) == ["Period"] + ["ProposalChanged"] * 3
    assert (queries.period(JANUARY).state, queries.period(JANUARY).version) == ("OPEN", 4)


def test_a_month_opened_again_while_the_next_closes_keeps_the_order() -> None:
    sell(5)
    close(JANUARY)
    maker, checker = person("maker", "Finance"), person("checker", "Finance approver")
    at_once(lambda: close(FEBRUARY), lambda: reopen(JANUARY, maker=maker, checker=checker))
    states = (queries.period(JANUARY).state, queries.period(FEBRUARY).state)
    assert states in {("CLOSED", "CLOSED"), ("OPEN", "OPEN")}
    assert violations() == {}


DIE_WHILE_CLOSING = """
import os, signal, django
django.setup()
from ledger import period_sql
from ledger.operations import periods
from tests.ledger.months import JANUARY, close
store = period_sql.store
def store_and_die(closing):
    store(closing)
    os.kill(os.getpid(), signal.SIGKILL)
period_sql.store = store_and_die
close(JANUARY)
"""


def test_a_closing_that_dies_halfway_is_finished_by_the_next() -> None:
    sell(5)
    died = subprocess.run(
        [sys.executable, "-c", DIE_WHILE_CLOSING],
        env={**os.environ, "DATABASE_URL": database_address()},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert died.returncode == -9, died.stderr.decode()
    assert (queries.period(JANUARY).state, PeriodSnapshot.objects.count()) == ("CLOSING", 0)
    late = sell(7)
    assert late.transitions.get().effective_at == FEBRUARY.starts_at
    with pytest.raises(periods.MonthOutOfOrder, match="close it before 2026-02"):
        close(FEBRUARY)
    finished = periods.close(JANUARY, by=OPERATOR, now=after(JANUARY) + timedelta(days=1))
    assert (finished.state, finished.version, finished.closings) == ("CLOSED", 3, 1)
    assert queries.period(JANUARY).totals[0].debits == 5
    assert violations() == {}


def test_a_batch_that_meets_a_closing_takes_effect_as_one() -> None:
    batch = [postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(1)) for _ in range(200)]

    def write() -> list[UUID]:
        return ledger.post_many(batch, occurred_at=day(IN_JANUARY), now=day(IN_JANUARY), cause="batch")

    entries, period = at_once(write, lambda: close(JANUARY))
    assert isinstance(entries, list), entries
    assert isinstance(period, Period), period
    assert EntryTransition.objects.values("effective_at").distinct().count() == 1
    assert in_closed_january() in {0, 200}
    assert violations() == {}
