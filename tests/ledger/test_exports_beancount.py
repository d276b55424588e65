"""The beancount journal, read by beancount itself: no errors, and the same balances as our trial balance."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from beancount import loader
from beancount.core import data, realization
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import chart, exports, postings, queries
from ledger import operations as ledger
from ledger.exports import Period, Taking, beancount
from ledger.exports.reading import AccountSpan, JournalLine
from ledger.models import Account, State
from ledger.postings import Parties, Posting, PostingLine, Source
from paymentops.access.actors import Actor
from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money
from tests.ledger.books import PARTIES, START, as_if_committed, day, eur, post


def exported(period: Period | None = None, **taking: object) -> str:
    asked = Taking(by=Actor.command("test"), now=day(100), **taking)
    return b"".join(exports.beancount_journal(taking=asked, period=period or Period()).chunks).decode()


def load(text: str) -> list[data.Directive]:
    entries, errors, _ = loader.load_string(text)
    assert [error.message for error in errors] == []
    return entries


def balances_in(entries: list[data.Directive]) -> dict[tuple[str, str], Decimal]:
    """Return what beancount itself adds up, by our account code and currency."""
    codes = {entry.account: entry.meta["code"] for entry in entries if isinstance(entry, data.Open)}
    return {
        (codes[account.account], position.units.currency): position.units.number
        for account in realization.iter_children(realization.realize(entries))
        for position in account.balance
    }


def balances_of(**axes: datetime) -> dict[tuple[str, str], Decimal]:
    return {
        (account.code, account.currency): Decimal(Money(account.posted, account.currency).decimal())
        for account in queries.balances(**axes)
        if account.posted
    }


def transactions(entries: list[data.Directive]) -> list[data.Transaction]:
    return [entry for entry in entries if isinstance(entry, data.Transaction)]


def sale(minor: int, *, on: int = 0, currency: str = "EUR", parties: Parties = PARTIES) -> object:
    return post(postings.sold(payment_id=uuid4(), parties=parties, amount=Money(minor, currency)), on=on)


@pytest.mark.django_db
def test_beancount_reads_empty_books() -> None:
    assert load(exported()) == []


@pytest.mark.django_db
def test_beancount_adds_up_to_our_trial_balance_in_every_currency() -> None:
    for currency in ("EUR", "JPY", "KWD", "CLF"):
        sale(123_456, currency=currency)
    entries = load(exported())
    assert balances_in(entries) == balances_of()
    assert balances_in(entries)["1110:sandbox", "JPY"] == Decimal(123_456)
    assert balances_in(entries)["1110:sandbox", "KWD"] == Decimal("123.456")


@pytest.mark.django_db
def test_what_is_pending_or_voided_is_left_out_and_what_is_reversed_stands_with_its_reversal() -> None:
    post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(1)))
    voided = post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(2)))
    ledger.void(voided.pk, cause="void", occurred_at=day(1), now=day(1))
    original = sale(4)
    back = ledger.reverse(original.pk, cause="taken back", occurred_at=day(2), now=day(2))
    found = transactions(load(exported()))
    assert [(entry.meta["id"], entry.meta.get("reverses")) for entry in found] == [
        (str(original), None),
        (str(back), str(original)),
    ]
    assert {entry.flag for entry in found} == {"*"}


@pytest.mark.django_db
def test_what_was_pending_stands_at_the_day_its_posting_became_effective() -> None:
    hold = post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(70)), on=1)
    ledger.settle(hold.pk, cause="capture 7", occurred_at=day(5), now=day(6))
    (entry,) = transactions(load(exported()))
    assert (entry.date, entry.meta["cause"]) == (day(5).date(), "capture 7")


@pytest.mark.django_db
def test_a_transaction_says_which_event_it_stands_for() -> None:
    posting = postings.sold(payment_id=UUID(int=7), parties=PARTIES, amount=eur(1290))
    made = post(posting, cause="attempt 1")
    (entry,) = transactions(load(exported()))
    assert entry.narration == "Charged at once"
    assert (entry.meta["id"], entry.meta["source"], entry.meta["cause"]) == (
        str(made),
        str(posting.source),
        "attempt 1",
    )
    assert entry.postings[0].meta["method"] == "card"


@pytest.mark.django_db
def test_the_zone_decides_on_which_day_a_moment_falls() -> None:
    late = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
    posting = postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(5))
    ledger.post(posting, occurred_at=late, now=late, cause="test")
    assert [str(entry.date) for entry in transactions(load(exported(zone=ZoneInfo("Europe/Berlin"))))] == ["2026-04-01"]
    assert [str(entry.date) for entry in transactions(load(exported()))] == ["2026-03-31"]


@pytest.mark.django_db
def test_a_period_begins_with_opening_balances_and_ends_with_those_of_its_last_day() -> None:
    for on in range(4):
        sale(10**on, on=on)
    period = Period.of_dates(day(1).date(), day(2).date())
    entries = load(exported(period))
    assert [entry.narration for entry in transactions(entries)] == ["Opening balances", *["Charged at once"] * 2]
    assert [str(entry.date) for entry in transactions(entries)] == ["2026-01-05", "2026-01-06", "2026-01-07"]
    assert balances_in(entries) == balances_of(effective_at=period.until)
    assert {entry.date for entry in entries if isinstance(entry, data.Balance)} == {day(3).date()}


@pytest.mark.django_db
def test_a_period_before_anything_happened_has_only_accounts_without_balance() -> None:
    sale(10, on=50)
    entries = load(exported(Period.of_dates(None, day(3).date())))
    assert transactions(entries) == []
    assert {entry.amount.number for entry in entries if isinstance(entry, data.Balance)} == {Decimal(0)}


@pytest.mark.django_db
def test_what_was_recorded_later_is_left_out_of_what_was_known() -> None:
    sale(10)
    late = postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(5))
    ledger.post(late, occurred_at=day(1), now=day(9), cause="late")
    entries = load(exported(Period(known_at=day(2))))
    assert len(transactions(entries)) == 1
    assert balances_in(entries) == balances_of(known_at=day(2))


@pytest.mark.django_db
def test_every_account_is_asserted_without_any_tolerance_so_that_a_changed_amount_shows() -> None:
    sale(1_000_000)
    text = exported()
    asserted = [entry for entry in load(text) if isinstance(entry, data.Balance)]
    assert {entry.tolerance for entry in asserted} == {Decimal(0)}
    assert len(asserted) == Account.objects.count()
    changed = text.replace("  10000.00 EUR", "  10000.01 EUR").replace("  -10000.00 EUR", "  -10000.01 EUR")
    assert len(loader.load_string(changed)[1]) == 2


@pytest.mark.django_db
def test_a_closed_account_is_closed_after_its_last_entry() -> None:
    sale(10, on=3)
    sale(10, on=3, currency="JPY")
    Account.objects.filter(code="2010:cli_shop").update(closed_at=day(2))
    Account.objects.filter(code="1110:sandbox", currency="EUR").update(closed_at=day(8))
    closed = [entry for entry in load(exported()) if isinstance(entry, data.Close)]
    assert [(entry.account, entry.date) for entry in closed] == [
        ("Liabilities:2010-MerchantPayable:Cli-shop", day(4).date())
    ]


@pytest.mark.django_db
def test_any_name_of_a_party_and_any_description_is_read_back() -> None:
    for number, part in enumerate(
        ["Sandbox", "sandbox", "_x", "x:y:z", "überweisung 1", "-", "1st", "日本", "x__y", "x_"]
    ):
        parties = Parties(client=part, provider_account=part, method="card")
        sale(10**number, parties=parties)
    note = Source("journal", uuid4(), "note")
    bank, loss = chart.account("1010", "EUR", part='a\\b"c'), chart.account("5040", "EUR")
    lines = (PostingLine(bank, -5), PostingLine(loss, 5))
    post(Posting(note, State.POSTED, lines, 'He said "no\\yes"\nand left\t; option "x"'), cause='"\\')
    entries = load(exported())
    assert balances_in(entries) == balances_of()
    assert transactions(entries)[-1].narration == 'He said "no\\yes" and left ; option "x"'


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12), unique=True, max_size=20))
def test_two_parts_never_become_the_same_component(parts: list[str]) -> None:
    assert len({beancount.component(part) for part in parts}) == len(parts)


@given(st.lists(st.text("aA_-1X.", min_size=1, max_size=6), unique=True, max_size=60))
def test_parts_made_of_what_escapes_are_made_of_stay_apart(parts: list[str]) -> None:
    assert len({beancount.component(part) for part in parts}) == len(parts)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("1110:sandbox", "Assets:1110-ProviderReceivable:Sandbox"),
        ("2010:cli_0199f0", "Liabilities:2010-MerchantPayable:Cli-0199f0"),
        ("1010:Main.eu", "Assets:1010-Bank:X---Main--2e-eu"),
        ("1190", "Equity:1190-FxClearing"),
        ("4090", "Income:4090-ReconGain"),
        ("5040", "Expenses:5040-WriteOff"),
    ],
)
def test_accounts_stand_under_the_five_roots(code: str, name: str) -> None:
    assert beancount.account_name(code) == name


CODES = st.one_of(
    st.sampled_from([number for number, line in chart.CHART.items() if not line.part]),
    st.builds(
        lambda number, part: f"{number}:{part}",
        st.sampled_from([number for number, line in chart.CHART.items() if line.part]),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8),
    ),
)
ENTRIES = st.lists(
    st.tuples(
        CODES,
        CODES,
        st.integers(min_value=1, max_value=2**63 - 1),
        st.sampled_from(["EUR", "JPY", "KWD", "UYW"]),
        st.integers(min_value=0, max_value=60),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    ),
    max_size=12,
)


def _journal_line(number: int, order: int, code: str, entry: tuple, amount: int) -> JournalLine:
    moment = START + timedelta(days=entry[4])
    return JournalLine(
        UUID(int=number), "POSTED", entry[5], "journal", UUID(int=number), "note", 0, None, moment, moment, moment,
        entry[5] or "cause", "test", order, code, code, entry[3], amount, "",
    )  # fmt: skip


def _span(code: str, currency: str, lines: list[JournalLine]) -> AccountSpan:
    mine = [line for line in lines if (line.code, line.currency) == (code, currency)]
    moments = [line.effective_at for line in mine]
    kind = chart.find(code).kind
    closing = sum(line.amount for line in mine)
    return AccountSpan(code, currency, kind, START, None, 0, closing, min(moments), max(moments))


@settings(max_examples=40, deadline=None)
@given(entries=ENTRIES)
def test_beancount_agrees_with_any_books(entries) -> None:
    """Pure: books from Hypothesis through the text alone; the database is asked in the tests above."""
    lines = [
        line
        for number, entry in enumerate(sorted(entries, key=lambda entry: entry[4]), start=1)
        for line in (
            _journal_line(number, 1, entry[0], entry, entry[2]),
            _journal_line(number, 2, entry[1], entry, -entry[2]),
        )
    ]
    accounts = sorted({(line.code, line.currency) for line in lines})
    spans = [_span(code, currency, lines) for code, currency in accounts]
    text = "".join(beancount.text(preamble=beancount.Preamble(["any books"]), spans=spans, lines=lines))
    wanted = Counter()
    for line in lines:
        wanted[line.code, line.currency] += Decimal(Money(line.amount, line.currency).decimal())
    assert balances_in(load(text)) == {key: total for key, total in wanted.items() if total}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "settle", "void", "sell", "ask", "refund", "back", "reverse"]),
        st.integers(min_value=0, max_value=2),
        st.integers(min_value=1, max_value=2**53 - 1),
        st.sampled_from(["EUR", "JPY", "KWD"]),
        st.integers(min_value=0, max_value=40),
    ),
    min_size=1,
    max_size=15,
)


def _take(step: str, thing: UUID, amount: Money, on: int) -> None:
    moment = {"cause": f"{step} {uuid4()}", "occurred_at": day(on), "now": day(on)}
    hold = postings.hold_source(payment_id=thing, sequence=0)
    given_amount = {"parties": PARTIES, "amount": amount}
    both = {"parties": PARTIES, "requested": amount, "refunded": amount}
    {
        "hold": lambda: ledger.post(postings.held(payment_id=thing, sequence=0, **given_amount), **moment),
        "settle": lambda: ledger.settle(hold, **moment),
        "void": lambda: ledger.void(hold, **moment),
        "sell": lambda: ledger.post(postings.sold(payment_id=thing, **given_amount), **moment),
        "ask": lambda: ledger.post(postings.refund_requested(refund_id=thing, **given_amount), **moment),
        "refund": lambda: ledger.post(postings.refund_succeeded(refund_id=thing, **both), **moment),
        "back": lambda: ledger.post(postings.refund_came_back(refund_id=thing, sequence=0, **given_amount), **moment),
        "reverse": lambda: ledger.reverse(hold, **moment),
    }[step]()


@pytest.mark.django_db
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, first=st.integers(min_value=0, max_value=40))
def test_beancount_agrees_with_the_database_after_any_sequence_of_events(steps, first) -> None:
    things = [uuid4() for _ in range(3)]
    with transaction.atomic():
        for step, which, minor, currency, on in steps:
            try:
                with transaction.atomic():
                    _take(step, things[which], Money(minor, currency), on)
            except ApplicationError:
                continue
        as_if_committed()
        assert balances_in(load(exported())) == balances_of()
        assert balances_in(load(exported(Period.of_dates(day(first).date(), None)))) == balances_of()
        transaction.set_rollback(True)
