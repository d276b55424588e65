"""Posting, settling, voiding and reversing: once per source, once per cause, along the state machine."""

from dataclasses import replace
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from ledger import operations as ledger
from ledger import postings, queries
from ledger.models import Account, Entry, EntryTransition, Line
from paymentops.core.money import Money
from tests.ledger.books import PARTIES, START, day, eur, post, posted

pytestmark = pytest.mark.django_db


def moment(cause: str, *, on: int = 0) -> dict[str, object]:
    return {"cause": cause, "occurred_at": day(on), "now": day(on)}


@pytest.fixture
def hold(db) -> Entry:
    return post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(100)), cause="authorised")


def test_an_entry_keeps_what_it_was_posted_with() -> None:
    posting = postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100))
    made = ledger.post(
        posting,
        occurred_at=day(1),
        now=day(2),
        cause="attempt 1",
        actor="worker",
        trace_id="0af7651916cd43dd8448eb211c80319c",
    )
    stored = Entry.objects.get()
    for field in Entry._meta.concrete_fields:
        if field.name != "xact_id":
            mine, theirs = getattr(made, field.attname), getattr(stored, field.attname)
            assert (bytes(mine), bytes(theirs))[0] == bytes(theirs) if field.name == "lines_digest" else mine == theirs
    move = EntryTransition.objects.get()
    assert (move.from_state, move.to_state, move.cause, move.actor) == ("", "POSTED", "attempt 1", "worker")
    assert (move.effective_at, move.occurred_at, move.recorded_at) == (day(1), day(1), day(2))
    assert move.trace_id == stored.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert stored.xact_id.isdigit()


def test_the_same_event_is_posted_once() -> None:
    posting = postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100))
    first, second = post(posting), post(posting, on=3, cause="another")
    assert first == second
    assert (Entry.objects.count(), Line.objects.count(), EntryTransition.objects.count()) == (1, 2, 1)


def test_the_same_event_with_other_lines_is_refused() -> None:
    payment = uuid4()
    post(postings.sold(payment_id=payment, parties=PARTIES, amount=eur(100)))
    with pytest.raises(ledger.SourceReused, match="with other lines"):
        post(postings.sold(payment_id=payment, parties=PARTIES, amount=eur(101)))


def test_many_are_posted_in_the_order_given_and_each_once() -> None:
    made = [postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(number)) for number in range(1, 6)]
    early = post(made[2])
    made_ids = ledger.post_many([*made, made[0]], **moment("batch"))
    entries = Entry.objects.in_bulk(made_ids)
    assert [entries[each].source_id for each in made_ids] == [posting.source.id for posting in [*made, made[0]]]
    assert made_ids[2] == early.pk
    assert made_ids[0] == made_ids[5]
    assert posted()["1110:sandbox"] == 15


@pytest.mark.parametrize("text", ['says "twice"', "back\\slash", "{a,b}", "NULL", "", " ", "é \U0001f600", "a,b\nc"])
def test_a_description_is_stored_as_it_was_given(text: str) -> None:
    entry = post(replace(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(5)), description=text))
    entry.refresh_from_db()
    assert entry.description == text


def test_nothing_is_posted_for_nothing() -> None:
    assert ledger.post_many([], **moment("batch")) == []


def test_a_bad_one_among_many_takes_all_with_it() -> None:
    good = postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(5))
    bad = postings.refund_failed(refund_id=uuid4(), parties=PARTIES, amount=eur(5))
    with pytest.raises(ledger.AccountOnWrongSide):
        ledger.post_many([good, bad], **moment("batch"))


def test_accounts_are_opened_on_first_use_as_the_chart_says(hold) -> None:
    receivable, payable = Account.objects.all()
    assert (receivable.code, receivable.name) == ("1110:sandbox", "provider_receivable:sandbox")
    assert (receivable.kind, receivable.normal_side, receivable.guarded) == ("ASSET", "DEBIT", False)
    assert (payable.code, payable.kind, payable.normal_side) == ("2010:cli_shop", "LIABILITY", "CREDIT")
    assert receivable.created_at == START


def test_the_same_cause_moves_an_entry_once(hold) -> None:
    assert ledger.settle(hold.pk, **moment("captured")).state == "POSTED"
    assert ledger.settle(hold.pk, **moment("captured", on=2)).state == "POSTED"
    assert hold.transitions.count() == 2


def test_an_entry_is_found_by_its_source_too(hold) -> None:
    source = postings.hold_source(payment_id=hold.source_id, sequence=0)
    assert ledger.settle(source, **moment("captured")) == hold


def test_a_refused_move_leaves_the_callers_transaction_as_it_was(hold) -> None:
    with transaction.atomic():
        ledger.void(hold.pk, **moment("expired"))
        with pytest.raises(ledger.EntryNotInState):
            ledger.settle(hold.pk, **moment("captured"))
        post(postings.captured_late(payment_id=hold.source_id, sequence=0, parties=PARTIES, amount=eur(100)))
    assert posted() == {"1110:sandbox": 100, "2010:cli_shop": -100}


def test_a_refused_posting_takes_the_callers_transaction_with_it(hold) -> None:
    failed = postings.refund_failed(refund_id=uuid4(), parties=PARTIES, amount=eur(5))
    with transaction.atomic():
        with pytest.raises(ledger.AccountOnWrongSide):
            post(failed)
        with pytest.raises(transaction.TransactionManagementError):
            Entry.objects.count()


def test_a_broken_constraint_without_a_name_for_callers_passes_as_it_is() -> None:
    sale = postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(5))
    with pytest.raises(IntegrityError, match="ledger_entry_transition_has_cause"):
        post(sale, cause="")


def test_a_thing_without_an_entry_cannot_be_settled() -> None:
    with pytest.raises(ledger.EntryNotFound):
        ledger.settle(uuid4(), **moment("captured"))
    with pytest.raises(ledger.EntryNotFound):
        ledger.void(postings.hold_source(payment_id=uuid4(), sequence=0), **moment("expired"))


@pytest.mark.parametrize("first", ["settle", "void"])
@pytest.mark.parametrize("second", ["settle", "void"])
def test_a_pending_entry_is_settled_or_voided_once(hold, first, second) -> None:
    getattr(ledger, first)(hold.pk, **moment("first"))
    with pytest.raises(ledger.EntryNotInState, match=r"is (POSTED|VOIDED)"):
        getattr(ledger, second)(hold.pk, **moment("second"))


def test_only_what_is_posted_can_be_reversed(hold) -> None:
    with pytest.raises(ledger.EntryNotInState, match="is PENDING"):
        ledger.reverse(hold.pk, **moment("taken back"))


def test_an_entry_is_reversed_once(hold) -> None:
    ledger.settle(hold.pk, **moment("captured"))
    back = ledger.reverse(hold.pk, **moment("taken back"))
    assert ledger.reverse(hold.pk, **moment("taken back")) == back
    with pytest.raises(ledger.EntryNotInState, match="is REVERSED"):
        ledger.reverse(hold.pk, **moment("taken back again"))
    assert posted() == {}


def test_a_cause_that_posted_an_entry_cannot_also_settle_it_unseen(hold) -> None:
    with pytest.raises(ledger.EntryNotInState, match="authorised"):
        ledger.settle(hold.pk, **moment("authorised"))


def test_a_payment_story_takes_three_queries(hold, django_assert_num_queries) -> None:
    for number in range(5):
        post(postings.held(payment_id=hold.source_id, sequence=number + 1, parties=PARTIES, amount=eur(5)), on=number)
    refund = uuid4()
    post(postings.refund_requested(refund_id=refund, parties=PARTIES, amount=eur(5)), on=9)
    ledger.void(hold.pk, **moment("expired", on=9))
    with django_assert_num_queries(3):
        story = queries.entries_for_sources({"payment": [hold.source_id], "refund": [refund]})
    assert [entry.source_sequence for entry in story[:-1]] == [0, 1, 2, 3, 4, 5]
    assert story[0].state == "VOIDED"
    assert [move.to_state for move in story[0].transitions] == ["PENDING", "VOIDED"]
    assert [(line.account, line.amount) for line in story[-1].lines] == [("2010:cli_shop", 5), ("2020", -5)]


def test_entries_of_nothing_are_none(hold) -> None:
    assert queries.entries_for_source(type="refund", ids=[hold.source_id]) == []
    assert queries.entries_for_sources({}) == []


def test_a_statement_goes_on_where_its_page_ended(hold) -> None:
    for number in range(5):
        post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(number + 1)), on=number)
    first = queries.statement(code="1110:sandbox", currency="EUR", limit=2)
    second = queries.statement(code="1110:sandbox", currency="EUR", limit=9, after=first.more)
    assert [line.amount for line in first.lines + second.lines] == [1, 2, 3, 4, 5]
    assert second.more is None
    with pytest.raises(queries.AccountNotFound):
        queries.statement(code="1110:sandbox", currency="JPY")


def test_balances_of_named_accounts_only(hold) -> None:
    (balance,) = queries.balances(codes=["1110:sandbox"])
    assert (balance.code, balance.posted, balance.pending) == ("1110:sandbox", 0, 100)
    assert queries.balances(codes=[]) == []


def test_the_trial_balance_is_zero_in_every_currency() -> None:
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=Money(7, "JPY")))
    found = {balance.currency: balance for balance in queries.trial_balance()}
    assert {code: (each.debits, each.credits, each.difference) for code, each in found.items()} == {
        "EUR": (100, 100, 0),
        "JPY": (7, 7, 0),
    }
