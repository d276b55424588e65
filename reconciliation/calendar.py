"""When a source's money and files are due: business days, holidays and the hour of the cut-off, as pure rules.

A calendar counts days in the source's own time zone. A cut-off is a time of day there, so its moment moves with
daylight saving: a time that the clock skips counts as the moment to which the clock jumps, and of a time that comes
twice the later one counts, because nobody may be called late while the hour still runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

MONDAY_TO_FRIDAY: Final = frozenset(range(5))
_DAY: Final = timedelta(days=1)
# Longer than any run of holidays; a calendar without business days would otherwise be searched for ever.
_LONGEST_PAUSE: Final = 366


class NoBusinessDay(ValueError):
    """The calendar has no business day within a year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementCalendar:
    """The calendar of one source.

    Args:
        zone: where its days begin and its clock is read.
        settlement_days: business days from the payment's date to the day its money is due (the N of T+N).
        file_days: business days from a date to the day its file is due.
        cut_off: what happens at or after this time counts for the next business day; files are due at it.
        weekdays: the business days of the week, Monday is 0.
        holidays: dates that are no business days.
    """

    zone: ZoneInfo
    settlement_days: int
    file_days: int
    cut_off: time
    weekdays: frozenset[int] = MONDAY_TO_FRIDAY
    holidays: frozenset[date] = frozenset()

    def is_business_day(self, day: date) -> bool:
        """Tell whether money moves on this day."""
        return day.weekday() in self.weekdays and day not in self.holidays

    def next_business_day(self, day: date) -> date:
        """Return the day itself if it is a business day, else the first one after it.

        Raises:
            NoBusinessDay: there is none within a year.
        """
        return next(self._business_days(day))

    def plus_business_days(self, day: date, *, days: int) -> date:
        """Return the business day that is ``days`` business days after ``day``.

        A day that is no business day counts as the next one that is: T+1 of a Saturday is Tuesday.
        """
        found = self._business_days(day)
        for _ in range(days):
            next(found)
        return next(found)

    def payment_date(self, moment: datetime) -> date:
        """Return the business date of a payment: that of its local day, or the next after the cut-off."""
        local = moment.astimezone(self.zone)
        day = local.date() if moment < self.moment_of(local.date()) else local.date() + _DAY
        return self.next_business_day(day)

    def due_date(self, payment_date: date) -> date:
        """Return the day on which the money of a payment date is due (T+N)."""
        return self.plus_business_days(payment_date, days=self.settlement_days)

    def expects_file(self, day: date) -> bool:
        """Tell whether the source reports on this date; on weekends and holidays it does not."""
        return self.is_business_day(day)

    def file_due_at(self, day: date) -> datetime:
        """Return the moment, in UTC, at which the file of a date is due."""
        return self.moment_of(self.plus_business_days(day, days=self.file_days))

    def moment_of(self, day: date) -> datetime:
        """Return the moment, in UTC, of the cut-off of a day."""
        local = datetime.combine(day, self.cut_off)
        first, second = (local.replace(tzinfo=self.zone, fold=fold) for fold in (0, 1))
        if _exists(first):
            return max(first.astimezone(UTC), second.astimezone(UTC))
        # Both readings of a skipped time are wrong by the length of the gap; between them lies the jump itself.
        return _jump(second.astimezone(UTC), first.astimezone(UTC), self.zone)

    def _business_days(self, day: date) -> Iterator[date]:
        since = day
        while True:
            if self.is_business_day(day):
                yield day
                since = day
            elif (day - since).days > _LONGEST_PAUSE:
                raise NoBusinessDay(f"There is no business day within a year after {since}.")
            day += _DAY


def _exists(local: datetime) -> bool:
    """Tell whether the clock ever shows this time."""
    return local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first moment of the new offset between two moments, to the second."""
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + ((after - before) // 2)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
