"""The ledger at the operator's door: sealing, proving, balances and statements."""

import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command

from ledger import operations, postings
from ledger.models import ChainLink, FoldedBalance
from paymentops.core import clock
from tests.ledger.books import PARTIES, PAYABLE, RECEIVABLE, START, day, eur, post, without_triggers

pytestmark = pytest.mark.django_db


def ledger(*words: str) -> str:
    out = StringIO()
    call_command("ledger", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def sales(db, settings, tmp_path) -> None:
    roots = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "ledger_roots": roots}
    for number in range(3):
        post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(1000 + number)), on=number)


def test_sealing_tells_how_far_the_chain_reaches_and_lets_the_root_leave(sales) -> None:
    told = ledger("seal")
    assert "3 transitions sealed; the chain's last link is 3." in told
    today = clock.now().date()
    assert f"root of {today}  link 3  sha256 {bytes(ChainLink.objects.get(seq=3).hash).hex()}" in told
    assert storages["ledger_roots"].exists(f"{today}.json")
    assert json.loads(ledger("seal", "--json")) == {"sealed": 0, "last_link": 3, "exported_roots": []}


def test_verifying_fails_and_names_what_is_broken(sales) -> None:
    assert "(3 transitions wait to be sealed, the oldest recorded 2026-01-05 09:00:00Z)" in ledger("verify")
    ledger("seal")
    assert json.loads(ledger("verify", "--json"))["ok"] is True
    without_triggers("UPDATE ledger_folded_balance SET posted = 1 WHERE posted > 0")
    with pytest.raises(CommandError, match=r"1 of .* checks found violations"):
        ledger("verify")


def test_the_trial_balance_is_of_a_day_a_moment_or_now(sales) -> None:
    assert f"{RECEIVABLE:<40} {'30.03 EUR':>20}" in ledger("trial-balance")
    assert f"{PAYABLE:<40} {'-20.01 EUR':>20}" in ledger("trial-balance", "--at", "2026-01-06")
    at_a_moment = json.loads(ledger("trial-balance", "--at", "2026-01-05T10:00+01:00", "--json"))
    assert at_a_moment["currencies"][0]["debits"] == 1000
    before = json.loads(ledger("trial-balance", "--at", "2026-01-05T09:59:59.999999+01:00", "--json"))
    assert before["currencies"][0]["debits"] == 0
    known = json.loads(ledger("trial-balance", "--known-at", "2026-01-05", "--zone", "Asia/Tokyo", "--json"))
    assert known["known_at"] == "2026-01-05T23:59:59.999999+09:00"


def test_a_trial_balance_is_compared_with_another_moments(sales) -> None:
    told = ledger("trial-balance", "--at", "2026-01-07", "--compare-to", "2026-01-05")
    assert f"{RECEIVABLE:<40} {'10.00 EUR':>20} {'30.03 EUR':>20} {'20.03 EUR':>20}" in told
    changes = json.loads(ledger("trial-balance", "--compare-to", "2026-01-05", "--json"))
    assert [change["difference"] for change in changes] == [2003, -2003]


def test_books_that_do_not_balance_fail(sales) -> None:
    without_triggers("UPDATE ledger_line SET amount = amount + 1 WHERE amount = 1000")
    with pytest.raises(CommandError, match="do not balance in EUR"):
        ledger("trial-balance")


@pytest.mark.parametrize("when", ["yesterday", "2026-02-30", "2026-01-05T10:00"])
def test_what_is_neither_a_day_nor_a_moment_with_its_offset_is_refused(sales, when: str) -> None:
    with pytest.raises(CommandError, match=r"neither a day|needs an offset"):
        ledger("trial-balance", "--at", when)


def test_a_time_zone_that_is_none_is_refused(sales) -> None:
    with pytest.raises(CommandError, match="is not a time zone"):
        ledger("trial-balance", "--zone", "Mars")


def test_a_statement_is_printed_page_by_page(sales) -> None:
    first = ledger("statement", RECEIVABLE, "EUR", "--limit", "2", "--zone", "Europe/Berlin")
    assert f"{RECEIVABLE}  opening 0.00 EUR, closing 30.03 EUR" in first
    assert "2026-01-05 10:00:00+01:00" in first
    assert "not sealed yet" in first
    place = first.rpartition("--continue=")[2].strip()
    second = json.loads(ledger("statement", RECEIVABLE, "EUR", f"--continue={place}", "--json"))
    assert [(line["amount"], line["balance"]) for line in second["lines"]] == [(1002, 3003)]
    assert second["more"] is None


def test_a_statement_begins_at_its_end_when_asked_to(sales) -> None:
    told = json.loads(
        ledger("statement", RECEIVABLE, "EUR", "--newest-first", "--from", "2026-01-06", "--to", "2026-01-06", "--json")
    )
    assert (told["opening"], told["closing"]) == (1000, 2001)
    assert [line["balance"] for line in told["lines"]] == [2001]


def test_a_statement_of_no_account_or_from_no_place_is_refused(sales) -> None:
    with pytest.raises(CommandError, match="no account 2020 in EUR"):
        ledger("statement", "2020", "EUR")
    with pytest.raises(CommandError, match="not a place in a statement"):
        ledger("statement", RECEIVABLE, "EUR", "--continue", "here")


def test_a_drifted_account_is_rebuilt(sales) -> None:
    operations.seal(now=START)
    without_triggers("UPDATE ledger_folded_balance SET posted = posted + 1 WHERE posted > 0")
    operations.check_balance(code=RECEIVABLE, currency="EUR", now=day(1))
    assert "computed from its lines" in ledger("trial-balance")
    told = ledger("rebuild", RECEIVABLE, "EUR", "--reason", "drill")
    assert f"{RECEIVABLE}: 3 movements, posted 30.03 EUR." in told
    rebuilt = FoldedBalance.objects.get(account__code=RECEIVABLE)
    assert rebuilt.drifted_at is None
    assert rebuilt.checked_at is not None
    assert clock.now() - rebuilt.checked_at < timedelta(minutes=5)
