"""The ledger's CSV exports: what stands in them, that it is whole, and who took them."""

import csv
import io
from datetime import date, timedelta
from hashlib import sha256
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.http import StreamingHttpResponse

from ledger import chart, exports, postings, queries
from ledger import operations as ledger
from ledger.exports import AccountNotFound, Period, Taking
from ledger.models import State
from ledger.postings import Posting, PostingLine, Source
from paymentops.access.actors import Actor
from paymentops.access.models import AuditEntry
from paymentops.core.csv_export import Download
from paymentops.core.errors import InvalidInput
from paymentops.core.money import Money
from tests.ledger.books import PARTIES, day, eur, post

TAKING = Taking(by=Actor.command("ledger", on_behalf_of="operator"), now=day(100))


class Sheet:
    """An export read back."""

    def __init__(self, download: Download) -> None:
        self.content = b"".join(download.chunks)
        rows = list(csv.reader(io.StringIO(self.content.decode("utf-8-sig"), newline=""), strict=True))
        self.widths = {len(row) for row in rows}
        head = next(number for number, row in enumerate(rows) if len(row) > 1 and all(row))
        tail = next(number for number, row in enumerate(rows) if row[0] == "Rows")
        self.facts = {row[0]: row[1] for row in rows[:head]}
        self.rows = [dict(zip(rows[head], row, strict=True)) for row in rows[head + 1 : tail]]
        self.count = int(rows[tail][1])
        self.totals = {(row[0].removeprefix("Control total of "), row[2]): row[1] for row in rows[tail + 1 : -1]}
        self.digest = rows[-1][1]

    def column(self, name: str) -> list[str]:
        return [row[name] for row in self.rows]


def sale(minor: int, *, on: int = 0, currency: str = "EUR"):
    return post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=Money(minor, currency)), on=on)


def statement(code: str = "1110:sandbox", period: Period | None = None) -> Sheet:
    return Sheet(exports.statement(taking=TAKING, code=code, currency="EUR", period=period or Period()))


@pytest.mark.django_db
def test_a_trial_balance_lists_every_account_and_totals_that_come_to_zero() -> None:
    sale(1290)
    sale(500, currency="JPY")
    post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(7)))
    sheet = Sheet(exports.trial_balance(taking=TAKING))
    assert [(row["Account"], row["Balance"], row["Balance currency"], row["Pending"]) for row in sheet.rows] == [
        ("1110:sandbox", "12.90", "EUR", "0.07"),
        ("2010:cli_shop", "-12.90", "EUR", "-0.07"),
        ("1110:sandbox", "500", "JPY", "0"),
        ("2010:cli_shop", "-500", "JPY", "0"),
    ]
    assert sheet.column("Debit") == ["12.90", "", "500", ""]
    assert sheet.column("Credit minor units") == ["", "1290", "", "500"]
    assert sheet.totals == {
        ("Debit", "EUR"): "12.90",
        ("Debit", "JPY"): "500",
        ("Credit", "EUR"): "12.90",
        ("Credit", "JPY"): "500",
        ("Balance", "EUR"): "0.00",
        ("Balance", "JPY"): "0",
        ("Pending", "EUR"): "0.00",
        ("Pending", "JPY"): "0",
    }


@pytest.mark.django_db
def test_a_trial_balance_is_that_of_the_query_on_both_axes() -> None:
    sale(100)
    late = postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(50))
    ledger.post(late, occurred_at=day(1), now=day(9), cause="late")
    axes = {"effective_at": day(5), "known_at": day(5)}
    sheet = Sheet(exports.trial_balance(taking=TAKING, **axes))
    (found,) = queries.trial_balance(**axes)
    assert sheet.column("Balance minor units") == [str(account.posted) for account in found.accounts] == ["100", "-100"]
    assert sheet.facts["Effective until"] == day(5).isoformat()
    assert sheet.facts["Known at"] == day(5).isoformat()


@pytest.mark.django_db
def test_a_statement_runs_from_its_opening_to_its_closing_balance() -> None:
    for on in range(4):
        sale(10**on, on=on)
    back = sale(5, on=2)
    ledger.reverse(back.pk, cause="taken back", occurred_at=day(2) + timedelta(hours=1), now=day(3))
    sheet = statement(period=Period(since=day(1), until=day(2) + timedelta(hours=2)))
    assert sheet.column("Amount minor units") == ["10", "100", "5", "-5"]
    assert sheet.column("Running balance minor units") == ["11", "111", "116", "111"]
    assert sheet.column("State now") == ["POSTED", "POSTED", "REVERSED", "POSTED"]
    assert sheet.column("Reverses") == ["", "", "", str(back)]
    assert (sheet.facts["Opening balance"], sheet.facts["Closing balance"]) == ("0.01 EUR", "1.11 EUR")
    assert sheet.totals["Amount", "EUR"] == "1.10"
    assert sheet.facts["Account"] == "1110:sandbox EUR"


@pytest.mark.django_db
def test_a_statement_of_an_account_that_does_not_exist_is_refused() -> None:
    with pytest.raises(AccountNotFound, match="no account 1110:nobody in EUR"):
        statement("1110:nobody")
    assert AuditEntry.objects.count() == 0


@pytest.mark.django_db
def test_a_journal_has_every_line_of_every_posted_entry_in_the_order_they_became_effective() -> None:
    later, sooner = sale(200, on=5), sale(100, on=1)
    post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(7)))
    sheet = Sheet(exports.journal(taking=TAKING, period=Period()))
    assert sheet.column("Entry") == [str(sooner)] * 2 + [str(later)] * 2
    assert sheet.column("Account") == ["1110:sandbox", "2010:cli_shop"] * 2
    assert sheet.column("Amount") == ["1.00", "-1.00", "2.00", "-2.00"]
    assert sheet.column("Method") == ["card", ""] * 2
    assert sheet.column("Source") == [entry.source_id.hex for entry in (sooner, sooner, later, later)]
    assert sheet.totals["Amount", "EUR"] == "0.00"


@pytest.mark.django_db
def test_every_export_says_what_was_asked_by_whom_and_ends_with_proof_that_it_is_whole() -> None:
    sale(100)
    sheet = statement()
    assert sheet.facts["Made by"] == "ledger"
    assert sheet.facts["Made at"] == day(100).isoformat()
    assert (sheet.facts["Effective from"], sheet.facts["Known at"]) == ("the beginning", "when it was made")
    assert sheet.facts["Time zone"] == "UTC"
    assert sheet.count == len(sheet.rows) == 1
    assert len(sheet.widths) == 1
    last = sheet.content.rindex(b'"SHA-256')
    assert sheet.digest == sha256(sheet.content[:last]).hexdigest()


@pytest.mark.django_db
def test_descriptions_that_a_spreadsheet_would_run_are_made_inert_and_negative_amounts_stay_numbers() -> None:
    bank, loss = chart.account("1010", "EUR", part='=cmd|"x"'), chart.account("5040", "EUR")
    lines = (PostingLine(bank, -5), PostingLine(loss, 5))
    post(Posting(Source("journal", uuid4(), "note"), State.POSTED, lines, "=HYPERLINK(1)"))
    sheet = Sheet(exports.journal(taking=TAKING, period=Period()))
    assert sheet.column("Description") == ["'=HYPERLINK(1)"] * 2
    assert sheet.column("Amount") == ["-0.05", "0.05"]
    assert b',-0.05,"EUR",-5\r\n' in sheet.content


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["statement", "trial balance", "journal", "beancount"])
def test_every_export_stands_in_the_audit_trail_before_its_first_byte(what: str) -> None:
    sale(100)
    made = {
        "statement": lambda: exports.statement(taking=TAKING, code="1110:sandbox", currency="EUR", period=Period()),
        "trial balance": lambda: exports.trial_balance(taking=TAKING),
        "journal": lambda: exports.journal(taking=TAKING, period=Period()),
        "beancount": lambda: exports.beancount_journal(taking=TAKING, period=Period()),
    }[what]()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.on_behalf_of, entry.at) == (
        "ledger.export",
        "ledger",
        "operator",
        day(100),
    )
    assert entry.after["Account"] == ("1110:sandbox EUR" if what == "statement" else "all")
    assert made.file_name.startswith("ledger-")
    assert made.file_name.endswith("20260415T090000Z" + (".beancount" if what == "beancount" else ".csv"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("make", [exports.journal, exports.beancount_journal])
def test_an_export_is_read_as_of_one_moment_and_leaves_no_transaction_behind(make) -> None:
    for _ in range(300):
        sale(100)
    download = make(taking=TAKING, period=Period())
    first = next(download.chunks)
    assert connection.in_atomic_block
    download.chunks.close()
    assert not connection.in_atomic_block
    whole = b"".join(make(taking=TAKING, period=Period()).chunks)
    assert not connection.in_atomic_block
    assert whole[: len(first)] == first
    sale(1)  # what follows can write again


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["statement", "trial balance", "journal"])
def test_a_response_streams_an_export_in_a_transaction_that_can_only_read(what: str) -> None:
    sale(100)
    made = {
        "statement": lambda: exports.statement(taking=TAKING, code="1110:sandbox", currency="EUR", period=Period()),
        "trial balance": lambda: exports.trial_balance(taking=TAKING, effective_at=day(50)),
        "journal": lambda: exports.journal(taking=TAKING, period=Period()),
    }[what]()
    response = StreamingHttpResponse(made.chunks, content_type=made.content_type)
    content = b"".join(response)
    assert content.startswith(f'"Export","Ledger, {what}"'.encode())
    assert b'"Control total of Debit",1.00,"EUR",100' in content
    assert response["Content-Type"].startswith("text/csv; charset=utf-8")


@pytest.mark.django_db
def test_an_export_for_older_spreadsheets_begins_with_a_byte_order_mark() -> None:
    taking = Taking(by=TAKING.by, now=TAKING.now, byte_order_mark=True)
    with transaction.atomic():
        assert next(exports.trial_balance(taking=taking).chunks).startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize(
    ("first", "last"), [(date(2026, 2, 1), date(2026, 1, 31)), (date(1, 1, 1), None), (None, date(9999, 12, 31))]
)
def test_a_period_that_cannot_be_is_refused(first, last) -> None:
    with pytest.raises(InvalidInput):
        Period.of_dates(first, last)


def test_a_period_of_days_has_its_first_and_its_last_moment() -> None:
    period = Period.of_dates(date(2026, 1, 1), date(2026, 1, 31))
    assert str(period.since) == "2026-01-01 00:00:00+00:00"
    assert str(period.until) == "2026-01-31 23:59:59.999999+00:00"
