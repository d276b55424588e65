"""Worked examples: what happens to money, told in balances (minor units of EUR, debit positive)."""

from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import operations as ledger
from ledger import postings, queries, verification
from ledger.postings import Source
from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money
from tests.ledger.books import PARTIES, PAYABLE, RECEIVABLE, as_if_committed, day, eur, pending, post, posted

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _books_agree_in_the_end():
    yield
    as_if_committed()
    assert [violation for check in verification.checks() for violation in check.violations] == []


def test_authorised_then_captured_in_full() -> None:
    payment = uuid4()
    hold = post(postings.held(payment_id=payment, sequence=0, parties=PARTIES, amount=eur(12_990)))
    assert pending() == {RECEIVABLE: 12_990, PAYABLE: -12_990}
    assert posted() == {}

    ledger.settle(hold.pk, cause="captured", occurred_at=day(1), now=day(1))
    assert pending() == {}
    assert posted() == {RECEIVABLE: 12_990, PAYABLE: -12_990}


def test_authorised_then_voided() -> None:
    payment = uuid4()
    post(postings.held(payment_id=payment, sequence=0, parties=PARTIES, amount=eur(500)))
    source = postings.hold_source(payment_id=payment, sequence=0)
    ledger.void(source, cause="expired", occurred_at=day(7), now=day(7))
    assert (pending(), posted()) == ({}, {})


def test_captured_in_two_parts_and_the_rest_released() -> None:
    payment = uuid4()
    post(postings.held(payment_id=payment, sequence=0, parties=PARTIES, amount=eur(1000)))
    for number, (captured, rest) in enumerate([(300, 700), (450, 250)]):
        ledger.void(
            postings.hold_source(payment_id=payment, sequence=number),
            cause=f"capture {number}",
            occurred_at=day(number),
            now=day(number),
        )
        ledger.post_many(
            postings.captured_in_part(
                payment_id=payment,
                capture_id=uuid4(),
                hold_sequence=number,
                parties=PARTIES,
                captured=eur(captured),
                rest=eur(rest),
            ),
            occurred_at=day(number),
            now=day(number),
            cause=f"capture {number}",
        )
    assert pending() == {RECEIVABLE: 250, PAYABLE: -250}
    assert posted() == {RECEIVABLE: 750, PAYABLE: -750}

    ledger.void(postings.hold_source(payment_id=payment, sequence=2), cause="rest", occurred_at=day(3), now=day(3))
    assert pending() == {}
    assert posted() == {RECEIVABLE: 750, PAYABLE: -750}


def test_a_refund_that_fails_and_one_that_succeeds() -> None:
    failed, succeeded = uuid4(), uuid4()
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(1000)))
    post(postings.refund_requested(refund_id=failed, parties=PARTIES, amount=eur(400)))
    post(postings.refund_requested(refund_id=succeeded, parties=PARTIES, amount=eur(100)))
    assert posted() == {RECEIVABLE: 1000, PAYABLE: -500, "2020": -500}

    post(postings.refund_failed(refund_id=failed, parties=PARTIES, amount=eur(400)))
    post(postings.refund_succeeded(refund_id=succeeded, parties=PARTIES, requested=eur(100), refunded=eur(100)))
    assert posted() == {RECEIVABLE: 900, PAYABLE: -900}


def test_a_refund_that_came_back_and_was_paid_out_again() -> None:
    refund = uuid4()
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(1000)))
    post(postings.refund_requested(refund_id=refund, parties=PARTIES, amount=eur(1000)))
    post(postings.refund_succeeded(refund_id=refund, parties=PARTIES, requested=eur(1000), refunded=eur(1000)))
    assert posted() == {}
    post(postings.refund_came_back(refund_id=refund, sequence=0, parties=PARTIES, amount=eur(1000)))
    assert posted() == {RECEIVABLE: 1000, "2030": -1000}
    post(postings.surplus_returned(source=Source("refund", refund, "paid_again"), parties=PARTIES, amount=eur(1000)))
    assert posted() == {}


def test_evidence_of_a_refund_nobody_asked_for_is_posted() -> None:
    post(postings.refund_found(refund_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(60)))
    assert posted() == {RECEIVABLE: -60, PAYABLE: 60}


def test_a_refund_found_after_it_had_failed_is_posted() -> None:
    refund = uuid4()
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))
    post(postings.refund_requested(refund_id=refund, parties=PARTIES, amount=eur(60)))
    post(postings.refund_failed(refund_id=refund, parties=PARTIES, amount=eur(60)))
    post(postings.refund_found(refund_id=refund, sequence=0, parties=PARTIES, amount=eur(60)))
    assert posted() == {RECEIVABLE: 40, PAYABLE: -40}


def test_a_capture_found_after_the_hold_was_voided() -> None:
    payment = uuid4()
    hold = post(postings.held(payment_id=payment, sequence=0, parties=PARTIES, amount=eur(80)))
    ledger.void(hold.pk, cause="expired", occurred_at=day(1), now=day(1))
    post(postings.captured_late(payment_id=payment, sequence=0, parties=PARTIES, amount=eur(80)))
    assert posted() == {RECEIVABLE: 80, PAYABLE: -80}


def test_a_capture_taken_back_stays_in_the_books_with_its_reversal() -> None:
    sale = post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(250)))
    back = ledger.reverse(sale.pk, cause="capture failed", occurred_at=day(2), now=day(2))
    sale.refresh_from_db()
    assert (sale.state, back.state, back.reverses_id) == ("REVERSED", "POSTED", sale.pk)
    assert posted() == {}
    assert posted(effective_at=day(1)) == {RECEIVABLE: 250, PAYABLE: -250}


def test_fees_and_a_payout_clear_what_the_provider_owes() -> None:
    batch = uuid4()
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(10_000)))
    fees = Source("settlement", batch, "processing_fees")
    announced, paid = Source("settlement", batch, "announced"), Source("bank_line", uuid4(), "credited")
    post(postings.provider_fees(source=fees, provider_account="sandbox", amount=eur(290)))
    post(postings.settlement_announced(source=announced, provider_account="sandbox", net=eur(9710)))
    assert posted() == {PAYABLE: -10_000, "5010": 290, "1120:sandbox": 9710}
    post(postings.payout_received(source=paid, provider_account="sandbox", bank_account="main", amount=eur(9710)))
    assert posted() == {PAYABLE: -10_000, "5010": 290, "1010:main": 9710}


def test_a_chargeback_won_and_one_lost() -> None:
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(1000)))
    won, lost = uuid4(), uuid4()
    for dispute in (won, lost):
        opened = Source("dispute", dispute, "opened")
        post(postings.chargeback_opened(source=opened, parties=PARTIES, amount=eur(400)))
        fee = post(
            postings.dispute_fee(source=Source("dispute", dispute, "fee"), provider_account="sandbox", amount=eur(15))
        )
        if dispute is won:
            ledger.reverse(fee.pk, cause="fee returned", occurred_at=day(3), now=day(3))
    assert posted() == {RECEIVABLE: 185, PAYABLE: -1000, "1210:sandbox": 800, "5020": 15}
    post(postings.chargeback_won(source=Source("dispute", won, "won"), parties=PARTIES, amount=eur(400)))
    post(postings.chargeback_lost(source=Source("dispute", lost, "lost"), provider_account="sandbox", amount=eur(400)))
    assert posted() == {RECEIVABLE: 585, PAYABLE: -1000, "5020": 15, "5030": 400}


def test_what_was_authorised_in_january_and_captured_in_february_leaves_january_as_it_was() -> None:
    hold = post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(70)), on=20)
    january = (posted(effective_at=day(26)), pending(effective_at=day(26)))
    ledger.settle(hold.pk, cause="captured", occurred_at=day(30), now=day(31))
    assert (posted(effective_at=day(26)), pending(effective_at=day(26))) == january
    assert posted(effective_at=day(30)) == {RECEIVABLE: 70, PAYABLE: -70}
    assert posted(effective_at=day(30), known_at=day(30)) == {}
    assert pending(effective_at=day(30), known_at=day(30)) == {RECEIVABLE: 70, PAYABLE: -70}


def test_a_capture_dated_before_its_authorisation_never_makes_pending_negative() -> None:
    hold = post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(70)), on=5)
    ledger.settle(hold.pk, cause="captured", occurred_at=day(4), now=day(6))
    assert (posted(effective_at=day(4)), pending(effective_at=day(4))) == ({}, {})
    assert posted(effective_at=day(5)) == {RECEIVABLE: 70, PAYABLE: -70}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "settle", "void", "sell", "ask", "refund", "fail", "found", "back", "reverse"]),
        st.integers(min_value=0, max_value=3),
        st.integers(min_value=1, max_value=2**53 - 1),
        st.sampled_from(["EUR", "JPY", "KWD"]),
    ),
    max_size=25,
)


def take(step: str, thing, amount: Money) -> None:
    """Do one thing to the payment or refund ``thing``; whether it is allowed is for the ledger to say."""
    moment = {"cause": f"{step} {uuid4()}", "occurred_at": day(0), "now": day(0)}
    hold = postings.hold_source(payment_id=thing, sequence=0)
    actions = {
        "hold": lambda: ledger.post(
            postings.held(payment_id=thing, sequence=0, parties=PARTIES, amount=amount), **moment
        ),
        "settle": lambda: ledger.settle(hold, **moment),
        "void": lambda: ledger.void(hold, **moment),
        "sell": lambda: ledger.post(postings.sold(payment_id=thing, parties=PARTIES, amount=amount), **moment),
        "ask": lambda: ledger.post(
            postings.refund_requested(refund_id=thing, parties=PARTIES, amount=amount), **moment
        ),
        "refund": lambda: ledger.post(
            postings.refund_succeeded(refund_id=thing, parties=PARTIES, requested=amount, refunded=amount), **moment
        ),
        "fail": lambda: ledger.post(postings.refund_failed(refund_id=thing, parties=PARTIES, amount=amount), **moment),
        "found": lambda: ledger.post(
            postings.refund_found(refund_id=thing, sequence=0, parties=PARTIES, amount=amount), **moment
        ),
        "back": lambda: ledger.post(
            postings.refund_came_back(refund_id=thing, sequence=0, parties=PARTIES, amount=amount), **moment
        ),
        "reverse": lambda: ledger.reverse(hold, **moment),
    }
    actions[step]()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_sequence_of_events_unbalances_the_books(steps) -> None:
    things = [uuid4() for _ in range(4)]
    with transaction.atomic():
        for step, which, amount, currency in steps:
            try:
                with transaction.atomic():
                    take(step, things[which], Money(amount, currency))
            except ApplicationError:
                continue
        as_if_committed()
        assert [balance.difference for balance in queries.trial_balance() if balance.difference] == []
        assert [violation for check in verification.checks() for violation in check.violations] == []
        transaction.set_rollback(True)
