"""Files that others wrote: each is read completely, or refused with its line and the reason."""

from pathlib import Path

import pytest

from paymentops.core.money import Money
from reconciliation.formats.contract import StatementRefused
from tests.reconciliation.formats.reading import Read, read

_FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "statements"
_FORMATS = {"adyen", "bai2", "camt", "cnab240", "mt940", "paypal", "stripe"}
_FILES = sorted(path for path in _FOLDER.glob("*/*") if path.parent.name in _FORMATS)

pytestmark = pytest.mark.skipif(not _FILES, reason="the files of others are not there")


def read_file(name: str, **options: str) -> Read:
    path = _FOLDER / name
    folder = path.parent.name
    format_name = folder if folder != "camt" else "camt.054" if "camt054" in path.name else "camt.053"
    return read(format_name, path.read_bytes(), **options)


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_a_file_is_read_completely_or_refused_with_line_and_reason(path):
    try:
        found = read_file(f"{path.parent.name}/{path.name}")
    except StatementRefused as refusal:
        told = (refusal.line_number, refusal.reason)
    else:
        told = (1, str(found.end))
    assert told[0] > 0
    assert told[1]


@pytest.mark.parametrize(
    ("name", "line_number", "reason"),
    [
        ("bai2/sample4-continuations-newline-delimited.txt", 22, "states -1260161341762 as its control total"),
        ("camt/camt053.v2.all-balance-types.xml", 198, "states 404 as its closing balance EUR, but holds 986"),
        ("camt/camt053.v8.xml", 199, "opens in EUR, but closes in SEK"),
        ("camt/camt054.v4.xml", 87, "says 2 transactions, but holds 3"),
        ("mt940/abnamro.sta", 27, "closing balance EUR"),
        ("mt940/ing.sta", 26, "closing balance EUR"),
        ("paypal/stl.csv", 8, "states 134 as its section's gross debits GBP, but holds 234"),
        ("paypal/stl_chargeback_with_fee.csv", 4, "no footer (SF)"),
    ],
)
def test_totals_that_do_not_agree_are_refused(name, line_number, reason):
    with pytest.raises(StatementRefused) as caught:
        read_file(name)
    assert caught.value.line_number == line_number
    assert reason in caught.value.reason


def test_an_adyen_charge_keeps_payer_amount_rate_and_costs():
    charge, payout = read_file("adyen/settlement_detail_donation-ideal.csv").lines
    assert (str(charge.gross), str(charge.fee), str(charge.net)) == ("5.70 USD", "0.27 USD", "5.43 USD")
    assert charge.original == Money(535, "EUR")
    assert str(charge.exchange_rate) == "1.0656568"
    assert charge.fee_parts == (("commission", 27),)
    assert charge.related_reference == "1515876691993221"
    assert (payout.type, payout.batch_id, payout.net_minor) == ("payout", "630", -76)


def test_a_stripe_row_whose_amounts_do_not_agree_is_rejected_alone():
    found = read_file("stripe/settlement_report.csv", reference_column="payment_metadata[external_identifier]")
    assert [line.net_minor for line in found.lines] == [2405, -1000, 1000, -50, -50, 335]
    assert found.lines[0].our_reference == "24315.1"
    assert [(reject.line_number, reject.row) for reject in found.rejects] == [(8, 7)]


def test_an_impossible_day_is_rejected_and_still_counts_in_the_balance():
    found = read_file("mt940/february_30.sta")
    assert found.lines == []
    assert found.rejects[0].amount == Money(-600, "EUR")
    assert found.totals[0].checked == ("closing balance EUR",)


def test_a_fragment_without_a_balance_reads_once_its_currency_is_declared():
    assert read_file("mt940/sparkassen.sta").lines == []
    assert read_file("mt940/sparkassen.sta", currency="EUR").lines[0].net == Money(3000, "EUR")


def test_an_interim_report_agrees_with_its_sums():
    found = read_file("mt940/mt942.sta")
    assert [line.provider_reference for line in found.lines] == ["MB170119012058", "MB170119012085", "MB170119012121"]
    assert "number of credits PLN" in found.totals[0].checked


def test_continued_numbers_and_texts_of_bai2_are_read():
    found = read_file("bai2/sample2.txt")
    assert [header.opening for header in found.headers][:2] == [Money(4350000, "USD"), Money(-500000, "USD")]
    assert found.lines[2].description == "PROCEEDS OF LETTER OF CREDIT FROM THE ARAMCO OIL CO"


def test_brazilian_titles_keep_their_tariff_and_leading_zeros():
    generic = read_file("cnab240/CNAB240.RET")
    assert len(generic.lines) == 35
    assert {line.type for line in generic.lines} == {"charge"}
    assert str(generic.lines[0].fee) == "1.03 BRL"
    santander = read_file("cnab240/CNAB240SANTANDER.RET")
    assert [(line.type, line.provider_reference) for line in santander.lines] == [
        ("notice", "0000000001406"),
        ("charge", "0000000001406"),
    ]
