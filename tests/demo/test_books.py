"""What finance does with the books of the demo, once, however often the demo is prepared."""

from datetime import timedelta

import pytest

from ledger import queries, verification
from ledger.models import Period
from ledger.queries import journals
from paymentops.core import clock
from paymentops.demo import books, people
from tests.ledger.books import posted

pytestmark = pytest.mark.django_db(transaction=True)

CLIENT = "cli_0199f0c2d5e47c3a9b1f0199f0c2d5e4"


def test_finance_closes_a_month_and_leaves_one_journal_waiting():
    until = clock.now()
    people.hire(password="a long pass phrase", now=until - timedelta(days=15))
    for _ in range(2):
        books.keep(client=CLIENT, until=until)
    assert [proposal.state for proposal in journals.journal_proposals()] == ["PROPOSED", "CARRIED_OUT", "CARRIED_OUT"]
    assert Period.objects.get().state == "CLOSED"
    assert posted() == {"1010:main": 497_500, f"2010:{CLIENT}": -500_000, "5010": 2_500}
    assert {account.currency for account in queries.balances()} == {"EUR"}
    assert [check.name for check in verification.checks() if not check.ok] == []
