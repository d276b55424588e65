"""The calendar of the books: months in UTC, each from its first moment up to the first moment of the next."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final, Self

from paymentops.core.errors import InvalidInput

_WRITTEN: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_FIRST_YEAR: Final = 1970


class UnreadableMonth(InvalidInput):
    """A month is not written as year and month."""

    code = "ledger.month_unreadable"
    title = "This is not a month"


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One calendar month in UTC, named by its first day.

    Raises:
        UnreadableMonth: the date is not the first of a month, or before 1970.
    """

    start_date: date

    def __post_init__(self) -> None:
        if self.start_date.day != 1 or self.start_date.year < _FIRST_YEAR:
            raise UnreadableMonth(f"{self.start_date} does not begin a month of the books; name its first day.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``2026-01``.

        Raises:
            UnreadableMonth: the text is written otherwise.
        """
        written = _WRITTEN.fullmatch(text)
        if written is None or int(written[1]) < _FIRST_YEAR:
            raise UnreadableMonth(f"{text[:20]!r} is not a month; write the year and the month, 2026-01.")
        return cls(date(int(written[1]), int(written[2]), 1))

    @classmethod
    def of(cls, moment: datetime) -> Self:
        """Return the month in which a moment lies, in UTC."""
        return cls(moment.astimezone(UTC).date().replace(day=1))

    @property
    def starts_at(self) -> datetime:
        """The first moment of the month."""
        return datetime.combine(self.start_date, time(), UTC)

    @property
    def ends_at(self) -> datetime:
        """The first moment that no longer belongs to the month."""
        return self.next.starts_at

    @property
    def next(self) -> "Month":
        """The month after."""
        years, month = divmod(self.start_date.month, 12)
        return Month(date(self.start_date.year + years, month + 1, 1))

    def __str__(self) -> str:
        return f"{self.start_date:%Y-%m}"
