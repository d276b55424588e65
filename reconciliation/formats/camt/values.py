"""Values of camt elements: amounts with direction, dates, codes, references."""

from datetime import date, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from reconciliation.formats import amounts, dates
from reconciliation.formats.camt.xml import Node
from reconciliation.formats.contract import Unreadable

_NOT_PROVIDED: Final = frozenset({"NOTPROVIDED", "NOT PROVIDED", "NONREF", "NOREF"})
_REFERENCES: Final = (
    "MsgId", "AcctSvcrRef", "PmtInfId", "InstrId", "EndToEndId", "UETR", "TxId", "MndtId", "ChqNb", "ClrSysRef",
    "AcctOwnrTxId", "AcctSvcrTxId", "MktInfrstrctrTxId", "PrcgId",
)  # fmt: skip


class Amount(NamedTuple):
    """Unsigned minor units of a currency."""

    minor: int
    currency: str


def amount(node: Node | None) -> Amount:
    """Return the value of an ``Amt`` element.

    Raises:
        Unreadable: it is missing, has no known currency, or is no amount.
    """
    if node is None:
        raise Unreadable("The amount is missing.")
    currency = amounts.currency(node.attributes.get("Ccy", ""))
    found = amounts.major(node.text, currency)
    if found < 0:
        raise Unreadable("The amount is negative; its direction is a value of its own.")
    return Amount(found, currency)


def is_credit(node: Node) -> bool:
    """Tell whether the element's ``CdtDbtInd`` says credit.

    Raises:
        Unreadable: it says neither CRDT nor DBIT.
    """
    found = node.value("CdtDbtInd")
    if found not in {"CRDT", "DBIT"}:
        raise Unreadable(f"{found[:20]!r} is neither CRDT nor DBIT.")
    return found == "CRDT"


def signed(node: Node) -> Amount:
    """Return ``Amt`` with the sign of ``CdtDbtInd``, both children of ``node``."""
    found = amount(node.find("Amt"))
    return found if is_credit(node) else Amount(-found.minor, found.currency)


def day(node: Node | None) -> date | None:
    """Return a date given as ``Dt`` or ``DtTm``, or ``None`` where there is none."""
    text = node.value("Dt", "DtTm") if node is not None else ""
    return dates.iso_day(text) if text else None


def moment(text: str, zone: ZoneInfo) -> datetime | None:
    """Return a moment, or ``None`` where there is none or it cannot be read: it decides nothing."""
    try:
        return dates.iso_moment(text, zone) if text else None
    except Unreadable:
        return None


def code(node: Node | None) -> str:
    """Return a bank transaction code: ``PMNT/RCDT/ESCT`` and the bank's own behind it."""
    if node is None:
        return ""
    domain = (node.value("Domn/Cd"), node.value("Domn/Fmly/Cd"), node.value("Domn/Fmly/SubFmlyCd"))
    return " ".join(part for part in ("/".join(name for name in domain if name), node.value("Prtry/Cd")) if part)


def references(node: Node | None) -> tuple[tuple[str, str], ...]:
    """Return the references of a transaction by their names; those that say "not provided" are left out."""
    if node is None:
        return ()
    there = {child.name: child.text.strip() for child in node.children}
    found = [(name, value) for name in _REFERENCES if given(value := there.get(name, ""))]
    found += [(inner.value("Tp") or "Prtry", inner.value("Ref")) for inner in node.all("Prtry") if inner.value("Ref")]
    return tuple(found)


def given(text: str) -> bool:
    """Tell whether a reference is one."""
    return bool(text) and text.upper() not in _NOT_PROVIDED


def remittance(node: Node | None) -> tuple[str, tuple[str, ...]]:
    """Return the unstructured text of ``RmtInf`` and its structured references."""
    if node is None:
        return "", ()
    text = " ".join(child.text.strip() for child in node.all("Ustrd") if child.text.strip())
    structured = [child.value("CdtrRefInf/Ref", "CdtrRefInf/CdtrRef") for child in node.all("Strd")]
    documents = [inner.value("Nb") for child in node.all("Strd") for inner in child.all("RfrdDocInf")]
    return text, tuple(reference for reference in (*structured, *documents) if reference)


def counterparty(parties: Node | None, *, credit: bool) -> str:
    """Return the name of who paid us, or whom we paid."""
    if parties is None:
        return ""
    side = "Dbtr" if credit else "Cdtr"
    return parties.value(f"{side}/Nm", f"{side}/Pty/Nm", f"Ultmt{side}/Nm", f"Ultmt{side}/Pty/Nm")
