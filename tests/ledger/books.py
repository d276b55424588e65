"""Shared words of the ledger's tests: a fixed beginning, the parties, and the books in a few figures."""

from datetime import UTC, datetime, timedelta

from django.db import connection

from ledger import operations as ledger
from ledger import queries
from ledger.models import Entry
from ledger.postings import Parties, Posting
from paymentops.core.money import Money

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
PARTIES = Parties(client="cli_shop", provider_account="sandbox", method="card")
RECEIVABLE, PAYABLE = "1110:sandbox", "2010:cli_shop"


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def post(posting: Posting, *, on: int = 0, cause: str = "test") -> Entry:
    return ledger.post(posting, occurred_at=day(on), now=day(on), cause=cause)


def posted(currency: str = "EUR", **axes: datetime) -> dict[str, int]:
    """Return the posted balances that are not zero."""
    found = queries.balances(**axes)
    return {balance.code: balance.posted for balance in found if balance.currency == currency and balance.posted}


def pending(currency: str = "EUR", **axes: datetime) -> dict[str, int]:
    """Return the pending balances that are not zero."""
    found = queries.balances(**axes)
    return {balance.code: balance.pending for balance in found if balance.currency == currency and balance.pending}


def run(sql: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def as_if_committed() -> None:
    """Run what waits for the commit now, inside a test that never commits."""
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run("SET CONSTRAINTS ALL DEFERRED")


def without_triggers(sql: str, *parameters: object) -> None:
    """Do what only a superuser can: change rows behind the triggers' back."""
    as_if_committed()
    run("SET LOCAL session_replication_role = replica")
    run(sql, *parameters)
    run("SET LOCAL session_replication_role = origin")
