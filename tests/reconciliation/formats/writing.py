"""Writes valid files of every format from the same movements; the readers must give the movements back."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from paymentops.core.money import Money


@dataclass(frozen=True)
class Movement:
    """One movement: net is what reaches the balance (signed), fee what it cost, both in minor units."""

    reference: str
    net_minor: int
    fee_minor: int = 0
    day: date = date(2026, 3, 4)


CSV_MAPPING: dict[str, Any] = {
    "columns": {
        "provider_reference": "Id", "gross": "Gross", "fee": "Fee", "net": "Net", "currency": "Currency",
        "booking_date": "Date", "type": "Kind",
    },
    "types": {"sale": "charge", "refund": "refund"},
    "footer": {"word": "TOTAL", "count": 2, "net": 5},
}  # fmt: skip


def mapped_csv(movements: Sequence[Movement], currency: str) -> bytes:
    rows: list[Sequence[object]] = [("Id", "Kind", "Gross", "Fee", "Net", "Currency", "Date")]
    rows += [
        (
            move.reference,
            "sale" if move.net_minor >= 0 else "refund",
            decimal(move.net_minor + move.fee_minor, currency),
            decimal(move.fee_minor, currency),
            decimal(move.net_minor, currency),
            currency,
            move.day,
        )
        for move in movements
    ]
    total = decimal(sum(move.net_minor for move in movements), currency)
    return _csv([*rows, ("TOTAL", len(movements), "", "", total)])


def stripe(movements: Sequence[Movement], currency: str) -> bytes:
    rows: list[Sequence[object]] = [
        ("balance_transaction_id", "created", "currency", "gross", "fee", "net", "reporting_category", "source_id")
    ]
    rows += [
        (
            f"txn_{number}",
            f"{move.day} 10:11:12",
            currency.lower(),
            decimal(move.net_minor + move.fee_minor, currency),
            decimal(move.fee_minor, currency),
            decimal(move.net_minor, currency),
            "charge" if move.net_minor >= 0 else "refund",
            move.reference,
        )
        for number, move in enumerate(movements)
    ]
    return _csv(rows)


ADYEN_HEADINGS = (
    "Company Account", "Merchant Account", "Psp Reference", "Merchant Reference", "Payment Method", "Creation Date",
    "TimeZone", "Type", "Modification Reference", "Gross Currency", "Gross Debit (GC)", "Gross Credit (GC)",
    "Exchange Rate", "Net Currency", "Net Debit (NC)", "Net Credit (NC)", "Commission (NC)", "Batch Number",
)  # fmt: skip


def adyen(movements: Sequence[Movement], currency: str) -> bytes:
    rows: list[Sequence[object]] = [ADYEN_HEADINGS]
    for move in movements:
        gross = move.net_minor + move.fee_minor
        rows.append(
            (
                "Company", "Merchant", "8815", move.reference, "visa", f"{move.day} 10:11:12", "CET",
                "Settled" if move.net_minor >= 0 else "Refunded", move.reference, currency,
                *_sides(gross, currency), "1", currency, *_sides(move.net_minor, currency),
                decimal(move.fee_minor, currency), "7",
            )
        )  # fmt: skip
    return _csv(rows)


PAYPAL_HEADINGS = (
    "CH", "Transaction ID", "Invoice ID", "PayPal Reference ID", "PayPal Reference ID Type", "Transaction Event Code",
    "Transaction Initiation Date", "Transaction Completion Date", "Transaction Debit or Credit",
    "Gross Transaction Amount", "Gross Transaction Currency", "Fee Debit or Credit", "Fee Amount", "Fee Currency",
)  # fmt: skip


def paypal(movements: Sequence[Movement], currency: str) -> bytes:
    gross = [move.net_minor + move.fee_minor for move in movements]
    fees = [move.fee_minor for move in movements]
    stamp = "2026/03/04 10:11:12 -0800"
    rows: list[Sequence[object]] = [
        ("RH", stamp, "R", "ACCOUNT", "009", ""),
        ("FH", "01"),
        ("SH", stamp, stamp, "ACCOUNT", ""),
        PAYPAL_HEADINGS,
    ]
    rows += [
        (
            "SB", move.reference, f"inv-{move.reference}", "", "", "T0006", stamp, stamp, "CR" if amount >= 0 else "DR",
            abs(amount), currency, "DR" if move.fee_minor >= 0 else "CR", abs(move.fee_minor), currency,
        )
        for move, amount in zip(movements, gross, strict=True)
    ]  # fmt: skip
    sums = (_above(gross), _below(gross), _below(fees), _above(fees))
    net = sum(move.net_minor for move in movements)
    closing = 1000 + net
    rows.append(("SF", currency, *sums, "CR", 1000, "CR" if closing >= 0 else "DR", abs(closing)))
    rows += [("SC", len(movements)), ("RF", currency, *sums), ("RC", len(movements)), ("FF", len(movements))]
    return _csv(rows)


def camt053(movements: Sequence[Movement], currency: str, *, version: str = "camt.053.001.08") -> bytes:
    entries = "".join(_entry(move, currency) for move in movements)
    net = sum(move.net_minor for move in movements)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{version}">'
        f"<BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId></GrpHdr>\n<Stmt><Id>S1</Id><ElctrncSeqNb>7</ElctrncSeqNb>"
        f"<Acct><Id><IBAN>DE02120300000000202051</IBAN></Id><Ccy>{currency}</Ccy></Acct>\n"
        f"{_balance('OPBD', 1000, currency)}{_balance('CLBD', 1000 + net, currency)}"
        f"{entries}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def mt940(movements: Sequence[Movement], currency: str) -> bytes:
    net = sum(move.net_minor for move in movements)
    lines = [":20:STARTUMSE", ":25:12345678/1020304050", ":28C:00007/001", f":60F:{_swift(1000, currency)}"]
    for move in movements:
        mark = "C" if move.net_minor >= 0 else "D"
        amount = _comma(abs(move.net_minor), currency)
        lines += [
            f":61:{move.day:%y%m%d}{move.day:%m%d}{mark}{amount}NTRFNONREF//{move.reference[:16]}",
            f":86:166?00GUTSCHRIFT?20EREF+{move.reference}?21SVWZ+Purpose",
        ]
    lines += [f":62F:{_swift(1000 + net, currency)}", "-"]
    return "\r\n".join(lines).encode()


def bai2(movements: Sequence[Movement], currency: str) -> bytes:
    sixteens = [
        f"16,{_bai_code(move)},{abs(move.net_minor)},V,{move.day:%y%m%d},,{move.reference},,TEXT/" for move in movements
    ]
    total = 1000 + sum(abs(move.net_minor) for move in movements)
    count = len(movements)
    lines = [
        "01,BANK,US,260304,0200,1,80,,2/",
        f"02,US,BANK,1,260304,,{currency},2/",
        f"03,0001234,{currency},010,1000,,/",
        *sixteens,
        f"49,{total},{count + 2}/",
        f"98,{total},1,{count + 4}/",
        f"99,{total},1,{count + 6}/",
    ]
    return "\n".join(lines).encode()


def cnab240(movements: Sequence[Movement], currency: str) -> bytes:
    """Titles that were paid; only credits can be written, in reais."""
    assert currency == "BRL"
    records = [_fixed({1: "00100000", 53: "0001234567890", 143: "2", 144: "04032026", 158: "000007", 164: "087"})]
    records.append(_fixed({1: "00100011T0100060"}))
    for number, move in enumerate(movements):
        gross = move.net_minor + move.fee_minor
        records.append(
            _fixed(
                {
                    1: f"00100013{number * 2 + 1:05d}T", 16: "06", 38: move.reference[:20], 59: f"D{number}",
                    82: f"{gross:015d}", 199: f"{move.fee_minor:015d}",
                }
            )
        )  # fmt: skip
        records.append(
            _fixed(
                {
                    1: f"00100013{number * 2 + 2:05d}U", 16: "06", 78: f"{gross:015d}", 93: f"{move.net_minor:015d}",
                    138: f"{move.day:%d%m%Y}", 146: f"{move.day:%d%m%Y}",
                }
            )
        )  # fmt: skip
    records.append(_fixed({1: "00100015", 18: f"{len(movements) * 2 + 2:06d}"}))
    records.append(_fixed({1: "00199999", 18: "000001", 24: f"{len(movements) * 2 + 4:06d}"}))
    return "\r\n".join(records).encode()


WRITERS: dict[str, Callable[[Sequence[Movement], str], bytes]] = {
    "adyen": adyen,
    "bai2": bai2,
    "camt.053": camt053,
    "cnab240": cnab240,
    "csv": mapped_csv,
    "mt940": mt940,
    "paypal": paypal,
    "stripe": stripe,
}
OPTIONS: dict[str, dict[str, Any]] = {"csv": {"mapping": CSV_MAPPING}}


def decimal(minor: int, currency: str) -> str:
    return Money(minor, currency).decimal()


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _sides(minor: int, currency: str) -> tuple[str, str]:
    """Debit and credit column."""
    text = decimal(abs(minor), currency)
    return ("", text) if minor >= 0 else (text, "")


def _above(values: Sequence[int]) -> int:
    return sum(value for value in values if value > 0)


def _below(values: Sequence[int]) -> int:
    return -sum(value for value in values if value < 0)


def _balance(code: str, minor: int, currency: str) -> str:
    side = "CRDT" if minor >= 0 else "DBIT"
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="{currency}">{decimal(abs(minor), currency)}</Amt><CdtDbtInd>{side}</CdtDbtInd>'
        f"<Dt><Dt>2026-03-04</Dt></Dt></Bal>\n"
    )


def _entry(move: Movement, currency: str) -> str:
    side = "CRDT" if move.net_minor >= 0 else "DBIT"
    return (
        f'<Ntry><Amt Ccy="{currency}">{decimal(abs(move.net_minor), currency)}</Amt><CdtDbtInd>{side}</CdtDbtInd>'
        f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{move.day}</Dt></BookgDt><ValDt><Dt>{move.day}</Dt></ValDt>"
        f"<NtryDtls><TxDtls><Refs><AcctSvcrRef>{move.reference}</AcctSvcrRef></Refs></TxDtls></NtryDtls></Ntry>\n"
    )


def _bai_code(move: Movement) -> str:
    return "195" if move.net_minor >= 0 else "495"


def _comma(minor: int, currency: str) -> str:
    text = decimal(minor, currency).replace(".", ",")
    return text if "," in text else f"{text},"


def _swift(minor: int, currency: str) -> str:
    return f"{'C' if minor >= 0 else 'D'}260304{currency}{_comma(abs(minor), currency)}"


def _fixed(parts: dict[int, str]) -> str:
    """A record of 240 characters with the given texts at the given positions, from 1."""
    record = [" "] * 240
    for position, text in parts.items():
        record[position - 1 : position - 1 + len(text)] = text
    return "".join(record)
