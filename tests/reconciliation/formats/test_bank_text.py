"""MT940, MT942, BAI2 and CNAB 240: what banks do differently."""

import pytest

from paymentops.core.money import Money
from tests.reconciliation.formats.reading import read, refused
from tests.reconciliation.formats.writing import Movement, bai2, cnab240


def swift(*lines: str, closing: str = "C260304EUR10,00", opening: str = "C260303EUR10,00") -> str:
    return "\n".join([":20:REF", ":25:ACC", ":28C:7/1", f":60F:{opening}", *lines, f":62F:{closing}", "-"])


@pytest.mark.parametrize(
    ("mark", "minor", "reversal"),
    [
        ("C", 100, False),
        ("D", -100, False),
        ("RC", -100, True),
        ("RD", 100, True),
        ("CR", 100, False),
        ("DR", -100, False),
    ],
)
def test_marks_say_direction_and_reversal(mark, minor, reversal):
    closing = f"C260304EUR{(1000 + minor) // 100},00"
    line = read("mt940", swift(f":61:2603040304{mark}1,00NTRFNONREF", closing=closing)).lines[0]
    assert (line.net_minor, line.reversal) == (minor, reversal)


def test_an_entry_date_crosses_the_year():
    line = read("mt940", swift(":61:2601011231C1,NTRFNONREF", closing="C260101EUR11,00")).lines[0]
    assert (str(line.value_date), str(line.booking_date)) == ("2026-01-01", "2025-12-31")


def test_references_of_every_way_to_write_them_are_found():
    found = read(
        "mt940",
        swift(
            ":61:260304C1,NTRFKREF0001//BANK0001",
            ":86:166?00GUTSCHRIFT?20EREF+000END?21SVWZ+Purpose?32NAME",
            ":61:260304C1,NTRFNONREF//BANK0002",
            ":86:/EREF/000END2/REMI/Purpose two",
            ":61:260304C1,NTRF00CUSTOMER//BANK0003",
            ":86:Plain text\nover two lines",
            closing="C260304EUR13,00",
        ),
    )
    assert [line.provider_reference for line in found.lines] == ["BANK0001", "BANK0002", "BANK0003"]
    assert [line.our_reference for line in found.lines] == ["000END", "000END2", "00CUSTOMER"]
    assert found.lines[2].description == "Plain text over two lines"


@pytest.mark.parametrize(
    "line",
    [
        ":61:260304C1.00NTRFNONREF",
        ":61:260304C100NTRFNONREF",
        ":61:260304C1234567890123456,00NTRFNONREF",
        ":61:260304X1,00NTRFNONREF",
        ":61:260304C1,005NTRFNONREF",
        ":61:nonsense",
    ],
)
def test_a_line_that_cannot_be_read_is_rejected_and_leaves_the_balance_unproven(line):
    found = read("mt940", swift(line, closing="C260304EUR11,00"))
    assert (found.lines, len(found.rejects)) == ([], 1)
    assert found.totals[0].unproven == ("closing balance EUR",)
    assert found.totals[0].unexplained_minor == 100


def test_swift_blocks_around_a_message_are_left_aside():
    text = swift(":61:260304C1,NTRFNONREF", closing="C260304EUR11,00")
    wrapped = "{1:F01BANKDEFFXXXX0000000000}{2:I940BANKDEFFXXXXN}{4:\n" + text + "}"
    assert len(read("mt940", wrapped).lines) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello", "no SWIFT statement"),
        (swift(closing="C260304USD10,00"), "opens in EUR, but closes in USD"),
        (swift(opening="C260231EUR10,00"), "The balance cannot be read"),
        (swift(opening="C260301EURten"), "The balance cannot be read"),
        (swift().replace(":62F:", ":64:"), "no closing balance"),
        (swift().replace(":60F:", ":64:"), "no opening balance"),
        (swift(":90C:2EUR0,00"), "number of credits EUR"),
    ],
)
def test_a_statement_that_cannot_be_trusted_is_refused(text, reason):
    assert reason in refused("mt940", text).reason


def test_bai2_reads_every_kind_of_funds_and_commas_in_texts():
    raw = bai2([Movement("0001", 500)], "EUR").decode()
    for funds in ("", "0", "Z", "S,100,200,200", "D,2,0,200,1,300", "V,260304,1200"):
        found = read("bai2", raw.replace("V,260304,,0001,,TEXT", f"{funds},0001,0002,A, B/C"))
        assert (found.lines[0].provider_reference, found.lines[0].our_reference) == ("0001", "0002")
        assert found.lines[0].description == "A, B/C"


@pytest.mark.parametrize(
    "change", [("16,195,500", "16,195,"), ("16,195,500", "16,195,5.00"), ("16,195", "16,7x5"), ("V,", "Q,")]
)
def test_a_bai2_transaction_that_cannot_be_read_is_rejected(change):
    raw = bai2([Movement("0001", 500)], "EUR").decode().replace(*change)
    found = read("bai2", raw)
    assert (found.lines, len(found.rejects)) == ([], 1)
    assert found.totals[0].unproven == ("control total (49)",)


@pytest.mark.parametrize(
    "change", [("99,1500", "99,1501"), ("98,1500,1,", "98,1500,2,"), (",7/", ",8/"), ("49,", "98,"), ("03,", "04,")]
)
def test_a_bai2_file_whose_trailers_do_not_agree_is_refused(change):
    raw = bai2([Movement("0001", 500)], "EUR").decode()
    assert change[0] in raw
    refused("bai2", raw.replace(*change))


def test_a_bai2_currency_without_decimals_is_read_as_it_stands():
    assert read("bai2", bai2([Movement("1", 500)], "JPY")).lines[0].net == Money(500, "JPY")


def record(**parts: str) -> str:
    text = [" "] * 240
    for name, part in parts.items():
        at = int(name[1:]) - 1
        text[at : at + len(part)] = part
    return "".join(text)


def extract(amount: str, sign: str, *, closing: str = "000000000000001500") -> str:
    return "\n".join(
        [
            record(p1="00100000", p143="2"),
            record(p1="00100011E0440031", p143="03032026", p151="000000000000001000", p169="C"),
            record(p1="0010001300001E", p135="04032026", p143="04032026", p151=amount, p169=sign, p202="000777"),
            record(p1="00100015", p18="000003", p151=closing, p169="C"),
            record(p1="00199999", p18="000001", p24="000005"),
        ]
    )


def test_an_account_statement_in_cnab_agrees_with_its_balances():
    found = read("cnab240", extract("000000000000000500", "C"))
    assert (found.lines[0].net, found.lines[0].provider_reference) == (Money(500, "BRL"), "000777")
    assert found.totals[0].checked == ("number of records of the lot", "closing balance BRL")
    refused("cnab240", extract("000000000000000500", "D"))


def test_a_title_without_its_second_segment_is_rejected():
    raw = cnab240([Movement("1", 100), Movement("2", 200)], "BRL").decode()
    found = read("cnab240", raw.replace("0010001300002U", "0010001300002T"))
    assert (len(found.lines), len(found.rejects)) == (1, 2)


def test_a_paid_title_without_an_amount_is_rejected():
    raw = cnab240([Movement("1", 100)], "BRL").decode().replace("000000000000100", "000000000000000")
    found = read("cnab240", raw)
    assert "amount is zero" in found.rejects[0].reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("00100000", "00100001"), "begins with one file header"),
        (("00199999         000001", "00199999         000002"), "number of lots"),
        (("00100015         000004", "00100015         000009"), "number of records of the lot"),
    ],
)
def test_a_return_file_that_was_damaged_is_refused(change, reason):
    raw = cnab240([Movement("1", 100)], "BRL").decode()
    assert change[0] in raw
    assert reason in refused("cnab240", raw.replace(change[0], change[1], 1)).reason


def test_a_file_that_we_sent_is_not_a_return():
    lines = cnab240([], "BRL").decode().splitlines()
    lines[0] = f"{lines[0][:142]}1{lines[0][143:]}"
    assert "not its return" in refused("cnab240", "\n".join(lines)).reason


def test_a_layout_is_chosen_by_the_bank_or_by_the_source():
    raw = cnab240([Movement("0000000000000000123", 100)], "BRL")
    assert read("cnab240", raw).lines[0].provider_reference == "0000000000000000123"
    assert read("cnab240", raw, layout="caixa").lines[0].provider_reference == "00000000000000123"
    assert "There is no layout" in refused("cnab240", raw, layout="moon").reason
