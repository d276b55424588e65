"""Verification names what was changed behind the triggers' back."""

import json
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from ledger import operations as ledger
from ledger import postings, verification
from ledger.models import Entry
from paymentops.core.verification import LISTED_VIOLATIONS, Check
from tests.ledger.books import PARTIES, START, eur, post, without_triggers

pytestmark = pytest.mark.django_db


@pytest.fixture
def sale(db) -> Entry:
    post(postings.refund_requested(refund_id=uuid4(), parties=PARTIES, amount=eur(40)))
    return post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))


@pytest.fixture
def reversed_sale(sale) -> Entry:
    ledger.reverse(sale.pk, cause="taken back", occurred_at=START, now=START)
    return sale


def violations() -> dict[str, list[str]]:
    return {check.name: check.violations for check in verification.checks() if not check.ok}


def test_untouched_books_verify(reversed_sale) -> None:
    assert violations() == {}


def test_empty_books_verify() -> None:
    assert violations() == {}


def test_a_changed_amount_is_named(sale) -> None:
    without_triggers("UPDATE ledger_line SET amount = 101 WHERE amount = 100")
    found = violations()
    assert found["ledger.entries_balance"] == [f"{sale}: lines in EUR add up to 1, not to zero"]
    assert found["ledger.lines_as_sealed"] == [f"{sale}: lines differ from those it was sealed with"]
    assert found["ledger.trial_balance_zero"] == ["EUR: posted balances of all accounts add up to 1, not to zero"]


def test_a_change_that_still_balances_is_named(sale) -> None:
    without_triggers("UPDATE ledger_line SET amount = amount * 2 WHERE entry_id = %s", sale.pk)
    assert violations() == {"ledger.lines_as_sealed": [f"{sale}: lines differ from those it was sealed with"]}


def test_a_line_moved_to_another_account_is_named(sale) -> None:
    without_triggers(
        "UPDATE ledger_line SET account_id = (SELECT id FROM ledger_account WHERE code = '2020')"
        " WHERE entry_id = %s AND number = 2",
        sale.pk,
    )
    found = violations()
    assert found["ledger.lines_as_sealed"] == [f"{sale}: lines differ from those it was sealed with"]
    assert found["ledger.right_side"] == ["2020 EUR: stored balance -40, lines add up to -140"]


def test_deleted_lines_are_named(sale) -> None:
    without_triggers("DELETE FROM ledger_line WHERE entry_id = %s", sale.pk)
    assert violations() == {"ledger.lines_as_sealed": [f"{sale}: no lines"]}


def test_an_appended_pair_is_named(sale) -> None:
    without_triggers(
        "INSERT INTO ledger_line (entry_id, number, account_id, currency, amount, method)"
        " SELECT entry_id, number + 2, account_id, currency, amount, method FROM ledger_line WHERE entry_id = %s",
        sale.pk,
    )
    assert violations() == {"ledger.lines_as_sealed": [f"{sale}: 4 lines, sealed with 2"]}


def test_lines_whose_entry_was_deleted_are_named(sale) -> None:
    without_triggers("DELETE FROM ledger_entry WHERE id = %s", sale.pk)
    assert violations() == {
        "ledger.lines_as_sealed": [f"{sale}: 2 lines without a header"],
        "ledger.states_fold": [f"{sale}: transitions without an entry"],
    }


def test_lines_whose_account_is_gone_or_of_another_currency_are_named(sale) -> None:
    without_triggers("DELETE FROM ledger_account WHERE code = '1110:sandbox'")
    without_triggers("UPDATE ledger_line SET currency = 'JPY' WHERE entry_id = %s AND number = 2", sale.pk)
    assert sorted(violations()["ledger.lines_on_accounts"]) == [
        f"{sale} line 1: its account does not exist",
        f"{sale} line 2: in JPY on the EUR account 2010:cli_shop",
    ]


def test_a_state_without_its_transition_is_named(sale) -> None:
    without_triggers("UPDATE ledger_entry SET state = 'VOIDED' WHERE id = %s", sale.pk)
    assert violations() == {"ledger.states_fold": [f"{sale}: is VOIDED, its transitions lead to POSTED"]}


def test_a_deleted_transition_is_named(sale) -> None:
    without_triggers("DELETE FROM ledger_entry_transition WHERE entry_id = %s", sale.pk)
    assert violations()["ledger.states_fold"] == [f"{sale}: no transition"]


def test_an_impossible_history_is_named(reversed_sale) -> None:
    without_triggers(
        "UPDATE ledger_entry_transition SET effective_at = '2020-01-01' WHERE entry_id = %s AND to_state = 'REVERSED'",
        reversed_sale.pk,
    )
    assert violations() == {"ledger.states_fold": [f"{reversed_sale}: impossible transitions POSTED > REVERSED"]}


def test_reversals_that_do_not_fit_are_named(reversed_sale) -> None:
    back = Entry.objects.get(reverses=reversed_sale)
    without_triggers("UPDATE ledger_line SET amount = amount * 2 WHERE entry_id = %s", back.pk)
    assert violations()["ledger.reversals_opposite"] == [f"{back}: is not the opposite of {reversed_sale}"]

    without_triggers("UPDATE ledger_entry SET state = 'POSTED' WHERE id = %s", reversed_sale.pk)
    assert violations()["ledger.reversals_opposite"] == [f"{reversed_sale}: is POSTED and {back} reverses it"]

    without_triggers("UPDATE ledger_entry SET reverses_id = NULL, state = 'REVERSED'")
    named = violations()["ledger.reversals_opposite"]
    assert f"{reversed_sale}: is REVERSED and no entry reverses it" in named


def test_a_stored_guarded_balance_that_drifted_is_named(sale) -> None:
    without_triggers("UPDATE ledger_guarded_balance SET balance = -41")
    assert violations() == {"ledger.right_side": ["2020 EUR: stored balance -41, lines add up to -40"]}


def test_a_guarded_account_on_its_wrong_side_is_named(sale) -> None:
    without_triggers("UPDATE ledger_account SET normal_side = 'DEBIT' WHERE code = '2020'")
    assert violations() == {
        "ledger.right_side": ["2020 EUR: guarded on the wrong side"],
        "ledger.accounts_follow_chart": ["2020 EUR: kind, side or guard differ from the chart of accounts"],
    }
    without_triggers("UPDATE ledger_guarded_balance SET side = 1, balance = 0")
    without_triggers("DELETE FROM ledger_guarded_balance")
    assert violations()["ledger.right_side"] == ["2020 EUR: has no balance row"]


def test_an_account_outside_the_chart_is_named(sale) -> None:
    without_triggers("UPDATE ledger_account SET code = '9999' WHERE code = '2020'")
    assert violations() == {"ledger.accounts_follow_chart": ["9999 EUR: not in the chart of accounts"]}


def test_only_so_many_violations_are_listed_and_the_rest_counted() -> None:
    few, many = (Check.of("room.rule", (f"row {number}" for number in range(count))) for count in (100, 103))
    assert len(few.violations) == LISTED_VIOLATIONS
    assert many.violations[-2:] == ["row 99", "and 3 more"]
    assert Check.of("room.rule", []).ok


def test_the_command_says_that_all_is_well(db) -> None:
    output = StringIO()
    call_command("verify", "--json", stdout=output)
    answer = json.loads(output.getvalue())
    assert answer["ok"] is True
    assert {"name": "ledger.entries_balance", "ok": True, "violations": []} in answer["checks"]


def test_the_command_fails_and_names_the_rows(sale) -> None:
    without_triggers("UPDATE ledger_line SET amount = 101 WHERE amount = 100")
    table, document = StringIO(), StringIO()
    with pytest.raises(CommandError, match="checks found violations") as failure:
        call_command("verify", stdout=table)
    assert failure.value.returncode == 1
    assert "BROKEN  ledger.entries_balance" in table.getvalue()
    assert str(sale) in table.getvalue()
    with pytest.raises(CommandError):
        call_command("verify", "--json", stdout=document)
    answer = json.loads(document.getvalue())
    assert answer["ok"] is False
    assert [f"{sale}: lines in EUR add up to 1, not to zero"] in [check["violations"] for check in answer["checks"]]
