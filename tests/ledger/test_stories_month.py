"""One month of a shop, told step by step: what happened, and what each account it touched stands at afterwards.

Amounts are minor units, debit positive. ``leaves`` names every account that a step touched, and no other.
"""

from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import operations as ledger
from ledger import postings, queries, verification
from ledger.models import Entry
from ledger.postings import Conversion, Parties, Posting, Source
from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money
from tests.ledger.books import as_if_committed, day, eur, posted

pytestmark = pytest.mark.django_db

SHOP = Parties(client="cli_shop", provider_account="sandbox", method="card")
AT = {"provider_account": "sandbox"}
OWED, TRANSIT, WITHHELD, RESERVE = "1110:sandbox", "1120:sandbox", "1210:sandbox", "1130:sandbox"
BANK, SHOPS, FEES, SUSPENSE = "1010:main", "2010:cli_shop", "5010", "1290"


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def event(kind: str, *, of: UUID | None = None) -> Source:
    return Source("story", of or uuid4(), kind)


def happens(posting: Posting, *, on: int, leaves: dict[str, int], currency: str = "EUR") -> Entry:
    """Post what happened and compare every account it touched in a currency."""
    entry = ledger.post(posting, occurred_at=day(on), now=day(on), cause="story")
    touched = {line.account.code for line in posting.lines if line.account.currency == currency}
    assert {code: posted(currency).get(code, 0) for code in touched} == leaves
    return entry


@pytest.fixture(autouse=True)
def _books_agree_in_the_end():
    yield
    as_if_committed()
    assert [violation for check in verification.checks() for violation in check.violations] == []
    assert [balance.currency for balance in queries.trial_balance() if balance.difference] == []


def test_a_month_of_sales_refunds_chargebacks_a_short_payout_and_a_settlement_in_another_currency() -> None:
    # Two sales at once and one that was held first.
    happens(
        postings.sold(payment_id=uuid4(), parties=SHOP, amount=eur(50_000)),
        on=0,
        leaves={OWED: 50_000, SHOPS: -50_000},
    )
    happens(
        postings.sold(payment_id=uuid4(), parties=SHOP, amount=eur(30_000)),
        on=1,
        leaves={OWED: 80_000, SHOPS: -80_000},
    )
    hold = happens(
        postings.held(payment_id=uuid4(), sequence=0, parties=SHOP, amount=eur(20_000)),
        on=1,
        leaves={OWED: 80_000, SHOPS: -80_000},
    )
    ledger.settle(hold.pk, cause="captured", occurred_at=day(2), now=day(2))
    assert posted() == {OWED: 100_000, SHOPS: -100_000}

    # A customer gets 40.00 back; the customer's bank returns it, and it is paid again.
    refund = {"refund_id": uuid4(), "parties": SHOP}
    happens(postings.refund_requested(**refund, amount=eur(4_000)), on=3, leaves={SHOPS: -96_000, "2020": -4_000})
    happens(
        postings.refund_succeeded(**refund, requested=eur(4_000), refunded=eur(4_000)),
        on=3,
        leaves={"2020": 0, OWED: 96_000},
    )
    happens(
        postings.refund_came_back(**refund, sequence=0, amount=eur(4_000)), on=5, leaves={OWED: 100_000, "2030": -4_000}
    )
    happens(postings.refund_paid_again(**refund, sequence=0, amount=eur(4_000)), on=6, leaves={"2030": 0, OWED: 96_000})

    # A chargeback that is won: the money and the fee come back.
    won = uuid4()
    happens(
        postings.chargeback_opened(source=event("opened", of=won), parties=SHOP, amount=eur(10_000)),
        on=7,
        leaves={WITHHELD: 10_000, OWED: 86_000},
    )
    happens(
        postings.dispute_fee(source=event("fee", of=won), **AT, amount=eur(1_500)),
        on=7,
        leaves={"5020": 1_500, OWED: 84_500},
    )
    happens(
        postings.chargeback_won(source=event("won", of=won), parties=SHOP, amount=eur(10_000)),
        on=20,
        leaves={WITHHELD: 0, OWED: 94_500},
    )
    happens(
        postings.dispute_fee_returned(source=event("fee_returned", of=won), **AT, amount=eur(1_500)),
        on=20,
        leaves={"5020": 0, OWED: 96_000},
    )

    # One that is lost: of 80.00 the shop bears 50.00, we bear the rest and the fee.
    lost = uuid4()
    happens(
        postings.chargeback_opened(source=event("opened", of=lost), parties=SHOP, amount=eur(8_000)),
        on=8,
        leaves={WITHHELD: 8_000, OWED: 88_000},
    )
    happens(
        postings.dispute_fee(source=event("fee", of=lost), **AT, amount=eur(1_500)),
        on=8,
        leaves={"5020": 1_500, OWED: 86_500},
    )
    happens(
        postings.chargeback_charged_to_client(source=event("charged", of=lost), parties=SHOP, amount=eur(5_000)),
        on=21,
        leaves={SHOPS: -91_000, WITHHELD: 3_000},
    )
    happens(
        postings.chargeback_lost(source=event("lost", of=lost), **AT, amount=eur(3_000)),
        on=21,
        leaves={"5030": 3_000, WITHHELD: 0},
    )

    # The provider keeps fees and a reserve, and announces the rest.
    happens(
        postings.provider_fees(source=event("fees"), **AT, amount=eur(2_900)), on=22, leaves={FEES: 2_900, OWED: 83_600}
    )
    happens(
        postings.reserve_held(source=event("reserve"), **AT, amount=eur(3_600)),
        on=22,
        leaves={RESERVE: 3_600, OWED: 80_000},
    )
    happens(
        postings.settlement_announced(source=event("announced"), **AT, net=eur(80_000)),
        on=22,
        leaves={TRANSIT: 80_000, OWED: 0},
    )

    # The payout arrives split, and 7.00 short; the gap is accepted, and comes to be known piece by piece.
    happens(
        postings.payout_received(source=event("credited"), **AT, bank_account="main", amount=eur(50_000)),
        on=24,
        leaves={BANK: 50_000, TRANSIT: 30_000},
    )
    happens(
        postings.payout_received(source=event("credited"), **AT, bank_account="main", amount=eur(29_300)),
        on=25,
        leaves={BANK: 79_300, TRANSIT: 700},
    )
    happens(
        postings.shortfall_accepted(source=event("accepted"), **AT, amount=eur(700)),
        on=27,
        leaves={SUSPENSE: 700, TRANSIT: 0},
    )
    happens(
        postings.shortfall_arrived(source=event("arrived"), bank_account="main", amount=eur(400)),
        on=28,
        leaves={BANK: 79_700, SUSPENSE: 300},
    )
    happens(
        postings.shortfall_was_fees(source=event("fees"), amount=eur(250)), on=28, leaves={FEES: 3_150, SUSPENSE: 50}
    )
    happens(postings.written_off(source=event("written_off"), amount=eur(50)), on=28, leaves={"5040": 50, SUSPENSE: 0})

    # A sale in dollars is settled in euros; at our own rate the dollars were worth 92.50.
    happens(
        postings.sold(payment_id=uuid4(), parties=SHOP, amount=usd(10_000)),
        on=26,
        currency="USD",
        leaves={OWED: 10_000, SHOPS: -10_000},
    )
    conversion = Conversion(sold=usd(10_000), bought=eur(9_200))
    assert conversion.agrees_with(Decimal("0.9200"))
    happens(
        postings.converted(source=event("converted"), **AT, conversion=conversion),
        on=29,
        leaves={OWED: 9_200, "1190": -9_200},
    )
    assert posted("USD") == {"1190": 10_000, SHOPS: -10_000}
    (result,) = postings.exchange_result(
        source=event("exchange_result"), base_currency="EUR", sold_worth=eur(9_250), bought_worth=eur(9_200)
    )
    happens(result, on=29, leaves={"5050": 50, "1190": -9_250})
    happens(
        postings.settlement_announced(source=event("announced"), **AT, net=eur(9_200)),
        on=29,
        leaves={TRANSIT: 9_200, OWED: 0},
    )
    # More arrives than was announced: 9.99 nobody can name.
    happens(
        postings.payout_received(source=event("credited"), **AT, bank_account="main", amount=eur(9_200)),
        on=30,
        leaves={BANK: 88_900, TRANSIT: 0},
    )
    happens(
        postings.receipt_unidentified(source=event("receipt"), bank_account="main", amount=eur(999)),
        on=30,
        leaves={BANK: 89_899, "2090": -999},
    )

    # The month ends: the reserve is released, the bank takes its charges, the shop gets what it is owed.
    happens(
        postings.reserve_released(source=event("released"), **AT, amount=eur(3_600)),
        on=30,
        leaves={OWED: 3_600, RESERVE: 0},
    )
    happens(
        postings.bank_charges(source=event("charges"), bank_account="main", amount=eur(20)),
        on=30,
        leaves={FEES: 3_170, BANK: 89_879},
    )
    happens(
        postings.client_paid_out(source=event("paid_out"), parties=SHOP, bank_account="main", amount=eur(80_000)),
        on=30,
        leaves={SHOPS: -11_000, BANK: 9_879},
    )

    # What is left is what is open: the released reserve, the shop's rest, one receipt, the trading position, the costs.
    assert posted() == {
        BANK: 9_879, OWED: 3_600, SHOPS: -11_000, "2090": -999, "1190": -9_250,
        FEES: 3_170, "5020": 1_500, "5030": 3_000, "5040": 50, "5050": 50,
    }  # fmt: skip
    assert posted("USD") == {"1190": 10_000, SHOPS: -10_000}
    # Nothing hangs between us and the provider, and the books say so for every day before.
    assert {code: posted(effective_at=day(26)).get(code, 0) for code in (TRANSIT, SUSPENSE)} == {
        TRANSIT: 700,
        SUSPENSE: 0,
    }


def test_a_negative_batch_is_collected_from_our_bank_account() -> None:
    refunded = {"refund_id": uuid4(), "sequence": 0, "parties": SHOP}
    happens(postings.refund_found(**refunded, amount=eur(600)), on=0, leaves={SHOPS: 600, OWED: -600})
    happens(
        postings.settlement_announced(source=event("announced"), **AT, net=eur(-600)),
        on=1,
        leaves={TRANSIT: -600, OWED: 0},
    )
    happens(
        postings.payout_received(source=event("debited"), **AT, bank_account="main", amount=eur(-600)),
        on=2,
        leaves={BANK: -600, TRANSIT: 0},
    )


def test_an_unidentified_receipt_proves_to_be_a_payout_and_another_is_kept() -> None:
    sale = postings.sold(payment_id=uuid4(), parties=SHOP, amount=eur(500))
    happens(sale, on=0, leaves={OWED: 500, SHOPS: -500})
    for minor, total in [(500, -500), (30, -530)]:
        receipt = postings.receipt_unidentified(source=event("receipt"), bank_account="main", amount=eur(minor))
        happens(receipt, on=1, leaves={BANK: -total, "2090": total})
    happens(
        postings.settlement_announced(source=event("announced"), **AT, net=eur(500)),
        on=2,
        leaves={TRANSIT: 500, OWED: 0},
    )
    happens(
        postings.receipt_identified(source=event("identified"), **AT, amount=eur(500)),
        on=3,
        leaves={"2090": -30, TRANSIT: 0},
    )
    happens(postings.receipt_kept(source=event("kept"), amount=eur(30)), on=40, leaves={"2090": 0, "4090": -30})


def test_a_surplus_charge_is_found_and_returned_without_touching_the_shop() -> None:
    surplus = uuid4()
    happens(
        postings.surplus_found(source=event("found", of=surplus), parties=SHOP, amount=eur(90)),
        on=0,
        leaves={OWED: 90, "2030": -90},
    )
    happens(
        postings.surplus_returned(source=event("returned", of=surplus), parties=SHOP, amount=eur(90)),
        on=1,
        leaves={"2030": 0, OWED: 0},
    )


RULES = {
    "sale": lambda source, amount: postings.sold(payment_id=source.id, parties=SHOP, amount=amount),
    "refund": lambda source, amount: postings.refund_found(
        refund_id=source.id, sequence=0, parties=SHOP, amount=amount
    ),
    "surplus": lambda source, amount: postings.surplus_found(source=source, parties=SHOP, amount=amount),
    "surplus returned": lambda source, amount: postings.surplus_returned(source=source, parties=SHOP, amount=amount),
    "chargeback": lambda source, amount: postings.chargeback_opened(source=source, parties=SHOP, amount=amount),
    "won": lambda source, amount: postings.chargeback_won(source=source, parties=SHOP, amount=amount),
    "lost": lambda source, amount: postings.chargeback_lost(source=source, **AT, amount=amount),
    "charged": lambda source, amount: postings.chargeback_charged_to_client(source=source, parties=SHOP, amount=amount),
    "fee": lambda source, amount: postings.dispute_fee(source=source, **AT, amount=amount),
    "fees": lambda source, amount: postings.provider_fees(source=source, **AT, amount=amount),
    "announced": lambda source, amount: postings.settlement_announced(source=source, **AT, net=amount),
    "negative": lambda source, amount: postings.settlement_announced(source=source, **AT, net=-amount),
    "credited": lambda source, amount: postings.payout_received(
        source=source, **AT, bank_account="main", amount=amount
    ),
    "short": lambda source, amount: postings.shortfall_accepted(source=source, **AT, amount=amount),
    "written off": lambda source, amount: postings.written_off(source=source, amount=amount),
    "receipt": lambda source, amount: postings.receipt_unidentified(source=source, bank_account="main", amount=amount),
    "identified": lambda source, amount: postings.receipt_identified(source=source, **AT, amount=amount),
    "kept": lambda source, amount: postings.receipt_kept(source=source, amount=amount),
    "reserve": lambda source, amount: postings.reserve_held(source=source, **AT, amount=amount),
    "released": lambda source, amount: postings.reserve_released(source=source, **AT, amount=amount),
    "converted": lambda source, amount: postings.converted(
        source=source, **AT, conversion=Conversion(sold=amount, bought=usd(amount.minor // 2 + 1))
    ),
}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(sorted(RULES)), st.integers(1, 2**53), st.sampled_from(["EUR", "JPY", "KWD"])),
        min_size=1,
        max_size=15,
    )
)
def test_any_sequence_of_rules_balances_and_reversing_it_backwards_restores_what_was(steps) -> None:
    with transaction.atomic():
        entries: list[Entry] = []
        for rule, minor, currency in steps:
            try:
                with transaction.atomic():
                    posting = RULES[rule](event(rule), Money(minor, currency))
                    entries.append(ledger.post(posting, occurred_at=day(0), now=day(0), cause="any"))
            except ApplicationError:
                continue
            assert [balance.difference for balance in queries.trial_balance() if balance.difference] == []
        for entry in reversed(entries):
            ledger.reverse(entry.pk, cause="restore", occurred_at=day(1), now=day(1))
        as_if_committed()
        assert [posted(currency) for currency in ("EUR", "JPY", "KWD", "USD")] == [{}, {}, {}, {}]
        assert [violation for check in verification.checks() for violation in check.violations] == []
        transaction.set_rollback(True)
