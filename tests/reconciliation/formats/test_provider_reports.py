"""Mapped CSV, Stripe, Adyen and PayPal: mappings, signs, footers."""

from typing import Any

import pytest

from paymentops.core.errors import InvalidInput
from paymentops.core.money import Money
from reconciliation.formats.mapping import CsvMapping
from reconciliation.formats.options import Options
from reconciliation.formats.registry import FORMATS, UnknownFormat, get
from tests.reconciliation.formats.reading import read, refused
from tests.reconciliation.formats.writing import CSV_MAPPING, Movement, adyen, mapped_csv, paypal, stripe

_MINIMAL: dict[str, Any] = {
    "columns": {"provider_reference": "Id", "gross": "Amount", "booking_date": "Date"},
    "currency": "EUR",
}
_GERMAN = {"delimiter": ";", "decimal": ",", "grouping": ".", "day_pattern": "%d.%m.%Y"}
_BY_POSITION = {"provider_reference": 1, "gross": 2, "booking_date": 3}
_TWO_SIDES = {"provider_reference": "Id", "debit": "Out", "credit": "In", "booking_date": "Date"}


def csv(text: str, **changes: Any) -> Any:
    return read("csv", text, mapping=_MINIMAL | changes)


def test_every_format_is_found_by_name_and_no_other():
    assert {get(name).title for name in FORMATS}
    with pytest.raises(UnknownFormat):
        get("ofx")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"columns": {}}, "mapping.columns"),
        (
            {"columns": {"provider_reference": "Id", "gross": "A", "booking_date": "D", "moon": "X"}},
            "mapping.columns.moon",
        ),
        (
            {"columns": {"provider_reference": 1, "gross": "A", "booking_date": "D"}},
            "mapping.columns.provider_reference",
        ),
        ({"currency": "XXX"}, "mapping.currency"),
        ({"currency": ""}, "mapping.columns"),
        ({"delimiter": "::"}, "mapping.delimiter"),
        ({"decimal": ",", "grouping": ","}, "mapping.grouping"),
        ({"sign": "column"}, "mapping.sign"),
        ({"sign": "debit_credit"}, "mapping.sign"),
        ({"sign": "type"}, "mapping.sign"),
        ({"unit": "cents"}, "mapping.unit"),
        ({"exponents": {"HUF": 9}}, "mapping.exponents.HUF"),
        ({"types": {"sale": "sold"}}, "mapping.types.sale"),
        ({"day_pattern": "%d/%m"}, "mapping.day_pattern"),
        ({"day_pattern": "day"}, "mapping.day_pattern"),
        ({"day_pattern": "%Y%m%d%d"}, "mapping.day_pattern"),
        ({"footer": {"word": ""}}, "mapping.footer"),
        ({"headings": "yes"}, "mapping.headings"),
        ({"skip": -1}, "mapping.skip"),
        ({"credit_words": ["x"], "debit_words": ["X"]}, "mapping.credit_words"),
        ({"colour": "red"}, "mapping.colour"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_with_the_path_of_each_mistake(changes, path):
    with pytest.raises(InvalidInput) as caught:
        CsvMapping.parse(_MINIMAL | changes)
    assert path in caught.value.extra["errors"]


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"encoding": "utf-7"}, "encoding"),
        ({"currency": "ABC"}, "currency"),
        ({"moon": 1}, "moon"),
        ({"mapping": []}, "mapping"),
    ],
)
def test_options_that_cannot_work_are_refused(values, path):
    with pytest.raises(InvalidInput) as caught:
        Options.parse(values)
    assert path in caught.value.extra["errors"]


def test_encodings_are_known_by_their_other_names():
    assert Options.parse({"encoding": "windows-1252"}).encoding == "cp1252"
    assert Options.parse({"encoding": "latin1"}).encoding == "iso-8859-1"


@pytest.mark.parametrize(
    ("text", "changes", "minor"),
    [
        ("Id,Amount,Date\n1,-5.00,2026-03-04\n", {}, -500),
        ("Id,Amount,Date\n1,-5.00,2026-03-04\n", {"sign": "negated"}, 500),
        ("Id;Amount;Date\n1;1.234,50;04.03.2026\n", _GERMAN, 123450),
        ("Id,Amount,Date\n1,500,2026-03-04\n", {"unit": "minor"}, 500),
        ("Id,Amount,Date\n1,500,2026-03-04\n", {"unit": "minor", "exponents": {"EUR": 0}}, 50000),
        ("Report of today\n\nId,Amount,Date\n1,5.00,2026-03-04\n", {"skip": 2}, 500),
        ("1,5.00,2026-03-04,more\n", {"headings": False, "columns": _BY_POSITION}, 500),
        (
            "Id,Amount,Date,Side\n1,5.00,2026-03-04,DR\n",
            {"sign": "column", "columns": _MINIMAL["columns"] | {"sign": "Side"}},
            -500,
        ),
        (
            "Id,Out,In,Date\n1,5.00,,2026-03-04\n",
            {"sign": "debit_credit", "columns": _TWO_SIDES},
            -500,
        ),
        (
            "Id,Amount,Date,Kind\n1,5.00,2026-03-04,Refund\n",
            {"sign": "type", "types": {"refund": "refund"}, "columns": _MINIMAL["columns"] | {"type": "Kind"}},
            -500,
        ),
    ],
)  # fmt: skip
def test_a_mapping_says_what_an_amount_means(text, changes, minor):
    assert csv(text, **changes).lines[0].net_minor == minor


@pytest.mark.parametrize(
    "row",
    [
        "1,,2026-03-04",
        "1,x,2026-03-04",
        "1,5.00,2026-02-30",
        ",5.00,2026-03-04",
        "1,5.00,2026-03-04,extra",
        '1,"5"0,2026-03-04',
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_with_line_and_text(row):
    found = csv(f"Id,Amount,Date\n0,1.00,2026-03-04\n{row}\n2,2.00,2026-03-04\n")
    assert [line.net_minor for line in found.lines] == [100, 200]
    assert [(reject.line_number, reject.row) for reject in found.rejects] == [(3, 2)]
    assert found.rejects[0].excerpt == row


def test_a_quotation_mark_that_swallows_rows_refuses_the_file():
    text = 'Id,Amount,Date\n1,5.00,"2026-03-04\n2,5.00,2026-03-04\n3,5.00,"2026-03-04\n'
    assert "quotation mark" in refused("csv", text, mapping=_MINIMAL).reason
    assert (
        "quotation mark" in refused("csv", text.replace(',"2026', ",2026", 1) + '4,1.00,"2026', mapping=_MINIMAL).reason
    )


def test_a_line_break_inside_a_quoted_field_is_no_new_row():
    mapping = _MINIMAL | {"columns": _MINIMAL["columns"] | {"description": "Text"}}
    found = read("csv", 'Id,Amount,Date,Text\n1,5.00,2026-03-04,"two\nlines"\n2,6.00,2026-03-04,x\n', mapping=mapping)
    assert [(line.line_number, line.description) for line in found.lines] == [(2, "two\nlines"), (4, "x")]


def test_a_missing_or_doubled_column_refuses_the_file():
    assert "There is no column 'Amount'" in refused("csv", "Id,Sum,Date\n", mapping=_MINIMAL).reason
    assert "there twice" in refused("csv", "Id,Amount,Amount,Date\n", mapping=_MINIMAL).reason
    assert "no mapping" in refused("csv", "Id\n").reason
    assert "empty" in refused("csv", "", mapping=_MINIMAL).reason


def test_a_row_behind_the_footer_refuses_the_file():
    raw = mapped_csv([Movement("1", 100)], "EUR").decode()
    row = raw.splitlines()[1]
    assert "follows the footer" in refused("csv", f"{raw}{row}\n", mapping=CSV_MAPPING).reason


def test_pending_words_announce_and_do_not_book():
    mapping = _MINIMAL | {"columns": _MINIMAL["columns"] | {"type": "Kind"}, "pending": ["Pending"]}
    found = read("csv", "Id,Amount,Date,Kind\n1,5.00,2026-03-04,pending\n", mapping=mapping)
    assert not found.lines[0].booked
    assert found.totals[0].credit_minor == 0


def test_a_stripe_report_keeps_an_unknown_category_as_other():
    raw = stripe([Movement("1", 100)], "EUR").decode().replace(",charge,", ",new_thing,")
    assert [(line.type, line.provider_type) for line in read("stripe", raw).lines] == [("other", "new_thing")]


def test_a_stripe_export_of_the_dashboard_reads_too():
    text = (
        "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC),reference (metadata)\n"
        "txn_1,payment,ch_1,10.00,0.30,9.70,eur,2026-03-04 10:11,2026-03-06 00:00,pay_1\n"
    )
    line = read("stripe", text).lines[0]
    assert (line.type, line.our_reference, line.net, str(line.value_date)) == (
        "charge",
        "pay_1",
        Money(970, "EUR"),
        "2026-03-06",
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((",,1.20,1,EUR,", ",1.20,1.20,1,EUR,"), "a debit and a credit"),
        ((",,1.20,1,EUR,", ",1.20,,1,EUR,"), "The gross is -120"),
        ((",,1.20,1,EUR,,1.00,0.20", ",,1.20,1,EUR,,,0.20"), "Both net columns"),
        ((",,1.20,1,EUR,,1.00,0.20", ",,1.20,1,EUR,,-1.00,0.20"), "has a sign"),
        ((",CET,", ",Nowhere,"), "not a time zone"),
        (("EUR,,1.20,1,EUR", "USD,1.30,,0.9,EUR"), "opposite directions"),
    ],
)
def test_an_adyen_row_that_contradicts_itself_is_rejected(change, reason):
    raw = adyen([Movement("1", 100, fee_minor=20)], "EUR").decode()
    assert change[0] in raw
    assert reason in read("adyen", raw.replace(*change)).rejects[0].reason


@pytest.mark.parametrize(
    ("currency", "written", "net"),
    [
        ("EUR", "1200", "12.00 EUR"),
        ("JPY", "1200", "1200 JPY"),
        ("HUF", "1200", "1200.00 HUF"),
        ("BHD", "1200", "1.200 BHD"),
    ],
)
def test_a_paypal_amount_has_the_decimals_of_its_currency(currency, written, net):
    raw = paypal([Movement("1", 1200)], currency).decode()
    assert written in raw
    assert str(read("paypal", raw).lines[0].net) == net


def test_a_source_may_say_other_decimals():
    raw = paypal([Movement("1", 1200)], "HUF")
    assert str(read("paypal", raw, exponents={"HUF": 2}).lines[0].net) == "12.00 HUF"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("SC,2", "SC,3"), "number of rows (SC)"),
        (("RC,2", "RC,3"), "number of rows (RC)"),
        (("FF,2", "FF,3"), "number of rows (FF)"),
        (("SF,EUR,300", "SF,EUR,301"), "section's gross credits EUR"),
        (("RF,EUR,300", "RF,EUR,301"), "report's gross credits EUR"),
        (("CR,1000,CR,1300", "CR,1000,CR,1301"), "closing balance EUR"),
        (("SF,EUR", "SF,USD"), "section's gross credits USD"),
        (("CH,", "CX,"), "before its headings"),
        (("RH,", "XX,"), "does not begin with a PayPal record"),
    ],
)
def test_a_paypal_report_whose_footers_do_not_agree_is_refused(change, reason):
    raw = paypal([Movement("1", 100), Movement("2", 200)], "EUR").decode()
    assert change[0] in raw
    assert reason in refused("paypal", raw.replace(change[0], change[1], 1)).reason


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_a_paypal_report_may_have_another_delimiter(delimiter):
    raw = paypal([Movement("1", 100)], "EUR").decode().replace(",", delimiter)
    assert read("paypal", "\ufeff" + raw).lines[0].net == Money(100, "EUR")


@pytest.mark.parametrize(
    ("code", "net_minor", "kind"),
    [
        ("T0006", 100, "charge"), ("T0006", -100, "debit"), ("T1107", -100, "refund"), ("T1201", -100, "chargeback"),
        ("T1202", 100, "chargeback_reversal"), ("T0106", -100, "fee"), ("T0400", -100, "payout"),
        ("T0400", 100, "payout_reversal"), ("T2101", -100, "reserve"), ("T0200", 100, "conversion"),
        ("T7777", 1, "other"),
    ],
)  # fmt: skip
def test_paypal_event_codes_say_the_type(code, net_minor, kind):
    raw = paypal([Movement("1", net_minor)], "EUR").decode().replace("T0006", code)
    assert read("paypal", raw).lines[0].type == kind


def test_a_damaged_paypal_row_is_rejected_and_the_totals_are_unproven():
    raw = (
        paypal([Movement("1", 100), Movement("2", 200)], "EUR")
        .decode()
        .replace("CR,200,EUR,DR,0", "CR,2x0,EUR,DR,0", 1)
    )
    found = read("paypal", raw)
    assert [reject.line_number for reject in found.rejects] == [6]
    assert "section's gross credits EUR" in found.totals[0].unproven
    assert found.totals[0].unexplained_minor == 200
