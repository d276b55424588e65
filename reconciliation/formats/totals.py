"""Running totals of one statement, and their comparison with what the file itself says."""

from dataclasses import dataclass, field

from reconciliation.formats.contract import ControlTotals, Reject, StatementLine, StatementRefused


@dataclass(slots=True)
class _Sum:
    """Counts and sums in one currency. ``lines`` and ``rejects`` count every line, sums only what was booked."""

    lines: int = 0
    rejects: int = 0
    credit_minor: int = 0
    debit_minor: int = 0
    credits: int = 0
    debits: int = 0

    @property
    def net_minor(self) -> int:
        return self.credit_minor - self.debit_minor

    def move(self, minor: int) -> None:
        if minor >= 0:
            self.credit_minor += minor
            self.credits += 1
        else:
            self.debit_minor -= minor
            self.debits += 1


@dataclass(slots=True)
class Totals:
    """What was read of one statement so far; per currency, so its size does not grow with the file.

    A file's own total that differs refuses the whole file, unless rejected rows of unknown amount may be the
    difference: then it is ``unproven``, and the difference is told.
    """

    statement_id: str
    by_currency: dict[str, _Sum] = field(default_factory=dict)
    rejects: int = 0
    unknown: int = 0
    checked: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)

    def __getitem__(self, currency: str) -> _Sum:
        return self.by_currency.setdefault(currency, _Sum())

    @property
    def rows(self) -> int:
        """Return how many data rows were read, rejects included."""
        return sum(found.lines for found in self.by_currency.values()) + self.rejects

    def add(self, event: StatementLine | Reject) -> None:
        """Count one line or reject."""
        if isinstance(event, StatementLine):
            found = self[event.currency]
            found.lines += 1
            if event.booked:
                found.move(event.net_minor)
            return
        self.rejects += 1
        if event.amount is None:
            self.unknown += 1
        else:
            self[event.amount.currency].move(event.amount.minor)

    def compare_amount(self, name: str, *, stated: int, found: int, line_number: int) -> None:
        """Compare a total of the file with what was read, both in minor units.

        Raises:
            StatementRefused: they differ, and no rejected row of unknown amount can be the reason.
        """
        self._compare(name, stated=stated, found=found, line_number=line_number, doubtful=self.unknown > 0)

    def compare_count(self, name: str, *, stated: int, found: int, line_number: int) -> None:
        """Compare a count of the file with what was read.

        Raises:
            StatementRefused: they differ.
        """
        self._compare(name, stated=stated, found=found, line_number=line_number, doubtful=False)

    def compare_closing(self, *, opening: int, closing: int, currency: str, line_number: int) -> int:
        """Compare ``opening + movements`` with ``closing``; return what remains unexplained.

        Raises:
            StatementRefused: they differ, and no rejected row of unknown amount can be the reason.
        """
        found = opening + self[currency].net_minor
        self.compare_amount(f"closing balance {currency}", stated=closing, found=found, line_number=line_number)
        return closing - found

    def finish(
        self,
        currency: str,
        *,
        line_number: int,
        opening_minor: int | None = None,
        closing_minor: int | None = None,
        unexplained_minor: int = 0,
    ) -> ControlTotals:
        """Return the control totals of one currency."""
        found = self[currency]
        return ControlTotals(
            line_number=line_number,
            statement_id=self.statement_id,
            currency=currency,
            lines=found.lines,
            rejects=self.rejects,
            credit_minor=found.credit_minor,
            debit_minor=found.debit_minor,
            opening_minor=opening_minor,
            closing_minor=closing_minor,
            checked=tuple(self.checked),
            unproven=tuple(self.unproven),
            unexplained_minor=unexplained_minor,
        )

    def finish_all(self, *, line_number: int) -> list[ControlTotals]:
        """Return the control totals of every currency met, sorted; one without a currency if nothing was met."""
        return [self.finish(currency, line_number=line_number) for currency in sorted(self.by_currency) or [""]]

    def _compare(self, name: str, *, stated: int, found: int, line_number: int, doubtful: bool) -> None:
        if stated == found:
            self.checked.append(name)
        elif doubtful:
            self.unproven.append(name)
        else:
            raise StatementRefused(
                line_number=line_number, reason=f"The file states {stated} as its {name}, but holds {found}."
            )
