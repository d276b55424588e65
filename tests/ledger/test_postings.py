"""Posting rules, from values to values."""

from uuid import UUID

import pytest

from ledger import chart, postings
from ledger.models import State
from ledger.postings import Posting, PostingLine, Source, UnbalancedPosting
from tests.ledger.books import PARTIES, eur

PAYMENT, CAPTURE, REFUND, BATCH = (UUID(int=number) for number in range(1, 5))
SOURCE = Source("settlement", BATCH, "test")


def lines(posting: Posting) -> list[tuple[str, int, str]]:
    return [(line.account.code, line.amount, line.method) for line in posting.lines]


def test_a_hold_is_pending_on_receivable_and_payable() -> None:
    posting = postings.held(payment_id=PAYMENT, sequence=0, parties=PARTIES, amount=eur(100))
    assert posting.state == State.PENDING
    assert posting.source == postings.hold_source(payment_id=PAYMENT, sequence=0)
    assert lines(posting) == [("1110:sandbox", 100, "card"), ("2010:cli_shop", -100, "")]


def test_a_partial_capture_posts_the_part_and_holds_the_rest() -> None:
    taken, rest = postings.captured_in_part(
        payment_id=PAYMENT, capture_id=CAPTURE, hold_sequence=0, parties=PARTIES, captured=eur(30), rest=eur(70)
    )
    assert (taken.state, taken.source.id) == (State.POSTED, CAPTURE)
    assert lines(taken) == [("1110:sandbox", 30, "card"), ("2010:cli_shop", -30, "")]
    assert (rest.state, rest.source) == (State.PENDING, postings.hold_source(payment_id=PAYMENT, sequence=1))
    assert lines(rest)[0] == ("1110:sandbox", 70, "card")


def test_the_last_capture_holds_nothing_more() -> None:
    (taken,) = postings.captured_in_part(
        payment_id=PAYMENT, capture_id=CAPTURE, hold_sequence=1, parties=PARTIES, captured=eur(70), rest=eur(0)
    )
    assert taken.state == State.POSTED


def test_a_refund_of_another_amount_than_asked_for_releases_all_that_was_in_flight() -> None:
    less = postings.refund_succeeded(refund_id=REFUND, parties=PARTIES, requested=eur(50), refunded=eur(40))
    more = postings.refund_succeeded(refund_id=REFUND, parties=PARTIES, requested=eur(50), refunded=eur(60))
    exact = postings.refund_succeeded(refund_id=REFUND, parties=PARTIES, requested=eur(50), refunded=eur(50))
    assert lines(less) == [("2020", 50, ""), ("2010:cli_shop", -10, ""), ("1110:sandbox", -40, "card")]
    assert lines(more) == [("2020", 50, ""), ("2010:cli_shop", 10, ""), ("1110:sandbox", -60, "card")]
    assert lines(exact) == [("2020", 50, ""), ("1110:sandbox", -50, "card")]


RULES = {
    "sold": (postings.sold(payment_id=PAYMENT, parties=PARTIES, amount=eur(7)), "1110:sandbox", "2010:cli_shop"),
    "captured late": (
        postings.captured_late(payment_id=PAYMENT, sequence=0, parties=PARTIES, amount=eur(7)),
        "1110:sandbox",
        "2010:cli_shop",
    ),
    "capture kept": (
        postings.capture_kept(source=SOURCE, parties=PARTIES, amount=eur(7)),
        "1110:sandbox",
        "2010:cli_shop",
    ),
    "surplus found": (
        postings.surplus_found(source=SOURCE, parties=PARTIES, amount=eur(7)),
        "1110:sandbox",
        "2030",
    ),
    "surplus returned": (
        postings.surplus_returned(source=SOURCE, parties=PARTIES, amount=eur(7)),
        "2030",
        "1110:sandbox",
    ),
    "refund requested": (
        postings.refund_requested(refund_id=REFUND, parties=PARTIES, amount=eur(7)),
        "2010:cli_shop",
        "2020",
    ),
    "refund failed": (
        postings.refund_failed(refund_id=REFUND, parties=PARTIES, amount=eur(7)),
        "2020",
        "2010:cli_shop",
    ),
    "refund found": (
        postings.refund_found(refund_id=REFUND, sequence=0, parties=PARTIES, amount=eur(7)),
        "2010:cli_shop",
        "1110:sandbox",
    ),
    "refund came back": (
        postings.refund_came_back(refund_id=REFUND, sequence=0, parties=PARTIES, amount=eur(7)),
        "1110:sandbox",
        "2030",
    ),
    "fees": (
        postings.provider_fees(source=SOURCE, provider_account="sandbox", amount=eur(7)),
        "5010",
        "1110:sandbox",
    ),
    "settlement": (
        postings.settlement_announced(source=SOURCE, provider_account="sandbox", net=eur(7)),
        "1120:sandbox",
        "1110:sandbox",
    ),
    "negative settlement": (
        postings.settlement_announced(source=SOURCE, provider_account="sandbox", net=eur(-7)),
        "1110:sandbox",
        "1120:sandbox",
    ),
    "payout": (
        postings.payout_received(source=SOURCE, provider_account="sandbox", bank_account="main", amount=eur(7)),
        "1010:main",
        "1120:sandbox",
    ),
    "reserve held": (
        postings.reserve_held(source=SOURCE, provider_account="sandbox", amount=eur(7)),
        "1130:sandbox",
        "1110:sandbox",
    ),
    "reserve released": (
        postings.reserve_released(source=SOURCE, provider_account="sandbox", amount=eur(7)),
        "1110:sandbox",
        "1130:sandbox",
    ),
    "chargeback": (
        postings.chargeback_opened(source=SOURCE, parties=PARTIES, amount=eur(7)),
        "1210:sandbox",
        "1110:sandbox",
    ),
    "chargeback won": (
        postings.chargeback_won(source=SOURCE, parties=PARTIES, amount=eur(7)),
        "1110:sandbox",
        "1210:sandbox",
    ),
    "chargeback lost": (
        postings.chargeback_lost(source=SOURCE, provider_account="sandbox", amount=eur(7)),
        "5030",
        "1210:sandbox",
    ),
    "negative payout": (
        postings.payout_received(source=SOURCE, provider_account="sandbox", bank_account="main", amount=eur(-7)),
        "1120:sandbox",
        "1010:main",
    ),
    "shortfall accepted": (
        postings.shortfall_accepted(source=SOURCE, provider_account="sandbox", amount=eur(7)),
        "1290",
        "1120:sandbox",
    ),
    "shortfall arrived": (
        postings.shortfall_arrived(source=SOURCE, bank_account="main", amount=eur(7)),
        "1010:main",
        "1290",
    ),
    "shortfall was fees": (postings.shortfall_was_fees(source=SOURCE, amount=eur(7)), "5010", "1290"),
    "written off": (postings.written_off(source=SOURCE, amount=eur(7)), "5040", "1290"),
    "receipt unidentified": (
        postings.receipt_unidentified(source=SOURCE, bank_account="main", amount=eur(7)),
        "1010:main",
        "2090",
    ),
    "receipt identified": (
        postings.receipt_identified(source=SOURCE, provider_account="sandbox", amount=eur(7)),
        "2090",
        "1120:sandbox",
    ),
    "receipt kept": (postings.receipt_kept(source=SOURCE, amount=eur(7)), "2090", "4090"),
    "bank charges": (
        postings.bank_charges(source=SOURCE, bank_account="main", amount=eur(7)),
        "5010",
        "1010:main",
    ),
    "client paid out": (
        postings.client_paid_out(source=SOURCE, parties=PARTIES, bank_account="main", amount=eur(7)),
        "2010:cli_shop",
        "1010:main",
    ),
    "refund paid again": (
        postings.refund_paid_again(refund_id=REFUND, sequence=0, parties=PARTIES, amount=eur(7)),
        "2030",
        "1110:sandbox",
    ),
    "chargeback charged to the client": (
        postings.chargeback_charged_to_client(source=SOURCE, parties=PARTIES, amount=eur(7)),
        "2010:cli_shop",
        "1210:sandbox",
    ),
    "dispute fee returned": (
        postings.dispute_fee_returned(source=SOURCE, provider_account="sandbox", amount=eur(7)),
        "1110:sandbox",
        "5020",
    ),
    "dispute fee": (
        postings.dispute_fee(source=SOURCE, provider_account="sandbox", amount=eur(7)),
        "5020",
        "1110:sandbox",
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_each_event_debits_and_credits_as_the_posting_table_says(name: str) -> None:
    posting, debit, credit = RULES[name]
    assert posting.state == State.POSTED
    assert [(code, amount) for code, amount, _ in lines(posting)] == [(debit, 7), (credit, -7)]


@pytest.mark.parametrize("name", RULES)
def test_only_what_providers_owe_us_has_a_method(name: str) -> None:
    posting, _, _ = RULES[name]
    assert not [code for code, _, method in lines(posting) if method and not code.startswith("1110:")]


@pytest.mark.parametrize("amount", [0, -1])
def test_an_event_moves_a_positive_amount(amount: int) -> None:
    with pytest.raises(UnbalancedPosting, match="positive amount"):
        postings.refund_requested(refund_id=REFUND, parties=PARTIES, amount=eur(amount))


BANK, LOSS, YEN = (
    chart.account("1010", "EUR", part="main"),
    chart.account("5040", "EUR"),
    chart.account("5040", "JPY"),
)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([], "has 0"),
        ([PostingLine(BANK, 1)], "has 1"),
        ([PostingLine(BANK, 5), PostingLine(LOSS, -4)], "EUR lines of .* add up to 1"),
        ([PostingLine(BANK, 5), PostingLine(YEN, -5)], "add up to 5"),
        ([PostingLine(BANK, 0), PostingLine(LOSS, 0)], "0 cannot be an amount"),
        ([PostingLine(BANK, 2**63), PostingLine(LOSS, -(2**63))], "cannot be an amount"),
        ([PostingLine(BANK, 1)] * 16_384 + [PostingLine(LOSS, -1)] * 16_384, "has 32768"),
    ],
)
def test_lines_that_make_no_entry_are_refused_before_they_reach_the_database(made, message) -> None:
    with pytest.raises(UnbalancedPosting, match=message):
        Posting(SOURCE, State.POSTED, tuple(made))


def test_a_reversal_has_the_opposite_lines_and_a_source_of_its_own() -> None:
    original = postings.sold(payment_id=PAYMENT, parties=PARTIES, amount=eur(9))
    back = postings.reversal(original=CAPTURE, source=original.source, lines=original.lines)
    assert back.source == Source("payment", PAYMENT, "sale_reversed")
    assert lines(back) == [("1110:sandbox", -9, "card"), ("2010:cli_shop", 9, "")]
    assert back.reverses == CAPTURE


@pytest.mark.parametrize("code", ["", "9999", "1110", "1110:", "2020:cli_shop", "111"])
def test_a_code_outside_the_chart_is_refused(code: str) -> None:
    with pytest.raises(chart.UnknownAccount):
        chart.find(code)


def test_no_hot_account_is_guarded() -> None:
    guarded = {line.number for line in chart.CHART.values() if line.guarded}
    assert guarded == {"1130", "1210", "2020", "2030", "2090"}
