"""Detail records (segments) of a CNAB 240 return -> lines."""

from typing import Final, NamedTuple

from reconciliation.formats import amounts, dates
from reconciliation.formats.cnab240.layouts import Fields, Layout
from reconciliation.formats.contract import StatementLine, Unreadable, split
from reconciliation.formats.line_types import LineType

CURRENCY: Final = "BRL"
_DAY: Final = "%d%m%Y"
_DONE: Final = "00"
_FURTHER: Final = ("interest", "discount", "abatement", "tax", "other_expenses", "other_credits")


class Detail(NamedTuple):
    """A detail record, 240 characters long, and where it stands."""

    line_number: int
    text: str

    def field(self, fields: Fields, name: str) -> str:
        """Return a field without blanks around it, or an empty string where the layout has none."""
        span = fields.get(name)
        return self.text[span[0] - 1 : span[1]].strip() if span else ""

    def money(self, fields: Fields, name: str) -> int:
        """Return an amount that must be there.

        Raises:
            Unreadable: it is blank or not all digits.
        """
        text = self.field(fields, name)
        if not text.isascii() or not text.isdigit():
            raise Unreadable(f"{text[:20]!r} is not an amount ({name}).")
        return amounts.minor(text)

    def optional_money(self, fields: Fields, name: str) -> int:
        """Return an amount, 0 where the field is left blank.

        Raises:
            Unreadable: it is filled with something else than digits.
        """
        return self.money(fields, name) if self.field(fields, name) else 0


class Place(NamedTuple):
    """To which lot a line belongs, and its number among the data rows."""

    row: int
    statement_id: str
    account: str


def collection(place: Place, title: Detail, settlement: Detail, layout: Layout) -> StatementLine:
    """Return the line of a title: segments T and U together.

    Raises:
        Unreadable: they do not belong together, or a value cannot be read.
    """
    t, u = layout.title, layout.settlement
    movement = title.field(t, "movement")
    if movement != settlement.field(u, "movement"):
        raise Unreadable(f"Segment T says movement {movement}, segment U {settlement.field(u, 'movement')}.")
    if not (len(movement) == 2 and movement.isascii() and movement.isdigit()):
        raise Unreadable(f"{movement!r} is not a movement code.")
    tariff = title.optional_money(t, "tariff")
    kind, gross, fee = _collected(movement, title, settlement, tariff, layout)
    gross, fee, net = split(gross_minor=gross, fee_minor=fee, net_minor=gross - fee)
    further = [(name, settlement.optional_money(u, name)) for name in _FURTHER]
    stated = [("face", title.optional_money(t, "face")), ("tariff", tariff), *further]
    moved = dates.optional_day(settlement.field(u, "moved"), _DAY)
    credited = dates.optional_day(settlement.field(u, "credited"), _DAY)
    if moved is None:
        raise Unreadable("The day of the movement is missing.")
    ours, document = title.field(t, "our_number"), title.field(t, "document")
    if not (ours or document):
        raise Unreadable("The title has neither the bank's number nor ours.")
    company_use = title.field(t, "company_use")
    return StatementLine(
        row=place.row,
        line_number=title.line_number,
        statement_id=place.statement_id,
        type=kind,
        currency=CURRENCY,
        gross_minor=gross,
        fee_minor=fee,
        net_minor=net,
        booked=kind is not LineType.NOTICE,
        booking_date=moved,
        value_date=credited,
        provider_reference=ours,
        our_reference=document or company_use,
        account=place.account,
        fee_parts=(("tariff", fee),) if fee and fee == tariff else (),
        amounts=tuple((name, found) for name, found in stated if found),
        references=tuple(
            (name, found)
            for name, found in (("NossoNumero", ours), ("SeuNumero", document), ("UsoDaEmpresa", company_use))
            if found
        ),
        method="boleto",
        provider_type=f"{movement} {title.field(t, 'reasons').strip('0 ')}".strip(),
    )


def _collected(
    movement: str, title: Detail, settlement: Detail, tariff: int, layout: Layout
) -> tuple[LineType, int, int]:
    """Return type, gross and fee. What was credited may be left at zero; the tariff is then charged apart."""
    u = layout.settlement
    paid, net = settlement.optional_money(u, "paid"), settlement.optional_money(u, "net")
    if movement in layout.paid:
        if not paid:
            raise Unreadable("The title is paid, but the amount is zero or missing.")
        return LineType.CHARGE, paid, paid - net if net else 0
    if movement in layout.tariffs and tariff:
        return LineType.FEE, -tariff, 0
    return LineType.NOTICE, paid or title.optional_money(layout.title, "face"), 0


def statement(place: Place, detail: Detail, layout: Layout) -> StatementLine:
    """Return the line of a movement of an account: segment E.

    Raises:
        Unreadable: a value cannot be read.
    """
    e = layout.statement
    minor = signed(detail.money(e, "amount"), detail.field(e, "sign"))
    document = detail.field(e, "document")
    return StatementLine(
        row=place.row,
        line_number=detail.line_number,
        statement_id=place.statement_id,
        type=LineType.CREDIT if minor >= 0 else LineType.DEBIT,
        currency=CURRENCY,
        gross_minor=minor,
        fee_minor=0,
        net_minor=minor,
        booking_date=dates.optional_day(detail.field(e, "moved"), _DAY),
        value_date=dates.optional_day(detail.field(e, "booked"), _DAY),
        provider_reference=document,
        account=place.account,
        references=(("Documento", document),) if document else (),
        provider_type=f"{detail.field(e, 'category')} {detail.field(e, 'code')}".strip(),
        description=detail.field(e, "description"),
    )


def payment(place: Place, detail: Detail, fields: Fields) -> StatementLine:
    """Return the line of a payment that we ordered: segments A and J. Only what was carried out moved money.

    Raises:
        Unreadable: a value cannot be read.
    """
    occurrences = detail.field(fields, "occurrences")
    done = _DONE in {occurrences[at : at + 2] for at in range(0, len(occurrences), 2)}
    real = detail.optional_money(fields, "real_amount")
    minor = -(real or detail.money(fields, "amount"))
    if done and not minor:
        raise Unreadable("The payment was carried out, but the amount is zero.")
    day = dates.optional_day(detail.field(fields, "real_day"), _DAY) or dates.optional_day(
        detail.field(fields, "day"), _DAY
    )
    ours, bank = detail.field(fields, "document"), detail.field(fields, "our_number")
    return StatementLine(
        row=place.row,
        line_number=detail.line_number,
        statement_id=place.statement_id,
        type=LineType.DEBIT if done else LineType.NOTICE,
        currency=CURRENCY,
        gross_minor=minor,
        fee_minor=0,
        net_minor=minor,
        booked=done,
        booking_date=day,
        value_date=day,
        provider_reference=bank,
        our_reference=ours,
        account=place.account,
        references=tuple((name, found) for name, found in (("NossoNumero", bank), ("SeuNumero", ours)) if found),
        provider_type=occurrences,
        description=detail.field(fields, "name"),
    )


def signed(minor: int, sign: str) -> int:
    """Return the amount, negative for D.

    Raises:
        Unreadable: the sign is neither C nor D.
    """
    if sign not in {"C", "D"}:
        raise Unreadable(f"{sign!r} is neither C nor D.")
    return minor if sign == "C" else -minor
