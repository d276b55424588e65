"""camt messages: versions, batches, statuses, and what is refused."""

import pytest

from paymentops.core.money import Money
from tests.reconciliation.formats.reading import read, refused

_OPEN = "<Acct><Id><IBAN>DE1</IBAN></Id></Acct>"


def message(entries: str, *, version: str = "camt.053.001.08", before: str = _OPEN, root: str = "BkToCstmrStmt") -> str:
    part = "Ntfctn" if "DbtCdt" in root else "Rpt" if "Rpt" in root else "Stmt"
    namespace = f' xmlns="urn:iso:std:iso:20022:tech:xsd:{version}"' if version else ""
    return f"<Document{namespace}><{root}><GrpHdr/><{part}><Id>1</Id>{before}{entries}</{part}></{root}></Document>"


def entry(
    amount: str, inner: str = "", *, side: str = "CRDT", status: str = "<Cd>BOOK</Cd>", currency: str = "EUR"
) -> str:
    return (
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts>{status}</Sts>'
        f"<BookgDt><Dt>2026-03-04</Dt></BookgDt><AcctSvcrRef>0042</AcctSvcrRef>{inner}</Ntry>"
    )


def details(*amounts: str, currency: str = "EUR", batch: str = "") -> str:
    inner = "".join(
        f"<TxDtls><Refs><EndToEndId>00{number}</EndToEndId></Refs>"
        f'<Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd></TxDtls>'
        for number, amount in enumerate(amounts)
    )
    return f"<NtryDtls>{batch}{inner}</NtryDtls>"


@pytest.mark.parametrize("version", [f"camt.053.001.{number:02d}" for number in range(1, 14)])
def test_every_version_is_read_and_reported(version):
    found = read("camt.053", message(entry("1.00"), version=version))
    assert found.headers[0].version == version
    assert found.lines[0].net == Money(100, "EUR")


@pytest.mark.parametrize("version", [f"camt.054.001.{number:02d}" for number in range(1, 14)])
def test_every_version_of_a_notification_is_read(version):
    text = message(entry("1.00", details("0.40", "0.60")), version=version, root="BkToCstmrDbtCdtNtfctn")
    assert [line.net_minor for line in read("camt.054", text).lines] == [40, 60]


def test_version_one_has_other_names_and_no_wrapper_for_transactions():
    inner = "<TxDtls><Refs><EndToEndId>007</EndToEndId></Refs></TxDtls>"
    text = message(entry("1.00", inner, status="BOOK"), version="camt.053.001.01", root="BkToCstmrStmtV01")
    line = read("camt.053", text).lines[0]
    assert (line.our_reference, line.net_minor, line.booked) == ("007", 100, True)


def test_an_envelope_and_a_missing_namespace_do_not_matter():
    inner = message(entry("1.00"), version="")
    found = read("camt.053", f"<Envelope><AppHdr><Fr>x</Fr></AppHdr>{inner}</Envelope>")
    assert [line.net_minor for line in found.lines] == [100]
    assert found.headers[0].version == "camt.053"


def test_a_batch_becomes_its_transactions():
    batch = "<Btch><PmtInfId>P1</PmtInfId><NbOfTxs>3</NbOfTxs></Btch>"
    found = read("camt.053", message(entry("6.00", details("1.00", "2.00", "3.00", batch=batch))))
    assert [(line.net_minor, line.our_reference, line.batch_id) for line in found.lines] == [
        (100, "000", "P1"),
        (200, "001", "P1"),
        (300, "002", "P1"),
    ]


def test_a_batch_that_is_told_without_its_transactions_is_one_line():
    batch = "<NtryDtls><Btch><PmtInfId>P1</PmtInfId><NbOfTxs>250</NbOfTxs></Btch></NtryDtls>"
    found = read("camt.053", message(entry("6.00", batch)))
    assert [(line.net_minor, line.batch_id) for line in found.lines] == [(600, "P1")]


def test_what_the_bank_kept_of_a_batch_is_a_fee():
    record = '<Amt Ccy="EUR">0.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><ChrgInclInd>true</ChrgInclInd>'
    charges = f"<Chrgs><Rcrd>{record}</Rcrd></Chrgs>"
    found = read("camt.053", message(entry("2.50", charges + details("1.00", "2.00"))))
    assert [(line.type, line.net_minor) for line in found.lines] == [("credit", 100), ("credit", 200), ("fee", -50)]


def test_a_batch_that_does_not_add_up_is_refused():
    refusal = refused("camt.053", message(entry("6.00", details("1.00", "2.00"))))
    assert "The entry of 600 holds transactions of 300" in refusal.reason


def test_a_batch_told_in_another_currency_stays_one_line_with_its_references():
    found = read("camt.053", message(entry("6.00", details("1.00", "2.00", currency="USD"))))
    assert [line.net_minor for line in found.lines] == [600]
    assert [value for name, value in found.lines[0].references if name == "EndToEndId"] == ["000", "001"]


def test_a_single_transaction_in_another_currency_keeps_its_amount_and_rate():
    inner = (
        '<NtryDtls><TxDtls><AmtDtls><InstdAmt><Amt Ccy="USD">12.00</Amt>'
        "<CcyXchg><XchgRate>1.0823</XchgRate></CcyXchg></InstdAmt></AmtDtls></TxDtls></NtryDtls>"
    )
    line = read("camt.053", message(entry("11.09", inner))).lines[0]
    assert line.original == Money(1200, "USD")
    assert str(line.exchange_rate) == "1.0823"
    assert line.net == Money(1109, "EUR")


def test_only_booked_entries_count_in_the_balances():
    balances = "".join(
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{amount}</Amt>'
        "<CdtDbtInd>CRDT</CdtDbtInd></Bal>"
        for code, amount in (("OPBD", "1.00"), ("CLBD", "3.00"))
    )
    found = read("camt.053", message(entry("2.00") + entry("9.00", status="PDNG"), before=_OPEN + balances))
    assert [(line.net_minor, line.booked) for line in found.lines] == [(200, True), (900, False)]
    assert found.totals[0].checked == ("closing balance EUR",)


def test_sums_of_entries_are_compared():
    summary = "<TxsSummry><TtlNtries><NbOfNtries>{}</NbOfNtries><Sum>{}</Sum></TtlNtries></TxsSummry>"
    entries = entry("2.00") + entry("1.00", side="DBIT")
    assert read("camt.053", message(entries, before=_OPEN + summary.format(2, "3.00"))).totals[0].checked
    assert "TtlNtries" in refused("camt.053", message(entries, before=_OPEN + summary.format(3, "3.00"))).reason
    assert "TtlNtries" in refused("camt.053", message(entries, before=_OPEN + summary.format(2, "4.00"))).reason


@pytest.mark.parametrize("amount", ["", "x", "1,00", "-1.00", "1.005", "99999999999999999999"])
def test_an_entry_without_a_readable_amount_is_rejected(amount):
    found = read("camt.053", message(entry(amount) + entry("1.00")))
    assert [line.net_minor for line in found.lines] == [100]
    assert found.rejects[0].reason


def test_an_entry_with_an_impossible_day_is_rejected():
    found = read("camt.053", message(entry("1.00").replace("2026-03-04", "2026-02-30")))
    assert (found.lines, len(found.rejects)) == ([], 1)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]><Document/>', "document type declaration"),
        ('<!DOCTYPE a SYSTEM "http://127.0.0.1/x"><Document/>', "document type declaration"),
        ("<Document>", "not well-formed"),
        ("<Document/>", "holds no camt.053"),
        ("<?xml version='1.0' encoding='nonsense'?><Document/>", ""),
        ("<a>" * 80 + "</a>" * 80, "nested"),
        (message("", root="BkToCstmrDbtCdtNtfctn"), "This is a camt.054 message"),
        (message("<Bal><Tp><Cd>OPBD</Cd></Tp></Bal>"), "The balance cannot be read"),
    ],
)
def test_what_is_no_statement_is_refused(raw, reason):
    assert reason in refused("camt.053", raw).reason


def test_line_numbers_are_those_of_the_file():
    text = message("\n" * 70_000 + entry("1.00") + "\n" + entry("x"))
    found = read("camt.053", text)
    assert found.lines[0].line_number == 70_001
    assert found.rejects[0].line_number == 70_002
