"""The balances and sums that a camt statement states of itself, compared with what was read of it."""

from dataclasses import dataclass, field
from typing import Final

from paymentops.core import currencies
from paymentops.core.money import Money
from reconciliation.formats import amounts
from reconciliation.formats.camt import values
from reconciliation.formats.camt.values import Amount
from reconciliation.formats.camt.xml import Node
from reconciliation.formats.contract import StatementRefused, Unreadable
from reconciliation.formats.totals import Totals

_OPENING: Final = ("OPBD", "PRCD")
_CLOSING: Final = ("CLBD",)
# Between the pages of one statement; the first on a page opens it where nothing else does, the last closes it.
_INTERIM: Final = "ITBD"


@dataclass(slots=True)
class Balances:
    """Booked balances in the order of the file, as (code, currency, signed minor units)."""

    found: list[tuple[str, Amount]] = field(default_factory=list)

    def add(self, node: Node) -> None:
        """Take one balance; available and informational ones are not compared, so they are left aside.

        Raises:
            Unreadable: a booked balance cannot be read.
        """
        code = node.value("Tp/CdOrPrtry/Cd", "Tp/Cd", "Tp/CdOrPrtry/Prtry", "Tp/Prtry")
        if code in {*_OPENING, *_CLOSING, _INTERIM}:
            self.found.append((code, values.signed(node)))

    def opening(self) -> dict[str, int]:
        """Return the opening balance of each currency."""
        return self._first(_OPENING) or self._interim(first=True)

    def closing(self) -> dict[str, int]:
        """Return the closing balance of each currency."""
        return self._first(_CLOSING) or self._interim(first=False)

    def opening_money(self) -> Money | None:
        """Return the opening balance, if there is one currency."""
        found = self.opening()
        return Money(next(iter(found.values())), next(iter(found))) if len(found) == 1 else None

    def compare(self, totals: Totals, *, line_number: int) -> dict[str, tuple[int, int, int]]:
        """Compare opening + entries with closing; return (opening, closing, unexplained) by currency.

        Raises:
            StatementRefused: they differ, or an opening balance has no closing one in its currency.
        """
        opening, closing = self.opening(), self.closing()
        if not opening or not closing:
            return {}
        if set(opening) != set(closing):
            raise StatementRefused(
                line_number=line_number,
                reason=f"The statement opens in {', '.join(sorted(opening))}, "
                f"but closes in {', '.join(sorted(closing))}.",
            )
        return {
            currency: (
                opening[currency],
                closing[currency],
                totals.compare_closing(
                    opening=opening[currency], closing=closing[currency], currency=currency, line_number=line_number
                ),
            )
            for currency in sorted(opening)
        }

    def _first(self, codes: tuple[str, ...]) -> dict[str, int]:
        """Return the balances of the first of these codes that is there."""
        for wanted in codes:
            found = {amount.currency: amount.minor for code, amount in self.found if code == wanted}
            if found:
                return found
        return {}

    def _interim(self, *, first: bool) -> dict[str, int]:
        found: dict[str, int] = {}
        interim = [amount for code, amount in self.found if code == _INTERIM]
        for amount in interim:
            if amount.currency not in found or not first:
                found[amount.currency] = amount.minor
        # One interim balance beside a booked one stands on the other side; two are the two sides.
        booked = self._first(_OPENING) or self._first(_CLOSING)
        return found if booked or len(interim) > 1 else {}


@dataclass(slots=True)
class _Side:
    count: int = 0
    minor: int = 0


@dataclass(slots=True)
class Summary:
    """Entries counted and summed regardless of currency, beside the sums that the statement states."""

    node: Node | None = None
    booked: dict[str, _Side] = field(default_factory=dict)
    every: dict[str, _Side] = field(default_factory=dict)
    currencies: set[str] = field(default_factory=set)
    unknown: int = 0

    def count(self, amount: Amount | None, *, booked: bool) -> None:
        """Count one entry; one that cannot be read is counted without direction."""
        if amount is None:
            self.unknown += 1
            return
        self.currencies.add(amount.currency)
        side = "TtlCdtNtries" if amount.minor >= 0 else "TtlDbtNtries"
        for where in (self.every, self.booked) if booked else (self.every,):
            for name in (side, "TtlNtries"):
                found = where.setdefault(name, _Side())
                found.count += 1
                found.minor += abs(amount.minor)

    def compare(self, totals: Totals, currency: str) -> None:
        """Compare the stated numbers and sums of entries; a bank counts booked entries or all of them.

        Raises:
            StatementRefused: they differ.
        """
        if self.node is None:
            return
        for name in ("TtlNtries", "TtlCdtNtries", "TtlDbtNtries"):
            stated = self.node.find(name)
            if stated is not None:
                self._compare_side(name, stated, totals, currency)

    def _compare_side(self, name: str, stated: Node, totals: Totals, currency: str) -> None:
        sides = (self.every.get(name, _Side()), self.booked.get(name, _Side()))
        unit = currency if currencies.is_known(currency) else next(iter(self.currencies), "")
        try:
            number = amounts.minor(stated.value("NbOfNtries")) if stated.value("NbOfNtries") else None
            summed = stated.value("Sum")
            minor = amounts.major(summed, unit) if summed and unit and len(self.currencies) < 2 else None
        except Unreadable as error:
            raise StatementRefused(line_number=stated.line_number, reason=f"{name} cannot be read: {error}") from error
        wanted = [side for side in sides if number in {None, side.count} and minor in {None, side.minor}]
        if wanted:
            totals.checked.append(name)
        elif self.unknown:
            totals.unproven.append(name)
        else:
            raise StatementRefused(
                line_number=stated.line_number,
                reason=f"{name} states {stated.shown()[:100]}, but the statement holds {sides[0].count} entries of "
                f"{sides[0].minor} minor units.",
            )
