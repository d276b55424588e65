"""Months at the operator's door."""

import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ledger import operations
from ledger.models import Account
from ledger.queries import periods as queries
from tests.ledger.books import RECEIVABLE, day
from tests.ledger.months import IN_FEBRUARY, JANUARY, close, hold, person, sell

pytestmark = pytest.mark.django_db

PASSWORD = "a long pass phrase"


def ledger(*words: str) -> str:
    out = StringIO()
    call_command("ledger", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def as_person(monkeypatch):
    """Make somebody of a role and run the command with their password on standard input."""

    def run(name: str, role: str, *words: str, password: str = PASSWORD) -> str:
        user = person(name, role).user
        user.set_password(PASSWORD)
        user.save()
        monkeypatch.setattr(sys, "stdin", StringIO(f"{password}\n"))
        return ledger(*words, "--as", name)

    return run


def test_closing_tells_what_was_stored_and_what_stays_pending() -> None:
    sell(100)
    held = hold(30)
    told = ledger("close", "2026-01", "--reason", "month end")
    view = queries.period(JANUARY)
    assert view.state == "CLOSED"
    assert view.moves[0].reason == "month end"
    for shown in (view.hash, "EUR  2 accounts, debits 100, credits 100", "1 entries were pending", str(held)):
        assert shown in told


def test_no_more_than_twenty_pending_entries_are_listed() -> None:
    for _ in range(22):
        hold(1)
    assert "and 2 more" in ledger("close", "2026-01")


@pytest.mark.parametrize(("month", "why"), [("2026-13", "is not a month"), ("2999-01", "close it after that")])
def test_a_refusal_is_a_sentence(month, why) -> None:
    with pytest.raises(CommandError, match=why):
        ledger("close", month)


def test_months_are_listed() -> None:
    assert ledger("periods") == "No month was ever closed.\n"
    sell(on=IN_FEBRUARY)
    close(JANUARY)
    assert ledger("periods").startswith("2026-01  CLOSED   last closed 2026-02-01 09:00 UTC by ledger, 0 accounts")


def test_two_people_open_a_month_again(as_person) -> None:
    close(JANUARY)
    assert "Proposed as prp_" in as_person("maker", "Finance", "reopen", "2026-01", "--reason", "forgotten")
    assert "open again" in as_person("checker", "Finance approver", "reopen", "2026-01", "--approve")
    assert ledger("periods").startswith("2026-01  OPEN ")


def test_a_wrong_password_proposes_nothing(as_person) -> None:
    close(JANUARY)
    with pytest.raises(CommandError, match="The password is not that of maker"):
        as_person("maker", "Finance", "reopen", "2026-01", "--reason", "forgotten", password="guess")
    assert queries.proposed_reopening(JANUARY) is None


def test_what_nobody_proposed_is_not_approved(as_person) -> None:
    close(JANUARY)
    with pytest.raises(CommandError, match="Nobody proposed to open 2026-01 again"):
        as_person("checker", "Finance approver", "reopen", "2026-01", "--approve")


def test_the_one_who_proposed_cannot_approve_at_the_command_line(as_person, monkeypatch) -> None:
    close(JANUARY)
    as_person("alone", "Finance approver", "reopen", "2026-01", "--reason", "forgotten")
    monkeypatch.setattr(sys, "stdin", StringIO(f"{PASSWORD}\n"))
    with pytest.raises(CommandError, match="You proposed this yourself"):
        ledger("reopen", "2026-01", "--approve", "--as", "alone")
    assert queries.period(JANUARY).state == "CLOSED"


def test_an_empty_account_is_closed_and_opened_again_by_a_person_who_may(as_person) -> None:
    sale = sell(100)
    with pytest.raises(CommandError, match=r"100 posted .* bring both to zero first"):
        as_person("first", "Finance approver", "close-account", RECEIVABLE, "EUR", "--reason", "unused")
    operations.reverse(sale.pk, cause="back", occurred_at=day(0), now=day(0))
    told = as_person("second", "Finance approver", "close-account", RECEIVABLE, "EUR", "--reason", "unused")
    assert told.startswith(f"{RECEIVABLE} EUR is closed since ")
    with pytest.raises(CommandError, match=r"ledger\.close_account"):
        as_person("third", "Finance", "reopen-account", RECEIVABLE, "EUR", "--reason", "used again")
    told = as_person("fourth", "Finance approver", "reopen-account", RECEIVABLE, "EUR", "--reason", "used again")
    assert told == f"{RECEIVABLE} EUR is open.\n"
    assert Account.objects.get(code=RECEIVABLE).closed_at is None
