"""Templates of manual journals, and what may stand in one."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from ledger import journals
from ledger.chart import UnknownAccount
from ledger.journals import TEMPLATES, Journal, JournalNotUsable, UnknownTemplate
from ledger.postings import UnbalancedPosting
from paymentops.core.money import Money, UnknownCurrency
from tests.ledger.books import START, eur

PARTS = {"bank account": "main", "provider account": "sandbox", "client": "cli_shop"}
NOW = START + timedelta(days=1)


def journal(template: str = "bank_charge", **changed) -> Journal:
    lines = journals.fill(template, amount=eur(1_250), parts=PARTS) if not TEMPLATES[template].is_free else ()
    return replace(Journal(template, lines, "Charges of January", START), **changed)


@pytest.mark.parametrize(
    ("template", "debit", "credit"),
    [
        ("write_off", "5040", "1290"),
        ("gain", "2090", "4090"),
        ("bank_charge", "5010", "1010:main"),
        ("fee_added", "5010", "1110:sandbox"),
        ("fee_taken_back", "1110:sandbox", "5010"),
        ("reserve_held", "1130:sandbox", "1110:sandbox"),
        ("reserve_released", "1110:sandbox", "1130:sandbox"),
        ("client_payout", "2010:cli_shop", "1010:main"),
    ],
)
def test_a_template_knows_its_two_sides(template, debit, credit) -> None:
    lines = journals.fill(template, amount=eur(1_250), parts=PARTS)
    assert [(line.account.code, line.amount) for line in lines] == [(debit, 1_250), (credit, -1_250)]
    journals.check(journal(template), now=NOW)


def test_every_template_is_tried_above_or_free() -> None:
    assert {name for name, template in TEMPLATES.items() if template.is_free} == {"correction", "free"}
    assert len(TEMPLATES) == 10


def test_one_word_names_both_sides() -> None:
    assert TEMPLATES["reserve_held"].parts == ("provider account",)
    assert TEMPLATES["client_payout"].parts == ("client", "bank account")
    assert TEMPLATES["free"].parts == ()


@pytest.mark.parametrize("amount", [0, -5])
def test_an_amount_is_positive(amount) -> None:
    with pytest.raises(JournalNotUsable, match="greater than zero"):
        journals.fill("bank_charge", amount=eur(amount), parts=PARTS)


def test_a_part_must_be_named_and_named_plainly() -> None:
    with pytest.raises(JournalNotUsable, match="bank account"):
        journals.fill("bank_charge", amount=eur(5), parts={})
    for wrong in ("a b", "=cmd()", "ä", "x" * 101, "a\n", ":a"):
        with pytest.raises(JournalNotUsable):
            journals.line(code=f"1010:{wrong}", currency="EUR", amount=5)


def test_lines_follow_the_chart() -> None:
    with pytest.raises(UnknownAccount):
        journals.line(code="9999", currency="EUR", amount=5)
    with pytest.raises(UnknownAccount):
        journals.line(code="1010", currency="EUR", amount=5)
    with pytest.raises(UnknownCurrency):
        journals.line(code="1290", currency="EUX", amount=5)
    with pytest.raises(JournalNotUsable, match="1110"):
        journals.line(code="1290", currency="EUR", amount=5, method="card")
    assert journals.line(code="1110:sandbox", currency="EUR", amount=5, method="card").method == "card"


def free(*amounts: tuple[str, str, int]) -> Journal:
    lines = tuple(journals.line(code=code, currency=currency, amount=amount) for code, currency, amount in amounts)
    return Journal("free", lines, "Sorted out", START)


@pytest.mark.parametrize(
    "wrong",
    [
        free(("1290", "EUR", 5)),
        free(),
        free(("1290", "EUR", 5), ("5040", "EUR", -4)),
        free(("1290", "EUR", 5), ("5040", "USD", -5)),
        free(("1290", "EUR", 2**63), ("5040", "EUR", -(2**63))),
    ],
)
def test_lines_make_a_balanced_entry(wrong) -> None:
    with pytest.raises(UnbalancedPosting):
        journals.check(wrong, now=NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"description": " "},
        {"description": "two\nlines"},
        {"description": "x" * 201},
        {"occurred_at": NOW + timedelta(seconds=1)},
        {"occurred_at": START.replace(tzinfo=None)},
        {"corrects": uuid4()},
    ],
)
def test_a_journal_that_cannot_be_posted_is_refused(changed) -> None:
    with pytest.raises(JournalNotUsable):
        journals.check(journal(**changed), now=NOW)


def test_a_template_means_what_it_says() -> None:
    other = journals.fill("client_payout", amount=eur(5), parts=PARTS)
    with pytest.raises(JournalNotUsable, match="debits 5010 and credits 1010"):
        journals.check(journal(lines=other), now=NOW)
    mixed = (
        journals.line(code="1130:sandbox", currency="EUR", amount=5),
        journals.line(code="1110:stripe", currency="EUR", amount=-5),
    )
    with pytest.raises(JournalNotUsable, match="one provider account"):
        journals.check(journal("reserve_held", lines=mixed), now=NOW)
    with pytest.raises(JournalNotUsable, match="names the entry"):
        journals.check(replace(free(("1290", "EUR", 5), ("5040", "EUR", -5)), template="correction"), now=NOW)
    with pytest.raises(UnknownTemplate, match="write_off"):
        journals.check(replace(journal(), template="none"), now=NOW)
    with pytest.raises(JournalNotUsable, match="no accounts of its own"):
        journals.fill("free", amount=Money(5, "EUR"), parts={})


def test_a_proposal_keeps_a_journal_whole() -> None:
    several = free(("1290", "JPY", 2**53 + 1), ("5040", "JPY", -(2**53) - 1), ("1290", "EUR", 5), ("5040", "EUR", -5))
    for kept in (several, replace(several, template="correction", corrects=uuid4()), journal()):
        assert journals.from_payload(journals.as_payload(kept)) == kept
