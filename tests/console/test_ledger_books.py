"""Accounts, statements, the trial balance and entries in the console: what stands where at a date, and why."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ledger import operations as ledger
from ledger import postings, queries
from ledger.models import Entry, FoldedBalance
from ledger.postings import Parties
from ledger.queries import TrialBalance
from paymentops.access.models import AuditEntry
from paymentops.core import clock
from paymentops.core.money import Money
from tests.console.conftest import person

pytestmark = pytest.mark.django_db(transaction=True)

PARTIES = Parties(client="cli_shop", provider_account="sandbox", method="card")
ACCOUNTS, TRIAL = "/console/ledger/accounts/", "/console/ledger/trial-balance"
RECEIVABLE = f"{ACCOUNTS}1110:sandbox"


def sell(minor: int = 1000, *, days_ago: int = 0, currency: str = "EUR") -> Entry:
    at = clock.now() - timedelta(days=days_ago)
    posting = postings.sold(payment_id=uuid4(), parties=PARTIES, amount=Money(minor, currency))
    return ledger.post(posting, occurred_at=at, now=at, cause="test")


def day(days_ago: int) -> str:
    return (clock.now() - timedelta(days=days_ago)).date().isoformat()


def rows(answer, currency: str = "EUR") -> dict[str, tuple[int, int]]:
    (tree,) = (tree for tree in answer.context["trees"] if tree.currency == currency)
    return {row.code: (row.level, row.posted) for row in tree.rows}


def test_accounts_stand_in_a_tree_whose_groups_add_up():
    sell(1000)
    sell(500, currency="JPY")
    shown = person("Viewer").get(ACCOUNTS)
    assert rows(shown) == {
        "1": (0, 1000),
        "11": (1, 1000),
        "1110": (2, 1000),
        "1110:sandbox": (3, 1000),
        "2": (0, -1000),
        "20": (1, -1000),
        "2010": (2, -1000),
        "2010:cli_shop": (3, -1000),
    }
    assert rows(shown, "JPY")["1"] == (0, 500)
    assert [tree.currency for tree in person("Finance").get(f"{ACCOUNTS}?currency=JPY").context["trees"]] == ["JPY"]


def test_the_check_of_an_account_is_told_in_words():
    viewer = person("Viewer")
    sell()
    assert "not yet sealed" in viewer.get(RECEIVABLE).text
    ledger.seal_all(now=clock.now())
    assert "not checked yet" in viewer.get(RECEIVABLE).text
    ledger.check_balance(code="1110:sandbox", currency="EUR", now=clock.now())
    assert "passed" in viewer.get(RECEIVABLE).text
    FoldedBalance.objects.filter(account__code="1110:sandbox").update(drifted_at=clock.now())
    assert "does not agree with its lines" in viewer.get(RECEIVABLE).text
    assert viewer.get(ACCOUNTS).context["trees"][0].drifted == 1


def test_balances_are_shown_on_both_axes():
    viewer = person("Viewer")
    sell(1000, days_ago=9)
    now = clock.now()
    late = postings.sold(payment_id=uuid4(), parties=PARTIES, amount=Money(70, "EUR"))
    ledger.post(late, occurred_at=now - timedelta(days=8), now=now, cause="test")
    assert rows(viewer.get(f"{ACCOUNTS}?as_of={day(5)}"))["1"] == (0, 1070)
    assert rows(viewer.get(f"{ACCOUNTS}?as_of={day(5)}&known_at={day(5)}"))["1"] == (0, 1000)
    assert rows(viewer.get(f"{ACCOUNTS}?as_of={day(20)}"))["1"] == (0, 0)
    unread = viewer.get(f"{ACCOUNTS}?as_of=yesterday&known_at=2026-99-99")
    assert "“yesterday” is neither a day nor a moment" in unread.text
    assert rows(unread)["1"] == (0, 1070)


def test_a_statement_is_narrowed_to_days_with_opening_and_closing():
    viewer = person("Viewer")
    for days_ago in (9, 6, 3):
        sell(100, days_ago=days_ago)
    shown = viewer.get(f"{RECEIVABLE}?since={day(7)}&until={day(5)}")
    page = shown.context["page"]
    assert (page.opening, page.closing, [line.balance for line in page.lines]) == (100, 200, [200])
    assert shown.context["balance"].posted == 200
    backwards = viewer.get(f"{RECEIVABLE}?since={day(5)}&until={day(7)}")
    assert backwards.status_code == 400
    assert "ends before it begins" in backwards.text
    assert "No line counts as posted in this period" in viewer.get(f"{RECEIVABLE}?until={day(20)}").text


@pytest.mark.parametrize("sealed", [True, False])
def test_the_course_of_a_balance_has_one_point_a_day(sealed):
    for days_ago in (9, 6, 6, 3):
        sell(100, days_ago=days_ago)
    if sealed:
        ledger.seal_all(now=clock.now())
    chart = person("Viewer").get(f"{RECEIVABLE}?since={day(9)}").context["chart"]
    assert [point.minor for point in chart.points] == [100, 100, 100, 300, 300, 300, 400, 400, 400, 400]
    assert [point.change for point in chart.points] == [100, 0, 0, 200, 0, 0, 100, 0, 0, 0]
    assert len(person("Finance").get(RECEIVABLE).context["chart"].points) == 30


def test_the_trial_balance_says_that_it_balances_and_compares_two_dates():
    viewer = person("Viewer")
    sell(1000, days_ago=9)
    sell(70)
    shown = viewer.get(f"{TRIAL}?compare={day(5)}")
    assert "✓ Balanced." in shown.text
    changes = {line.account.code: line.change for line in shown.context["sheets"][0].lines}
    assert (changes["1110:sandbox"].first, changes["1110:sandbox"].difference) == (1000, 70)
    link = f"{RECEIVABLE}?currency=EUR&amp;since="
    assert link in shown.text
    since = shown.context["since"].isoformat().replace("+", "%2B")
    assert [line.amount for line in viewer.get(f"{RECEIVABLE}?since={since}").context["page"].lines] == [70]


def test_books_that_do_not_balance_are_told_in_red(monkeypatch):
    broken = TrialBalance("EUR", tuple(queries.balances()), debits=1000, credits=993)
    monkeypatch.setattr("ledger.queries.trial_balance", lambda **_: [broken])
    shown = person("Viewer").get(TRIAL).text
    assert "The books do not balance." in shown
    assert "0.07" in shown
    assert "✓ Balanced." not in shown


def test_what_is_shown_is_exported_and_audited():
    finance = person("Finance")
    sell(1000)
    sheet = finance.get(f"{TRIAL}.csv?as_of={day(0)}")
    assert b"1110:sandbox" in b"".join(sheet.streaming_content)
    statement = finance.get(f"{RECEIVABLE}/statement.csv?currency=EUR&since={day(3)}")
    assert statement["Content-Disposition"].startswith('attachment; filename="ledger-statement-')
    assert b"10.00" in b"".join(statement.streaming_content)
    assert AuditEntry.objects.filter(action="ledger.export", actor="somebody-finance").count() == 2
    assert finance.get(f"{RECEIVABLE}/statement.csv?currency=XXX").status_code == 404
    assert finance.get(f"{RECEIVABLE}/statement.csv?currency=EUR&since={day(1)}&until={day(3)}").status_code == 404


def test_an_entry_shows_its_place_in_the_chain():
    viewer, entry = person("Viewer"), sell()
    page = f"/console/ledger/entries/{entry}"
    assert "not yet sealed" in viewer.get(page).text
    ledger.seal_all(now=clock.now())
    link = viewer.get(page).context["links"]["POSTED"]
    assert (link.seq, bytes(link.hash).hex() in viewer.get(page).text) == (1, True)


@pytest.mark.parametrize(
    ("page", "most"),
    [
        (ACCOUNTS, 12),
        (RECEIVABLE, 16),
        (TRIAL, 12),
        (f"{TRIAL}?compare=2020-01-01", 14),
        ("/console/ledger/journals/?view=all", 12),
        ("/console/ledger/periods/", 14),
    ],
)
def test_more_entries_take_no_more_queries(page: str, most: int):
    viewer = person("Viewer")
    sell()

    def count(client: Client) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(page).status_code == 200
        return len(captured)

    count(viewer)
    few = count(viewer)
    for number in range(5):
        sell(days_ago=number)
    ledger.seal_all(now=clock.now())
    assert count(viewer) <= few <= most
